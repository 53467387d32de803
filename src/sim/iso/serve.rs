//! The simulated host on the wire.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::task::{AbortHandle, JoinSet};

use super::Books;
use crate::bounds::LinkBounds;
use crate::iso8583::{Framing, Message, Mirror, Seal, decode};
use crate::link::{self, Closed, Intake, Outlet};
use crate::profile::{MacSeen, Profile};
use crate::sim::rest::faults::{Calls, Faults};
use crate::sim::rest::{Fault, FaultRule};
use crate::switch::{Answer, Digest, Reason, Request};
use crate::vault::{MacKey, with_seal};

/// Answers that may wait to be written, a connection.
const WAITING_MAX: usize = 4096;
/// Room for each wait of a connection: a simulated host is patient.
const PATIENCE: Duration = Duration::from_secs(600);
/// Pause after a connection could not be taken in.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How a host is served.
pub struct Settings {
    /// Where; port 0 takes a free one.
    pub listen: SocketAddr,
    /// What it speaks.
    pub profile: Arc<Profile>,
    /// How its frames stand on a connection.
    pub framing: Framing,
    /// What messages get their MACs by, and requests are judged by; none if they have none.
    pub key: Option<MacKey>,
    /// What goes wrong.
    pub faults: Vec<FaultRule>,
    /// Draws the faults that strike at a rate.
    pub seed: u64,
}

/// A host that is served; its connections end when it is dropped.
pub struct Host {
    /// Where.
    pub address: SocketAddr,
    serving: AbortHandle,
}

impl Drop for Host {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

struct Shared {
    books: Arc<Books>,
    profile: Arc<Profile>,
    framing: Framing,
    key: Option<MacKey>,
    faults: Faults,
}

impl Host {
    /// Serves a host with these books.
    ///
    /// # Errors
    ///
    /// Whatever keeps the address from being listened on.
    pub async fn serve(books: Arc<Books>, settings: Settings) -> std::io::Result<Self> {
        let Settings { listen, profile, framing, key, faults, seed } = settings;
        let listener = link::listen(listen)?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { books, profile, framing, key, faults: Faults::new(faults, seed) });
        let serving = tokio::spawn(accept(listener, shared)).abort_handle();
        Ok(Self { address, serving })
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Connections end with the host.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                // Let go of, it is closed.
                Ok(_) if shared.faults.refuse() => {}
                Ok((stream, _)) => {
                    connections.spawn(converse(stream, Arc::clone(&shared)));
                }
                // No descriptor is left, say: whoever dials waits until one is.
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn converse(stream: TcpStream, shared: Arc<Shared>) {
    let (answers, queue) = mpsc::channel(WAITING_MAX);
    let end = Arc::new(Notify::new());
    let intake = Desk { shared: Arc::clone(&shared), answers, end: Arc::clone(&end), calls: JoinSet::new() };
    let bounds = LinkBounds {
        frame_bytes_max: 9999,
        frame_timeout: PATIENCE,
        write_timeout: PATIENCE,
        idle_echo: None,
        echo_timeout: PATIENCE,
        idle_timeout: PATIENCE,
        in_flight_max: 1024,
        unanswerable_max: 1,
        connections_max: 1,
    };
    let ended = async {
        end.notified().await;
        link::Closed::GoingDown
    };
    let _ = link::serve(stream, shared.framing, &bounds, intake, Pen, queue, ended).await;
}

/// Takes requests in; each is worked on by itself, so that one that hangs holds up nobody.
struct Desk {
    shared: Arc<Shared>,
    answers: mpsc::Sender<BytesMut>,
    end: Arc<Notify>,
    /// End with the connection.
    calls: JoinSet<()>,
}

impl Intake for Desk {
    async fn frame(&mut self, frame: Bytes) -> Result<(), Closed> {
        while self.calls.try_join_next().is_some() {}
        let call = Call { shared: Arc::clone(&self.shared), frame };
        let (answers, end) = (self.answers.clone(), Arc::clone(&self.end));
        self.calls.spawn(async move { call.carry_out(&answers, &end).await });
        Ok(())
    }

    fn echo(&mut self) {}
}

/// Writes answers, which are frames already.
struct Pen;

impl Outlet for Pen {
    type Answer = BytesMut;

