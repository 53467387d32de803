//! Where bytes of a message go: the end of a buffer, kept longer than what is written.

use bytes::BytesMut;

/// Room for the usual message in one step.
const USUAL_BYTES: usize = 512;

/// A place in a buffer that grows. Behind it are zeros: a field is then written without asking for room again.
pub(super) struct Cursor<'b> {
    pub(super) out: &'b mut BytesMut,
    /// Where in the buffer the next byte goes.
    pub(super) at: usize,
}

impl<'b> Cursor<'b> {
    /// At the end of what is in the buffer.
    pub(super) fn at_end(out: &'b mut BytesMut) -> Self {
        let at = out.len();
        out.resize(at.saturating_add(USUAL_BYTES), 0);
        Self { out, at }
    }

    /// The next `len` bytes.
    #[inline(always)]
    pub(super) fn room(&mut self, len: usize) -> &mut [u8] {
        let from = self.at;
        self.at = from.saturating_add(len);
        if self.at > self.out.len() {
            grow(self.out, self.at);
        }
        self.out.get_mut(from..self.at).unwrap_or_default()
    }

    /// What has been written since `from`.
    pub(super) fn written(&mut self, from: usize) -> &mut [u8] {
        self.out.get_mut(from..self.at).unwrap_or_default()
    }

    /// Puts so many bytes of room before what has been written since `from`.
    pub(super) fn insert(&mut self, from: usize, len: usize) {
        let moved = self.at.saturating_sub(from);
        self.room(len);
        let all = self.written(from);
        if all.len() >= moved.saturating_add(len) {
            all.copy_within(..moved, len);
        }
    }

    /// Takes so many bytes away at `from`.
    pub(super) fn remove(&mut self, from: usize, len: usize) {
        let all = self.written(from);
        if len <= all.len() {
            all.copy_within(len.., 0);
            self.at = self.at.saturating_sub(len);
        }
    }
}

/// More room for a message longer than usual.
#[cold]
fn grow(out: &mut BytesMut, need: usize) {
    out.resize(need.saturating_add(USUAL_BYTES), 0);
}
