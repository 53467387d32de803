//! One connection: dialled, signed on, asked for an echo when it is idle, and dialled again when it ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};

use super::host::Shared;
use super::talk::{HostIntake, HostOutlet, Line, Outgoing};
use crate::link::{self, Redial};
use crate::profile::Say;
use crate::switch::Outcome;

/// Why a connection ends that the host wants to end.
const SIGNED_OFF: &str = "the host has signed off";
/// How often it is looked whether a host that has signed off has answered what it has.
const LEAVING_EVERY: Duration = Duration::from_millis(20);

/// Keeps one connection up until `stop` turns true.
pub(super) async fn keep(shared: Arc<Shared>, slot: usize, mut stop: watch::Receiver<bool>) {
    let (first, longest) = shared.settings.bounds.reconnect;
    let mut redial = Redial::new(first, longest);
    loop {
        let why = tokio::select! {
            why = once(&shared, slot, &mut redial, stop.clone()) => why,
            // What is being dialled is of no use any more; a connection ends by itself.
            _ = stopped(&mut stop) => return,
        };
        if *stop.borrow() {
            return;
        }
        let pause = redial.pause(getrandom::u64().unwrap_or_default());
        tracing::warn!(host = %shared.settings.name, reason = %why, pause_ms = pause.as_millis(), "not connected to a department's host: dialled again");
        shared.note(why);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
    }
}

/// Long after the stop: what is on a connection has its time to end in order.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
}

/// One connection from its beginning to its end; says why it ended.
async fn once(shared: &Arc<Shared>, slot: usize, redial: &mut Redial, stop: watch::Receiver<bool>) -> String {
    let settings = &shared.settings;
    let stream = match link::dial(&settings.address, settings.source, settings.bounds.connect_timeout).await {
        Ok(stream) => stream,
        Err(error) => return format!("cannot connect: {error}"),
    };
    converse(shared, slot, stream, redial, stop).await
}

async fn converse(
    shared: &Arc<Shared>,
    slot: usize,
    stream: TcpStream,
    redial: &mut Redial,
    stop: watch::Receiver<bool>,
) -> String {
    let settings = &shared.settings;
    let (out, queue) = mpsc::channel(settings.bounds.queue_max);
    let line = Arc::new(Line::new(Arc::clone(shared), slot));
    let intake = HostIntake::new(Arc::clone(&line), out.clone());
    let outlet = HostOutlet::new(Arc::clone(&line));
    let signed_on = AtomicBool::new(false);
    let supervising = async {
        let why = supervise(&line, slot, out, stop, &signed_on).await;
        line.close(Some(why));
        link::Closed::GoingDown
    };
    let bounds = &settings.bounds.link;
    let closed = link::serve(stream, settings.framing, bounds, intake, outlet, queue, supervising).await;
    line.close(None);
    let gone = shared.awaiting().ended(line.connection);
    for (leg, reply) in gone {
        reply(leg, Outcome::Unknown);
    }
    if signed_on.load(Ordering::Relaxed) {
        redial.reset();
    }
    line.why().map_or_else(|| closed.to_string(), str::to_owned)
}

/// Signs on and opens the line for orders, until either side leaves. Ends with the reason why.
async fn supervise(
    line: &Arc<Line>,
    slot: usize,
    out: mpsc::Sender<Outgoing>,
    mut stop: watch::Receiver<bool>,
    signed_on: &AtomicBool,
) -> &'static str {
    let shared = &line.shared;
    let bounds = &shared.settings.bounds;
    let _ = out.send(Outgoing::Network(Say::SignOn)).await;
    let (mut session, mut leaving) = (line.session.subscribe(), line.session.subscribe());
    let answered =
        tokio::time::timeout(bounds.sign_on_timeout, session.wait_for(|session| session.said)).await;
    match answered.map(|said| said.map(|session| session.on)) {
        Err(_) => return "the sign-on was not answered",
        Ok(Ok(true)) => {}
        Ok(Ok(false)) => return "the sign-on was refused",
        Ok(Err(_)) => return "the connection ended",
    }
    signed_on.store(true, Ordering::Relaxed);
    tracing::info!(host = %shared.settings.name, slot, "signed on to a department's host");
    shared.set_line(slot, Some(out.clone()));
    let signed_off = tokio::select! {
        _ = leaving.wait_for(|session| !session.on) => true,
        _ = stop.wait_for(|stop| *stop) => false,
    };
    if signed_off {
        line.close(Some(SIGNED_OFF));
        answered_or_overdue(line).await;
        return SIGNED_OFF;
    }
    let _ = out.try_send(Outgoing::Network(Say::SignOff));
    "the switch is going down"
}

/// A host that signs off takes nothing more, and may still answer what it has: that is not thrown into doubt by hanging up.
async fn answered_or_overdue(line: &Line) {
    let mut often = tokio::time::interval(LEAVING_EVERY);
    while line.shared.awaiting().awaits(line.connection) {
        often.tick().await;
    }
}
