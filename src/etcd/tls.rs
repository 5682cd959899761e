//! The one place that builds TLS configuration, and that says in an operator's words why an endpoint could not be
//! reached.

mod certificate;
mod fault;
mod material;
mod server;

pub(crate) use fault::rejected;
pub use fault::{DialError, explain};
pub use material::TlsError;
pub use server::CertificateFault;

use crate::target::TlsMaterial;
use rustls::ClientConfig;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::ServerName;
use rustls::sign::SingleCertAndKey;
use server::{AnyServer, KnownServer};
use std::sync::Arc;

/// The rustls configuration for some material: ALPN `h2`, aws-lc, TLS 1.2 and 1.3.
///
/// # Errors
/// When a PEM does not parse, there is no CA, half of a pair is missing, or key and certificate do not fit.
pub fn rustls_config(tls: &TlsMaterial) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier: Arc<dyn ServerCertVerifier> = if tls.insecure_skip_verify {
        Arc::new(AnyServer)
    } else {
        let (trusted, trust) = material::trusted(tls)?;
        Arc::new(KnownServer::new(trusted, trust, &provider).map_err(TlsError::Setup)?)
    };
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| TlsError::Setup(e.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let mut config = match material::client_pair(tls)? {
        Some(pair) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(pair))),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(Arc::new(config))
}

/// The name that the server's certificate is verified for: `server_name`, or the endpoint's host.
///
/// # Errors
/// When it is neither a DNS name nor an address.
pub fn server_name(tls: &TlsMaterial, host: &str) -> Result<ServerName<'static>, TlsError> {
    let name = tls.server_name.as_deref().unwrap_or(host);
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    ServerName::try_from(bare.to_owned()).map_err(|_| TlsError::ServerName(name.to_owned()))
}
