//! Connections to a department: in time or not at all, and over TLS only to whom its authority vouches for.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;
use tokio::net::TcpStream;
use tower_service::Service;

/// Why no TLS connection can be made.
#[derive(Debug, Error)]
pub enum TlsError {
    /// The file holds no certificate that can be read.
    #[error("there is no certificate in the authority's file, or one that cannot be read")]
    Authority,
    /// The library's own.
    #[error("TLS cannot be set up: {0}")]
    Setup(#[from] rustls::Error),
}

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Connects within a time, from the look-up of the name to the end of the TLS handshake.
#[derive(Clone)]
pub(super) struct Connector {
    inner: HttpsConnector<HttpConnector>,
    timeout: Duration,
}

/// A connector that trusts these authorities, PEM, or speaks no TLS if there are none.
pub(super) fn connector(authorities: Option<&[u8]>, timeout: Duration) -> Result<Connector, TlsError> {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_keepalive(Some(Duration::from_secs(60)));
    let mut roots = RootCertStore::empty();
    if let Some(pem) = authorities {
        for certificate in CertificateDer::pem_slice_iter(pem) {
            roots.add(certificate.map_err(|_| TlsError::Authority)?)?;
        }
        if roots.is_empty() {
            return Err(TlsError::Authority);
        }
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let builder = HttpsConnectorBuilder::new().with_tls_config(tls);
    let builder = if authorities.is_some() { builder.https_only() } else { builder.https_or_http() };
    Ok(Connector { inner: builder.enable_all_versions().wrap_connector(http), timeout })
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<TokioIo<TcpStream>>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.inner.call(uri);
        let timeout = self.timeout;
        Box::pin(async move { tokio::time::timeout(timeout, connecting).await? })
    }
}
