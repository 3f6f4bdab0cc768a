//! The one place where atomics are chosen: the standard ones, or loom's when
//! the concurrency models are built with `--cfg loom`.
//!
//! Only what decides lifetime goes through here. Counters that merely report
//! (ledger, pool level) stay with the standard library in every build: they
//! order nothing, and in a model they would only multiply the interleavings.

#[cfg(not(loom))]
pub(crate) use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};
