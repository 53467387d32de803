//! What the auditor objects to.

/// An invariant that did not hold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Violation {
    /// Its number in the acceptance table; 0 for what must not happen at all.
    pub invariant: u8,
    /// Milliseconds from the start.
    pub at_ms: u64,
    /// What was found.
    pub what: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (seconds, ms) = (self.at_ms / 1000, self.at_ms % 1000);
        write!(f, "invariant {} broken at {seconds}.{ms:03}: {}", self.invariant, self.what)
    }
}
