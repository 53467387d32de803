//! The MAC keys of a department's host: a new one goes the way of every request, so that it is durable before it is in use.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};

use super::ask::{Input, Outbound, Waiting};
use super::macs::Macs;
use crate::biller::iso8583::{HostConfig, HostKeys, KeyAnswer};
use crate::clock::SystemClock;
use crate::desk;
use crate::ids::LinkName;
use crate::iso8583::{Framing, Message, Mirror, decode};
use crate::profile::Profile;
use crate::switch::{Ask, Reason, Request};
use crate::vault::{MacKey, MacVerdict, Vault};

/// One host's keys, among those of all.
pub(super) struct KeysOfHost {
    name: LinkName,
    profile: Arc<Profile>,
    macs: Arc<Macs>,
    vault: Arc<Vault>,
    clock: SystemClock,
    urgent: mpsc::Sender<Input>,
    runtime: Handle,
    /// A host sends one key at a time.
    one: Arc<Semaphore>,
    /// What is said meanwhile has the key before: the host may judge by the new one only once that is acknowledged.
    before: Arc<Mutex<Option<Arc<MacKey>>>>,
}

impl KeysOfHost {
    pub(super) fn new(
        config: &HostConfig,
        macs: Arc<Macs>,
        vault: Arc<Vault>,
        clock: SystemClock,
        urgent: mpsc::Sender<Input>,
    ) -> Self {
        let (name, profile) = (config.name, Arc::clone(&config.profile));
        let one = Arc::new(Semaphore::new(1));
        let before = Arc::default();
        Self { name, profile, macs, vault, clock, urgent, runtime: Handle::current(), one, before }
    }

    /// The request to change the key, with what is made of the key in it.
    fn read(&self, frame: &Bytes) -> Option<Ask> {
        let mut mirror = Mirror::new();
        let decoded = decode(self.profile.dialect(), frame, &mut mirror);
        let mut ask = desk::read(&self.profile, &self.vault, self.name, &decoded).ok()?;
        let Request::ChangeKey(change) = &mut ask.request else { return None };
        *change = self.macs.receive(&self.name, &self.profile, &self.vault, &decoded.message);
        Some(ask)
    }
}

impl HostKeys for KeysOfHost {
    fn current(&self) -> Option<Arc<MacKey>> {
        let before = lock(&self.before).clone();
        before.or_else(|| self.macs.current(&self.name))
    }

    fn judge(&self, profile: &Profile, framing: Framing, message: &Message<'_, '_>) -> MacVerdict {
        self.macs.check_of(&self.name, profile, framing, message)
    }

    fn receive(&self, frame: Bytes, answer: KeyAnswer) {
        let Ok(place) = Arc::clone(&self.one).try_acquire_owned() else { return answer(Reason::Overloaded) };
        let Some(ask) = self.read(&frame) else { return answer(Reason::Malformed) };
        let (answers, mut told) = mpsc::channel(1);
        let read = self.clock.now().ticks;
        let waiting = Waiting { read, link: self.name, frame, answers, key: None, place };
        *lock(&self.before) = self.macs.current(&self.name);
        let before = Arc::clone(&self.before);
        if self.urgent.try_send(Input::Asked(Box::new(ask), waiting)).is_err() {
            *lock(&before) = None;
            return answer(Reason::Overloaded);
        }
        self.runtime.spawn(async move {
            // It ends without an answer only with the switch, and the host sends its key again.
            let told = told.recv().await;
            if let Some(Outbound::Answer { answer: told, .. }) = &told {
                answer(told.reason);
            }
            *lock(&before) = None;
            // The next key may come.
            drop(told);
        });
    }
}

/// Nothing in here panics half-way.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
