//! Telling the peer that its packets met congestion (RFC 3168, 6.1.3).

/// The echo of one connection.
#[derive(Debug, Default)]
pub(crate) struct EcnEcho {
    enabled: bool,
    echo: bool,
}

impl EcnEcho {
    /// Both ends understand marks.
    pub(crate) fn enable(&mut self) {
        self.enabled = true;
    }

    /// A segment in the window arrived: `marked` on its way, and perhaps saying that the peer's window was reduced.
    /// Returns whether the peer should hear of it at once.
    // req: RFC3168-18, RFC3168-19, RFC3168-22
    #[inline]
    pub(crate) fn on_segment(&mut self, marked: bool, reduced: bool) -> bool {
        if !self.enabled || !(marked || reduced) {
            return false;
        }
        let news = marked && !self.echo;
        self.echo = marked || self.echo && !reduced;
        news
    }

    /// Whether acknowledgements carry the echo.
    #[inline]
    pub(crate) fn echoes(&self) -> bool {
        self.echo
    }
}

#[cfg(test)]
mod tests;
