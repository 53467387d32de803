//! Bounds: what a peer may ask of us before it is closed, and what we ask of a department.

use std::time::Duration;

/// Heads of account of a bill, and of a payment: what is more is not understood, because it is written down with every leg of it.
pub const HEADS_MAX: usize = 20;

/// Bounds of each connection of a link.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LinkBounds {
    /// Largest frame, length header excluded; 1 to 9999.
    pub frame_bytes_max: u16,
    /// A frame once begun must be complete within this.
    pub frame_timeout: Duration,
    /// A peer that takes nothing for this long is closed.
    pub write_timeout: Duration,
    /// A peer that says nothing for this long is asked for an echo, if the link has one.
    pub idle_echo: Option<Duration>,
    /// How long its answer may take; when two have not come the connection is closed.
    pub echo_timeout: Duration,
    /// A peer that says nothing for this long is closed.
    pub idle_timeout: Duration,
    /// Requests read and not yet answered, a connection.
    pub in_flight_max: u32,
    /// Frames in a row nobody can answer before the connection is closed.
    pub unanswerable_max: u32,
    /// Connections of the link at once.
    pub connections_max: u32,
}

/// What is allowed to go on at once with a department, and when it is left alone for a while.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct GuardBounds {
    /// Orders at once; a part of them is kept for orders that are owed.
    pub in_flight_max: u32,
    /// Orders in a row that failed before nothing more is sent for a while.
    pub failures_max: u32,
    /// How long nothing is sent then; it doubles each time the department still fails, up to a minute.
    pub pause: Duration,
}

/// How long is waited for a department that is reached over HTTP.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HttpBounds {
    /// For the connection, name look-up and TLS included.
    pub connect_timeout: Duration,
    /// For the answer, from the order on.
    pub answer_timeout: Duration,
    /// Idle connections that are kept.
    pub idle_connections_max: usize,
}

/// When legs leave the working store, besides when their business date is over.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Sealing {
    /// Legs in the working store beyond which the oldest leave it although their date is not over.
    pub working_legs_max: u64,
    /// Legs of one segment, to the block.
    pub segment_legs_max: u64,
}

/// Bounds of the connections to a department's host.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct HostBounds {
    /// Bounds of each connection.
    pub link: LinkBounds,
    /// Connections at once; 1 to 16.
    pub connections: usize,
    /// Orders that may wait to be written, a connection; the next is not sent.
    pub queue_max: usize,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long it may take to answer a sign-on.
    pub sign_on_timeout: Duration,
    /// Pause before connecting again: the first, doubled each time up to the second.
    pub reconnect: (Duration, Duration),
}
