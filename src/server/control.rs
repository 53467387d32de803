//! The control socket's side of the switch.

use std::future::Future;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::time::timeout;

use super::ask::Input;
use super::exceptions::exception;
use super::inspect::Status;
use super::{Shared, StartError, control_socket, totals};
use crate::config::Config;
use crate::control::{
    BillerReply, Envelope, JournalRequest, LINE_BYTES_MAX, LegReply, LinkReply, PaymentReply, Reply, Request,
    StatusReply, VERSION, VerifyReply,
};
use crate::ids::{BillerCode, LinkName};
use crate::iso8583::{Mirror, decode, mask_pan};
use crate::journal::{JournalError, Store, Verified, ledger};
use crate::profile::Ours;
use crate::settle;
use crate::switch::{Operation, Resolution};
use crate::vault::{Kept, kept_fields};

/// Operators at once.
const OPERATORS_MAX: usize = 16;
/// An operator who says nothing, or takes no reply, for this long is let go.
const PATIENCE: Duration = Duration::from_secs(60);
/// Times that a journal is checked whose keys change meanwhile.
const VERIFY_TIMES: u32 = 3;

/// Makes the control socket, which only its owner may open; nobody is taken in yet.
pub(super) fn bind(config: &Config) -> Result<UnixListener, StartError> {
    let path = control_socket(&config.store);
    let failed = |source| StartError::Control { path: path.clone(), source };
    // The store's lock is ours, so that a socket that is there was left behind.
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        Ok(()) | Err(_) => {}
    }
    let listener = UnixListener::bind(&path).map_err(failed)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).map_err(failed)?;
    Ok(listener)
}

/// Takes operators in.
pub(super) fn serve(shared: &Arc<Shared>, listener: UnixListener) {
    let operators = Arc::new(Semaphore::new(OPERATORS_MAX));
    let accepting = accept(listener, Arc::clone(shared), operators);
    shared.tasks.spawn(until_down(shared.going_down.subscribe(), accepting));
}

/// Runs `work` until the switch goes down.
async fn until_down(mut going_down: watch::Receiver<bool>, work: impl Future<Output = ()> + Send) {
    tokio::select! {
        () = work => {}
        _ = going_down.wait_for(|down| *down) => {}
    }
}

