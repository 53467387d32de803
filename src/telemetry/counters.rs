//! Counters of what happened since the start. They count; they decide nothing.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::ids::{BillerCode, LinkName};

/// Counts of one link.
#[derive(Debug, Default)]
pub struct LinkCounters {
    /// Connections open now.
    pub connections: AtomicU64,
    /// Frames read.
    pub frames: AtomicU64,
    /// Answers handed to a connection.
    pub answers: AtomicU64,
    /// Frames nobody can answer.
    pub unanswerable: AtomicU64,
    /// Answers that found their connection gone; a repeat gets them.
    pub undelivered: AtomicU64,
    /// Answers of the peer to nothing that we had asked.
    pub unasked: AtomicU64,
    /// Messages refused for their MAC.
    pub mac_refused: AtomicU64,
    /// Connections closed because the peer answered none of our echoes.
    pub deaf: AtomicU64,
}

/// Counts of one biller.
#[derive(Debug, Default)]
pub struct BillerCounters {
    /// Payments posted.
    pub posted: AtomicU64,
    /// Payments declined.
    pub declined: AtomicU64,
    /// Payments undone.
    pub reversed: AtomicU64,
    /// Payments that came to be in doubt.
    pub in_doubt: AtomicU64,
}

/// All counters of a running switch.
#[derive(Debug, Default)]
pub struct Counters {
    links: BTreeMap<LinkName, LinkCounters>,
    billers: BTreeMap<BillerCode, BillerCounters>,
    /// Alarms raised.
    pub alarms: AtomicU64,
    /// Connections refused: too many, or from an address of no link.
    pub refused_connections: AtomicU64,
}

impl Counters {
    /// Counters at zero for these links and billers.
    pub fn new(
        links: impl IntoIterator<Item = LinkName>,
        billers: impl IntoIterator<Item = BillerCode>,
    ) -> Self {
        Self {
            links: links.into_iter().map(|link| (link, LinkCounters::default())).collect(),
            billers: billers.into_iter().map(|biller| (biller, BillerCounters::default())).collect(),
            ..Self::default()
        }
    }

    /// A link's.
    #[must_use]
    pub fn link(&self, link: &LinkName) -> Option<&LinkCounters> {
        self.links.get(link)
    }

    /// A biller's.
    #[must_use]
    pub fn biller(&self, biller: &BillerCode) -> Option<&BillerCounters> {
        self.billers.get(biller)
    }

    /// One more.
    pub fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}
