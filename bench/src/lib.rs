//! Measurements that compare this stack with its peers on the same work in one run.

pub mod cost;
pub mod crowded;
pub mod goodput;
pub mod memory_link;
pub mod rope;
pub mod skb;

pub use netstack_bench::stats;
