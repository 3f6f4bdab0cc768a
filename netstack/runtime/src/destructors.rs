//! Destructors of applications' buffers, which run on a loop's thread whenever the last packet goes there.

use std::sync::atomic::{AtomicU64, Ordering};

use txbuf::Deferral;

use crate::service::message;

/// While this lives, destructors of applications wait; then they run, and none that panics ends anything but
/// itself.
pub(crate) struct Destructors<'a> {
    /// Present until it is finished.
    deferral: Option<Deferral>,
    panics: &'a AtomicU64,
}

impl<'a> Destructors<'a> {
    /// Counts in `panics` those that panic.
    pub(crate) fn defer(panics: &'a AtomicU64) -> Self {
        Destructors {
            deferral: Some(Deferral::begin()),
            panics,
        }
    }
}

impl Drop for Destructors<'_> {
    fn drop(&mut self) {
        let Some(deferral) = self.deferral.take() else {
            return;
        };
        deferral.finish(|panic| {
            self.panics.fetch_add(1, Ordering::Relaxed);
            let panic = message(&*panic);
            tracing::error!(panic, "the destructor of a buffer that was sent panicked");
        });
    }
}