async fn accept(listener: UnixListener, shared: Arc<Shared>, operators: Arc<Semaphore>) {
    loop {
        let Ok(place) = Arc::clone(&operators).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let operator = Operator { shared: Arc::clone(&shared) };
                let conversing = async move {
                    if let Err(error) = operator.converse(stream).await {
                        tracing::debug!(%error, "an operator's connection ended");
                    }
                    drop(place);
                };
                shared.tasks.spawn(until_down(shared.going_down.subscribe(), conversing));
            }
            Err(error) => {
                tracing::warn!(%error, "no operator could be taken in");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

pub(super) struct Operator {
    pub(super) shared: Arc<Shared>,
}

impl Operator {
    async fn converse(&self, stream: UnixStream) -> std::io::Result<()> {
        let (reader, mut writer) = stream.into_split();
        let mut reader = BufReader::new(reader);
        loop {
            let mut line = Vec::new();
            let mut bounded = (&mut reader).take(LINE_BYTES_MAX);
            let read = timeout(PATIENCE, bounded.read_until(b'\n', &mut line)).await??;
            if read == 0 {
                return Ok(());
            }
            // A line that was cut at its bound has no end.
            let reply = if line.ends_with(b"\n") {
                self.reply(&line).await
            } else {
                Reply::Failed(format!("a request is one line of at most {LINE_BYTES_MAX} bytes"))
            };
            let mut bytes = serde_json::to_vec(&reply).map_err(std::io::Error::other)?;
            bytes.push(b'\n');
            timeout(PATIENCE, writer.write_all(&bytes)).await??;
            if !line.ends_with(b"\n") {
                return Ok(());
            }
        }
    }

    async fn reply(&self, line: &[u8]) -> Reply {
        // The version is read first: a request of another version need not read as one of ours.
        let version = serde_json::from_slice::<serde_json::Value>(line).ok();
        let version = version.and_then(|value| value.get("version")?.as_u64());
        if version != Some(u64::from(VERSION)) {
            return Reply::Version { daemon: VERSION };
        }
        match serde_json::from_slice::<Envelope>(line) {
            Ok(envelope) => self.carry_out(envelope.request).await.unwrap_or_else(Reply::Failed),
            Err(error) => Reply::Failed(format!("not a request: {error}")),
        }
    }

    async fn carry_out(&self, request: Request) -> Result<Reply, String> {
        match request {
            Request::Status => self.status().await,
            Request::Links => self.links().await,
            Request::Echo { link } => self.echo(link).await,
            Request::Billers => self.billers().await,
            Request::Block { biller } => {
                self.known(&biller)?;
                self.operate(Operation::Block(biller)).await?;
                Ok(Reply::Done(format!(
                    "{biller} is blocked: its inquiries and payments are refused with 91"
                )))
            }
            Request::Unblock { biller } => {
                self.known(&biller)?;
                self.operate(Operation::Unblock(biller)).await?;
                Ok(Reply::Done(format!("{biller} is served again")))
            }
            Request::Cutover => {
                self.operate(Operation::CutOver).await?;
                let status = self.inspect().await?;
                Ok(Reply::Done(format!("the business date is {}", status.date)))
            }
            Request::Drain => {
                self.operate(Operation::Drain).await?;
                self.shared.drain_asked.send_replace(true);
                Ok(Reply::Done("draining: the daemon ends when nothing is in flight any more".to_owned()))
            }
            Request::Reload => self.shared.reload().await.map(Reply::Done),
            Request::Book(request) => self.book(request).await.map(Reply::Book),
            Request::Txn { rrn, stan } => {
                let find = move |store: &Store| settle::find_payments(store, rrn.as_deref(), stan.as_deref());
                let found = self.read(find).await?.map_err(|error| error.to_string())?;
                Ok(Reply::Payments(found.into_iter().map(|found| self.tell_payment(found)).collect()))
            }
            Request::Exceptions => {
                let found = self.read(ledger::exceptions).await?.map_err(|error| error.to_string())?;
                Ok(Reply::Exceptions(
                    found.into_iter().filter_map(|(leg, record)| exception(leg, record)).collect(),
                ))
            }
            Request::Resolve { leg, resolution, why } => self.resolve(leg, resolution, why).await,
            Request::Scroll { biller, date } => {
                self.known(&biller)?;
                let lines = self.read(move |store| settle::scroll(store, biller, date)).await?;
                lines.map(Reply::Scroll).map_err(|error| error.to_string())
            }
            Request::Totals { date, link } => {
                let today = self.inspect().await?.date;
                let dates = date.map_or_else(|| vec![today.previous(), today], |date| vec![date]);
                let links = totals::links(&self.shared, link)?;
                let told = self.read(move |store| totals::tell(store, &links, &dates)).await?;
                told.map(Reply::Totals).map_err(|error| error.to_string())
            }
            Request::Journal(JournalRequest::Tail { legs }) => {
                let tail = self.read(move |store| settle::tail(store, legs.into())).await?;
                let tail = tail.map_err(|error| error.to_string())?;
                Ok(Reply::Legs(
                    tail.iter().map(|(sequence, record)| LegReply::new(*sequence, record)).collect(),
                ))
            }
            Request::Journal(JournalRequest::Verify) => self.verify().await,
            Request::Journal(JournalRequest::Prune { date, archived }) => self.prune(date, archived).await,
            Request::Journal(JournalRequest::Restore { from }) => self.restore(from).await,
        }
    }

    async fn echo(&self, link: LinkName) -> Result<Reply, String> {
        let configured = self.shared.peers.config(&link);
        let configured =
            configured.ok_or_else(|| format!("no link `{link}` is configured; `ctl links` lists them"))?;
        let (asked_at, patience) = (tokio::time::Instant::now(), configured.bounds.echo_timeout);
        let told = self.shared.peers.ask(&link, Ours::Echo, &[], patience).await;
        let told = told.map_err(|silence| format!("{link}: {silence}"))?;
        let mut mirror = Mirror::new();
        let decoded = decode(configured.profile.dialect(), &told.frame, &mut mirror);
        let code = String::from_utf8_lossy(configured.profile.code_of(&decoded.message)).into_owned();
        Ok(Reply::Done(format!("{link} answered {code} within {} ms", asked_at.elapsed().as_millis())))
    }

    async fn resolve(&self, leg: u64, resolution: Resolution, why: String) -> Result<Reply, String> {
        // Whoever asks may not be a command of ours.
        let why = crate::control::why(&why)?;
        let find = move |store: &Store| ledger::record_at(store, leg);
        let none = || format!("leg {leg} is no exception; `ctl exceptions` lists them");
        let record = self.read(find).await?.map_err(|_| none())?;
        let seen = record.payment.ok_or_else(none)?;
        let key = seen.key.clone();
        tracing::warn!(leg, ?resolution, why, "the operator's word on an exception");
        let (done, resolved) = oneshot::channel();
        self.say(Input::Resolve(seen, resolution, why.into(), done)).await?;
        let refused = match resolved.await.map_err(|_| GOING_DOWN.to_owned())? {
            Ok(payment) => return Ok(Reply::Done(format!("the payment is {} now", payment.state.name()))),
            Err(refused) => refused,
        };
        let latest = self.read(move |store| ledger::latest_leg(store, &key)).await?;
        match latest.map_err(|error| error.to_string())?.filter(|latest| *latest != leg) {
            Some(latest) => Err(format!("{refused}: its latest leg is {latest}, look at it again")),
            None => Err(refused),
        }
    }

    /// A payment with its legs, and the card it was made with as far as that may be shown.
    fn tell_payment(&self, (payment, legs): settle::Found) -> PaymentReply {
        let pans =
            legs.iter().flat_map(|(_, record)| kept_fields(&record.evidence.0)).filter_map(
                |kept| match kept {
                    Kept::Pan(sealed) => self.shared.vault.open(&sealed).ok(),
                    Kept::Field { .. } => None,
                },
            );
        let card = pans.map(|pan| mask_pan(&pan).to_string()).next().unwrap_or_default();
        let legs = legs.iter().map(|(sequence, record)| LegReply::new(*sequence, record)).collect();
        PaymentReply { payment, card, legs }
    }

    /// Reads the store on a thread where that may take its time. Keys show a turn before it is on disk: what was read is told
    /// only when it is there.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Store) -> T + Send + 'static,
    ) -> Result<T, String> {
        let found = self.look(read).await;
        let (done, durable) = oneshot::channel();
        self.say(Input::Durable(done)).await?;
        durable.await.map_err(|_| GOING_DOWN.to_owned())?;
        found
    }

    /// The same of what comes from no key: it does not wait for a turn.
    async fn look<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Store) -> T + Send + 'static,
    ) -> Result<T, String> {
        let store = self.shared.store.clone();
        let found = tokio::task::spawn_blocking(move || read(&store)).await;
        found.map_err(|_| "reading the store failed".to_owned())
    }

    pub(super) fn known(&self, biller: &BillerCode) -> Result<(), String> {
        let known = self.shared.config.billers.iter().any(|known| known.code == *biller);
        known
            .then_some(())
            .ok_or_else(|| format!("no biller `{biller}` is configured; `ctl billers` lists them"))
    }

    async fn operate(&self, operation: Operation) -> Result<(), String> {
        tracing::warn!(?operation, "the operator's word");
        let (done, durable) = oneshot::channel();
        self.say(Input::Operate(operation, Some(done))).await?;
        durable.await.map_err(|_| GOING_DOWN.to_owned())
    }

    pub(super) async fn say(&self, input: Input) -> Result<(), String> {
        self.shared.urgent.send(input).await.map_err(|_| GOING_DOWN.to_owned())
    }

    pub(super) async fn inspect(&self) -> Result<Status, String> {
        let (answer, status) = oneshot::channel();
        self.say(Input::Inspect(answer)).await?;
        status.await.map_err(|_| GOING_DOWN.to_owned())
    }

    /// Reads the whole journal. It goes on when whoever asked has gone: of many of them no operator would be left a place, nor
    /// payments the disk.
    async fn verify(&self) -> Result<Reply, String> {
        let _one_at_a_time = self
            .shared
            .verifying
            .try_lock()
            .map_err(|_| "the journal is being verified: ask again when that is done")?;
        let billers: Vec<BillerCode> = self.shared.config.billers.iter().map(|biller| biller.code).collect();
        let check = move |store: &Store| {
            let verified = verify(store).map_err(|error| error.to_string())?;
            let audited = settle::audit(store, &billers).map_err(|error| error.to_string())?;
            Ok(Reply::Verified(VerifyReply::new(&verified, &audited)))
        };
        self.read(check).await?
    }

    async fn status(&self) -> Result<Reply, String> {
        let status = self.inspect().await?;
        // Numbers that come from no key: they are told also while those of a large store are still being checked.
        let health = self.look(Store::health).await?.map_err(|error| error.to_string())?;
        let uptime = jiff::Timestamp::now().duration_since(self.shared.started).as_secs();
        let (counters, days) = (&self.shared.counters, self.shared.store.sealed_days());
        let room = self.shared.signals.borrow().room;
        Ok(Reply::Status(StatusReply {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            uptime_s: u64::try_from(uptime).unwrap_or(0),
            business_date: status.date,
            draining: status.draining,
            open: status.open,
            waiting: status.waiting,
            alarms: counters.alarms.load(Relaxed),
            refused_connections: counters.refused_connections.load(Relaxed),
            last_leg: health.last_sequence,
            working_legs: health.last_sequence.saturating_sub(self.shared.store.sealed_to()),
            sealed_days: u64::try_from(days.len()).unwrap_or(u64::MAX),
            oldest_sealed_date: days.first().map(|day| day.date),
            store_bytes: health.bytes_on_disk,
            syncs: health.syncs,
            free_bytes: room.free,
            disk_low: room.low,
            unrecorded: status.unrecorded,
            blobs: health.blobs,
        }))
    }

    async fn links(&self) -> Result<Reply, String> {
        let status = self.inspect().await?;
        let links = self.shared.config.links.iter().filter_map(|link| {
            let counters = self.shared.counters.link(&link.name)?;
            let mac_key = self.shared.macs.current(&link.name);
            Some(LinkReply {
                name: link.name,
                listen: link.listen.to_string(),
                peer: link.peer.map_or_else(String::new, |peer| peer.to_string()),
                profile: self.shared.peers.config(&link.name)?.profile.name().to_owned(),
                signed_on: status.signed_on.contains(&link.name),
                connections: counters.connections.load(Relaxed),
                frames: counters.frames.load(Relaxed),
                answers: counters.answers.load(Relaxed),
                undelivered: counters.undelivered.load(Relaxed),
                unanswerable: counters.unanswerable.load(Relaxed),
                unasked: counters.unasked.load(Relaxed),
                mac_refused: counters.mac_refused.load(Relaxed),
                mac_key: mac_key.map_or_else(String::new, |key| key.check_value().to_string()),
                deaf: counters.deaf.load(Relaxed),
            })
        });
        Ok(Reply::Links(links.collect()))
    }

    async fn billers(&self) -> Result<Reply, String> {
        let status = self.inspect().await?;
        let mut replies = Vec::new();
        for biller in &self.shared.config.billers {
            let Some(counters) = self.shared.counters.biller(&biller.code) else { continue };
            let code = biller.code;
            let owing = status.owing.get(&code).copied().unwrap_or_default();
            let bills = self.read(move |store| settle::bills(store, code)).await?;
            replies.push(BillerReply {
                code: biller.code,
                name: biller.name.clone(),
                blocked: status.blocked.contains(&biller.code),
                reachable: !owing.down,
                owed: u64::try_from(owing.count).unwrap_or(u64::MAX),
                owed_oldest_ms: owing.oldest_ms,
                bills: bills.map_err(|error| error.to_string())?,
                posted: counters.posted.load(Relaxed),
                declined: counters.declined.load(Relaxed),
                reversed: counters.reversed.load(Relaxed),
                in_doubt: counters.in_doubt.load(Relaxed),
                settlement: self.shared.settlement_of(code),
                health: self.shared.adapters.get(&biller.code).map(|adapter| adapter.health()),
            });
        }
        Ok(Reply::Billers(replies))
    }
}

pub(super) const GOING_DOWN: &str = "the switch is going down";

/// Checks the journal, and once more a few times if its keys changed meanwhile: in a moment without a commit all is checked.
fn verify(store: &Store) -> Result<Verified, JournalError> {
    let mut verified = store.verify(&mut |_| {})?;
    for _ in 1..VERIFY_TIMES {
        if verified.keys.is_some() {
            break;
        }
        verified = store.verify(&mut |_| {})?;
    }
    Ok(verified)
}
