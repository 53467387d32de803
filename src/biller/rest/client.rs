//! One HTTP call, and what can be said of it when it fails: that nothing was sent, or that nobody knows.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::connect::{Connector, connector};
use super::{RestError, RestSettings};
use crate::contract::{Call, Contract};
use std::sync::Arc;

/// Largest answer that is read.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// A connection that has been idle for this long is not used again: many servers close theirs after a minute.
const IDLE: Duration = Duration::from_secs(30);

/// What came of a call.
pub(super) enum Heard {
    /// HTTP 200 with a body of the contract's type.
    Body(Bytes),
    /// Another status.
    Status(u16),
    /// Certainly nothing was sent; why.
    NotSent(&'static str),
    /// It may have arrived; why nothing is known.
    Unknown(&'static str),
}

/// Calls one department over kept connections. Its headers hold a password: no `Debug`.
pub(super) struct Client {
    pool: Pool<Connector, Full<Bytes>>,
    inquiry: Uri,
    payment: Uri,
    credentials: Option<[(HeaderName, HeaderValue); 2]>,
    contract: Arc<Contract>,
}

impl Client {
    pub(super) fn new(settings: RestSettings) -> Result<Self, RestError> {
        let RestSettings { url, contract, credentials, authorities, bounds, .. } = settings;
        let name = |name: &str| HeaderName::try_from(name).map_err(|_| RestError::Url);
        let credentials = match credentials {
            None => None,
            Some(credentials) => {
                let (username, password) = contract.credential_headers();
                let (user_value, pass_value) = credentials.headers()?;
                Some([(name(username)?, user_value), (name(password)?, pass_value)])
            }
        };
        let mut builder = Pool::builder(TokioExecutor::new());
        builder
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(bounds.idle_connections_max);
        Ok(Self {
            pool: builder.build(connector(authorities.as_deref(), bounds.connect_timeout)?),
            inquiry: behind(&url, contract.path(Call::Inquiry))?,
            payment: behind(&url, contract.path(Call::Payment))?,
            credentials,
            contract,
        })
    }

    /// Makes a call. The pool sends a request a second time only where it was given back untouched, because its kept
    /// connection turned out to be closed.
    pub(super) async fn call(&self, call: Call, body: Vec<u8>) -> Heard {
        let uri = match call {
            Call::Inquiry => self.inquiry.clone(),
            Call::Payment => self.payment.clone(),
        };
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        for (name, value) in self.credentials.iter().flatten() {
            headers.insert(name.clone(), value.clone());
        }
        let response = match self.pool.request(request).await {
            Ok(response) => response,
            // Not connected: refused, no such name, a certificate that nobody vouches for, or too slow at it.
            Err(error) if error.is_connect() => return Heard::NotSent("no connection"),
            Err(_) => return Heard::Unknown("the connection ended before the answer"),
        };
        let (head, body) = response.into_parts();
        if head.status != StatusCode::OK {
            return Heard::Status(head.status.as_u16());
        }
        let header = |name| head.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        if !header(CONTENT_TYPE).is_some_and(|content_type| self.contract.reads(content_type)) {
            return Heard::Unknown("an answer of another content type");
        }
        let told: Option<usize> = header(CONTENT_LENGTH).and_then(|length| length.parse().ok());
        if told.is_some_and(|length| length > BODY_BYTES_MAX) {
            return Heard::Unknown("an answer that is too large");
        }
        match Limited::new(body, BODY_BYTES_MAX).collect().await {
            Ok(body) => Heard::Body(body.to_bytes()),
            Err(_) => Heard::Unknown("an answer that is cut short, or too large"),
        }
    }
}

/// The department's URL with a path of the contract behind it.
fn behind(url: &Uri, path: &str) -> Result<Uri, RestError> {
    let text = format!("{}{path}", url.to_string().trim_end_matches('/'));
    text.parse().map_err(|_| RestError::Url)
}
