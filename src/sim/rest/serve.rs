//! The simulated department on the wire.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::channel::{Channel, Sender};
use http_body_util::{BodyExt, Either, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use serde_json::Value;
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

use super::faults::{Fault, Faults};
use super::office::code;
use super::{FaultRule, Office};

/// Largest request that is read.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// How long a call hangs that does.
const HANG: Duration = Duration::from_secs(3600);
/// How much too large an answer is that is.
const HUGE_BYTES: usize = 1 << 20;

/// How a department is served.
pub struct Settings {
    /// Where; port 0 takes a free one.
    pub listen: SocketAddr,
    /// User name and password that are asked for; any will do if none.
    pub credentials: Option<(String, String)>,
    /// TLS, if it is spoken.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// What goes wrong.
    pub faults: Vec<FaultRule>,
    /// Draws the faults that strike at a rate.
    pub seed: u64,
}

/// A department that is served; its connections end when it is dropped.
pub struct Department {
    /// Where.
    pub address: SocketAddr,
    serving: AbortHandle,
}

/// The connection is to end without another word.
#[derive(Clone, Copy, Debug, Error)]
#[error("a fault: the connection ends")]
struct Gone;

type Body = Either<Full<Bytes>, Channel<Bytes, Gone>>;

struct Shared {
    office: Arc<Office>,
    credentials: Option<(String, String)>,
    faults: Faults,
}

impl Department {
    /// Serves an office.
    ///
    /// # Errors
    ///
    /// Whatever keeps the address from being listened on.
    pub async fn serve(office: Arc<Office>, settings: Settings) -> std::io::Result<Self> {
        let Settings { listen, credentials, tls, faults, seed } = settings;
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared { office, credentials, faults: Faults::new(faults, seed) });
        let serving = tokio::spawn(accept(listener, tls.map(TlsAcceptor::from), shared)).abort_handle();
        Ok(Self { address, serving })
    }
}

impl Drop for Department {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    // Dropped with this task, and every connection with it.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) if shared.faults.refuse() => {
                    // Closed like this it is reset.
                    let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
                }
                Ok((stream, _)) => {
                    let _ = stream.set_nodelay(true);
                    connections.spawn(connection(stream, tls.clone(), Arc::clone(&shared)));
                }
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { answer(&shared, request).await }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new());
    // How a connection ends is the other side's business.
    match tls {
        None => drop(builder.serve_connection(TokioIo::new(stream), service).await),
        Some(tls) => {
            if let Ok(stream) = tls.accept(stream).await {
                drop(builder.serve_connection(TokioIo::new(stream), service).await);
            }
        }
    }
}

async fn answer(shared: &Shared, request: Request<Incoming>) -> Result<Response<Body>, Gone> {
    let (head, body) = request.into_parts();
    let inquiry = head.uri.path().ends_with("/BillInquiry");
    if head.method != Method::POST || !(inquiry || head.uri.path().ends_with("/BillPayment")) {
        return Ok(status(StatusCode::NOT_FOUND));
    }
    if !shared.knows(&head.headers) {
        return Ok(status(StatusCode::UNAUTHORIZED));
    }
    let Ok(body) = Limited::new(body, BODY_BYTES_MAX).collect().await else { return Err(Gone) };
    let Ok(request) = serde_json::from_slice::<Value>(&body.to_bytes()) else {
        return Ok(status(StatusCode::BAD_REQUEST));
    };
    let consumer = request.get("consumer_number").and_then(Value::as_str).unwrap_or_default().to_owned();
    let fault = shared.faults.strike(inquiry, &consumer);
    match fault {
        Some(Fault::Reset | Fault::Refuse) => return Err(Gone),
        Some(Fault::Hang) => {
            tokio::time::sleep(HANG).await;
            return Err(Gone);
        }
        Some(Fault::Status(http)) => {
            return Ok(status(StatusCode::from_u16(http).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)));
        }
        Some(Fault::Code(told)) => return Ok(json(&code(&format!("{told:02}")))),
        Some(
            Fault::Drop
            | Fault::Cut
            | Fault::Delay(_)
            | Fault::Late(_)
            | Fault::Slow(_)
            | Fault::Garbage
            | Fault::Html
            | Fault::Huge
            | Fault::StatusAfter(_)
            | Fault::Duplicate
            | Fault::WrongAmount,
        )
        | None => {}
    }
    let wrong = fault == Some(Fault::WrongAmount);
    let delay = if let Some(Fault::Delay(span)) = fault { span } else { Duration::ZERO };
    let said = if inquiry {
        tokio::time::sleep(delay).await;
        shared.office.inquiry(&request, wrong).await
    } else {
        // It is carried out even if the other side has gone meanwhile, as at any department.
        let office = Arc::clone(&shared.office);
        let carried_out = tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            office.payment(&request, wrong).await
        });
        carried_out.await.ok().flatten()
    };
    let mut said = said.ok_or(Gone)?;
    if let (Some(Fault::Duplicate), Some(object)) = (fault, said.as_object_mut()) {
        object.insert("response_Code".to_owned(), Value::from("03"));
    }
    spoilt(&said, fault).await
}

