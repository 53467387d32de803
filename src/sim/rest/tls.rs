//! TLS of the simulated department.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, crypto};
use thiserror::Error;

/// Why TLS cannot be spoken.
#[derive(Debug, Error)]
pub enum ServerTlsError {
    /// The certificate or the key cannot be read.
    #[error("certificate and key are PEM files: {0}")]
    Pem(#[from] rustls::pki_types::pem::Error),
    /// They cannot be used.
    #[error("certificate and key: {0}")]
    Tls(#[from] rustls::Error),
}

/// Speaks TLS with this certificate chain and key, both PEM.
///
/// # Errors
///
/// [`ServerTlsError`].
pub fn server_tls(chain: &[u8], key: &[u8]) -> Result<Arc<ServerConfig>, ServerTlsError> {
    let chain = CertificateDer::pem_slice_iter(chain).collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(key)?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