    fn write(&mut self, answer: &BytesMut, out: &mut BytesMut) {
        out.extend_from_slice(answer);
    }
}

struct Call {
    shared: Arc<Shared>,
    frame: Bytes,
}

impl Call {
    async fn carry_out(self, answers: &mpsc::Sender<BytesMut>, end: &Notify) {
        let Some(request) = self.request() else { return };
        let fault = self.strikes(&request);
        if fault == Some(Fault::Reset) {
            return end.notify_one();
        } else if fault == Some(Fault::Hang) {
            return std::future::pending().await;
        } else if let Some(Fault::Delay(span)) = fault {
            tokio::time::sleep(span).await;
        }
        let wrong_amount = fault == Some(Fault::WrongAmount);
        // A code that is drawn says that nothing was done, and so it is.
        let answer = match fault {
            Some(Fault::Code(_)) => Some(Answer::plain(Reason::Internal)),
            Some(_) | None => self.answer(&request, wrong_amount).await,
        };
        let Some(answer) = answer else { return };
        if fault == Some(Fault::Drop) {
            return end.notify_one();
        } else if let Some(Fault::Late(span)) = fault {
            tokio::time::sleep(span).await;
        }
        let code = if let Some(Fault::Code(code)) = fault { Some(code) } else { None };
        let Some(mut frame) = self.framed(&answer, code, wrong_amount) else { return };
        if fault == Some(Fault::Garbage) {
            let last = frame.len().saturating_sub(1);
            // The last byte stays: it may be what ends the frame.
            if let Some(middle) = frame.get_mut(last / 2..last) {
                middle.fill(b'?');
            }
        } else if fault == Some(Fault::Cut) {
            frame.truncate(frame.len() / 2);
            let _ = answers.send(frame).await;
            return end.notify_one();
        } else if fault == Some(Fault::Duplicate) {
            let _ = answers.send(frame.clone()).await;
        }
        let _ = answers.send(frame).await;
    }

    fn request(&self) -> Option<Request> {
        let mut mirror = Mirror::new();
        let decoded = decode(self.shared.profile.dialect(), &self.frame, &mut mirror);
        let link = "host".parse().unwrap_or_default();
        let request = self.shared.profile.request(&decoded, link, |_| Digest::default()).ok()?.request;
        Some(match self.mac_fault(&decoded.message) {
            None => request,
            Some((reason, bad_field)) => {
                Request::Refused { reason, bad_field, network: request.is_of_the_network() }
            }
        })
    }

    /// What is wrong with a request's MAC, if anything.
    fn mac_fault(&self, message: &Message<'_, '_>) -> Option<(Reason, Option<u8>)> {
        let key = self.shared.key.as_ref()?;
        match self.shared.profile.mac_of(message, self.shared.framing) {
            MacSeen::NotDue => None,
            MacSeen::There(covered, sent) if key.fits(&covered, &sent) => None,
            MacSeen::There(..) => Some((Reason::MacWrong, None)),
            MacSeen::Missing(field) => Some((Reason::Malformed, Some(field))),
        }
    }

    fn strikes(&self, request: &Request) -> Option<Fault> {
        let strike = |calls, consumer: &str| self.shared.faults.strike_on(calls, consumer);
        match request {
            Request::Inquiry(bill) => strike(Calls::Inquiry, &bill.consumer),
            Request::Payment(payment) | Request::Advice(payment) => {
                strike(Calls::Payment, &payment.bill.consumer)
            }
            Request::Reversal(_) => strike(Calls::Reversal, ""),
            Request::SignOn
            | Request::SignOff
            | Request::Echo
            | Request::CutOver { .. }
            | Request::ChangeKey(_)
            | Request::Totals(_)
            | Request::Refused { .. } => None,
        }
    }

    async fn answer(&self, request: &Request, wrong_amount: bool) -> Option<Answer> {
        let books = &self.shared.books;
        match request {
            Request::Inquiry(bill) => Some(books.look_up(bill, wrong_amount)),
            Request::Payment(payment) | Request::Advice(payment) => books.post(payment).await,
            Request::Reversal(reversal) => books.undo(reversal).await,
            Request::Refused { reason, bad_field, .. } => {
                Some(Answer { bad_field: *bad_field, ..Answer::plain(*reason) })
            }
            Request::SignOn | Request::SignOff | Request::Echo | Request::CutOver { .. } => {
                Some(Answer::plain(Reason::Approved))
            }
            // It keeps none of either.
            Request::ChangeKey(_) | Request::Totals(_) => Some(Answer::plain(Reason::Unsupported)),
        }
    }

    /// The answer as a frame, with another response code or another amount if one is given.
    fn framed(&self, answer: &Answer, code: Option<u8>, wrong_amount: bool) -> Option<BytesMut> {
        let Shared { framing, key, .. } = &*self.shared;
        with_seal(key.as_ref(), *framing, |seal| self.sealed(answer, code, wrong_amount, seal))
    }

    fn sealed(
        &self,
        answer: &Answer,
        code: Option<u8>,
        wrong_amount: bool,
        seal: Option<&Seal<'_>>,
    ) -> Option<BytesMut> {
        let Shared { profile, framing, .. } = &*self.shared;
        let (mut mirror, mut out) = (Mirror::new(), BytesMut::new());
        let decoded = decode(profile.dialect(), &self.frame, &mut mirror);
        let start = framing.open(&mut out);
        profile.answer_sealed(&decoded.message, answer, seal, &mut out).ok()?;
        if code.is_some() || (wrong_amount && !matches!(answer.about, crate::switch::About::Bill(_))) {
            let changed = {
                let mut mirror = Mirror::new();
                let said = decode(profile.dialect(), out.get(start..)?, &mut mirror);
                profile.altered(&said.message, code, wrong_amount, seal)?
            };
            out.truncate(start);
            out.extend_from_slice(&changed);
        }
        framing.close(&mut out, start).ok()?;
        Some(out)
    }
}