/// The answer, as the fault lets it through.
async fn spoilt(said: &Value, fault: Option<Fault>) -> Result<Response<Body>, Gone> {
    let text = Bytes::from(said.to_string());
    Ok(match fault {
        Some(Fault::Drop) => return Err(Gone),
        Some(Fault::Late(span)) => {
            tokio::time::sleep(span).await;
            json(said)
        }
        Some(Fault::Cut) => {
            let (sender, body) = Channel::new(1);
            tokio::spawn(half(sender, text));
            typed(Either::Right(body), "application/json")
        }
        Some(Fault::Slow(apart)) => {
            let (sender, body) = Channel::new(1);
            tokio::spawn(slowly(sender, text, apart));
            typed(Either::Right(body), "application/json")
        }
        Some(Fault::Garbage) => {
            typed(full(Bytes::from_static(b"{\"response_Code\":\"0")), "application/json")
        }
        Some(Fault::Html) => typed(full(text), "text/html"),
        Some(Fault::Huge) => typed(full(Bytes::from(vec![b' '; HUGE_BYTES])), "application/json"),
        Some(Fault::StatusAfter(http)) => {
            status(StatusCode::from_u16(http).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        }
        Some(
            Fault::Refuse
            | Fault::Reset
            | Fault::Hang
            | Fault::Delay(_)
            | Fault::Status(_)
            | Fault::Code(_)
            | Fault::Duplicate
            | Fault::WrongAmount,
        )
        | None => json(said),
    })
}

async fn half(mut sender: Sender<Bytes, Gone>, text: Bytes) {
    let half = text.len().checked_div(2).unwrap_or(0);
    let _ = sender.send_data(text.slice(..half)).await;
    sender.abort(Gone);
}

async fn slowly(mut sender: Sender<Bytes, Gone>, text: Bytes, apart: Duration) {
    for at in 0..text.len() {
        tokio::time::sleep(apart).await;
        if sender.send_data(text.slice(at..=at)).await.is_err() {
            return;
        }
    }
}

impl Shared {
    fn knows(&self, headers: &HeaderMap) -> bool {
        let Some((username, password)) = &self.credentials else { return true };
        let told = |name: &str| headers.get(name).map(HeaderValue::as_bytes);
        told("username") == Some(username.as_bytes()) && told("password") == Some(password.as_bytes())
    }
}

fn full(bytes: Bytes) -> Body {
    Either::Left(Full::new(bytes))
}

fn json(said: &Value) -> Response<Body> {
    typed(full(Bytes::from(said.to_string())), "application/json")
}

fn typed(body: Body, content_type: &'static str) -> Response<Body> {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

fn status(status: StatusCode) -> Response<Body> {
    let mut response = json(&Value::Null);
    *response.status_mut() = status;
    response
}
