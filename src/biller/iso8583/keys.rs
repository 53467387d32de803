//! The MAC keys of a host: which are in use, and what becomes of a new one.

use std::sync::Arc;

use bytes::Bytes;

use crate::iso8583::{Framing, Message};
use crate::profile::{MacSeen, Profile};
use crate::switch::Reason;
use crate::vault::{MacKey, MacVerdict};

/// Tells a host what came of the key it has sent.
pub type KeyAnswer = Box<dyn FnOnce(Reason) + Send>;

/// The keys that messages to and from a host get their MACs by.
pub trait HostKeys: Send + Sync {
    /// The one that is in use; nothing is said to a host while there is none.
    fn current(&self) -> Option<Arc<MacKey>>;

    /// What the MAC of a message of the host is worth.
    fn judge(&self, profile: &Profile, framing: Framing, message: &Message<'_, '_>) -> MacVerdict;

    /// Takes the new key in a message of the host. It is in use, and durable, before `answer` is told so.
    fn receive(&self, frame: Bytes, answer: KeyAnswer);
}

/// One key, for good: what a simulated host or acquirer has.
pub struct OneKey(pub Arc<MacKey>);

impl HostKeys for OneKey {
    fn current(&self) -> Option<Arc<MacKey>> {
        Some(Arc::clone(&self.0))
    }

    fn judge(&self, profile: &Profile, framing: Framing, message: &Message<'_, '_>) -> MacVerdict {
        match profile.mac_of(message, framing) {
            MacSeen::NotDue => MacVerdict::Good(self.current()),
            MacSeen::There(covered, sent) if self.0.fits(&covered, &sent) => MacVerdict::Good(self.current()),
            MacSeen::There(..) => MacVerdict::Wrong,
            MacSeen::Missing(field) => MacVerdict::Missing(field),
        }
    }

    fn receive(&self, _frame: Bytes, answer: KeyAnswer) {
        answer(Reason::Unsupported);
    }
}
