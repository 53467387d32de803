//! What happened, a line each, for people; and a digest of it, by which two runs are compared.

use super::dice::number_of;

/// Lines of a run. A run of thousands only keeps the digest of what is cheap to tell; one that is looked at keeps all.
#[derive(Debug, Default)]
pub(super) struct History {
    kept: Option<Vec<String>>,
    digest: u64,
}

impl History {
    /// One that keeps its lines if `kept`.
    pub(super) fn new(kept: bool) -> Self {
        Self { kept: kept.then(Vec::new), digest: 0 }
    }

    /// Adds a line.
    pub(super) fn note(&mut self, at_ms: u64, line: impl FnOnce() -> String) {
        let Some(lines) = &mut self.kept else { return };
        let (seconds, ms) = (at_ms / 1000, at_ms % 1000);
        let line = format!("{seconds:4}.{ms:03}  {}", line());
        self.digest = self.digest.rotate_left(5).wrapping_add(number_of(line.as_bytes()));
        lines.push(line);
    }

    /// Adds bytes to the digest alone.
    pub(super) fn weigh(&mut self, bytes: &[u8]) {
        if self.kept.is_some() {
            self.digest = self.digest.rotate_left(5).wrapping_add(number_of(bytes));
        }
    }

    /// The digest so far, and the lines.
    pub(super) fn into_parts(self) -> (u64, Vec<String>) {
        (self.digest, self.kept.unwrap_or_default())
    }
}
