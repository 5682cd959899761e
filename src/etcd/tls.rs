//! The one place that builds TLS configuration, for the wire (rustls) and for the control plane
//! (tonic), and that says in an operator's words why an endpoint could not be reached.

use crate::target::{Target, TlsMaterial};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore,
};
use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

/// TLS material that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// No CA, and verification is not switched off.
    #[error(
        "https endpoints need --cacert FILE (or --insecure-skip-tls-verify, which accepts any server certificate)"
    )]
    NoCa,
    /// A PEM block that does not parse, or none at all.
    #[error("--{flag}: no usable PEM {what} in it: {reason}")]
    Pem {
        /// `cacert`, `cert` or `key`.
        flag: &'static str,
        /// certificate, private key.
        what: &'static str,
        /// The parser's words.
        reason: String,
    },
    /// A certificate without a key, or the other way round.
    #[error("--cert and --key go together: {missing} is missing")]
    HalfPair {
        /// The missing flag.
        missing: &'static str,
    },
    /// Key and certificate do not fit, or an unsupported key.
    #[error("--cert and --key cannot be used together: {0}")]
    Pair(String),
    /// A name that is no DNS name or address.
    #[error("server name {0:?} is neither a DNS name nor an IP address")]
    ServerName(String),
}

/// Why an endpoint could not be reached; each names the flag that helps.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    /// An endpoint that is not `http://host:port` or `https://host:port`.
    #[error(
        "endpoint {endpoint:?} is not valid ({reason}): write http://HOST:PORT or https://HOST:PORT"
    )]
    BadEndpoint { endpoint: String, reason: String },
    /// TCP failed.
    #[error("cannot reach {endpoint}: {reason}; is etcd running there, and is --endpoints right?")]
    Unreachable {
        endpoint: String,
        /// The system's words.
        reason: String,
    },
    /// Nothing answered in time.
    #[error(
        "{endpoint} did not answer within {after:?}; is it reachable, or is --dial-timeout too short?"
    )]
    Timeout {
        endpoint: String,
        /// `--dial-timeout`.
        after: Duration,
    },
    /// Plain text to a TLS port (or to something that is no etcd): closed before a word was said.
    #[error(
        "{endpoint} closed the connection at once: if it speaks TLS, write https:// and give --cacert (and \
         --cert, --key); if not, it is not an etcd"
    )]
    PlainToTls { endpoint: String },
    /// TLS to a plain-text port.
    #[error(
        "{endpoint} does not speak TLS: write http:// instead of https://, without --cacert, --cert, --key"
    )]
    TlsToPlain { endpoint: String },
    /// The server's certificate is not signed by the given CA.
    #[error(
        "the certificate of {endpoint} is not signed by the CA in --cacert: pass the CA that signed it \
         (kubeadm: /etc/kubernetes/pki/etcd/ca.crt), or --insecure-skip-tls-verify"
    )]
    UnknownCa { endpoint: String },
    /// The server's certificate has expired, or is not valid yet.
    #[error(
        "the certificate of {endpoint} {what}: renew it, or check this machine's clock, or use \
         --insecure-skip-tls-verify"
    )]
    Expired {
        endpoint: String,
        /// "has expired" or "is not valid yet".
        what: &'static str,
    },
    /// The server's certificate is for another name.
    #[error(
        "the certificate of {endpoint} is not valid for that host name{names}: use one of its names in \
         --endpoints, or pass --insecure-skip-tls-verify"
    )]
    WrongName {
        endpoint: String,
        /// " (it is for a, b)" or empty.
        names: String,
    },
    /// The server wants a client certificate and none was given.
    #[error(
        "{endpoint} requires a client certificate: give --cert and --key (kubeadm: \
         /etc/kubernetes/pki/apiserver-etcd-client.crt and .key)"
    )]
    NoClientCertificate { endpoint: String },
    /// The server did not accept the client certificate.
    #[error(
        "{endpoint} rejected the client certificate in --cert ({reason}): it must be unexpired and signed by \
         the CA that etcd trusts (--trusted-ca-file)"
    )]
    ClientCertificateRejected {
        endpoint: String,
        /// The TLS alert.
        reason: String,
    },
    /// Any other TLS failure.
    #[error("TLS with {endpoint} failed: {reason}; check --cacert, --cert and --key")]
    Tls {
        endpoint: String,
        /// rustls' words.
        reason: String,
    },
    /// Something else answers there.
    #[error("{endpoint} is not an etcd: {reason}; is --endpoints the client port (2379)?")]
    NotEtcd {
        endpoint: String,
        /// What was seen.
        reason: String,
    },
    /// The given material is no good.
    #[error(transparent)]
    Material(#[from] TlsError),
}

/// The rustls configuration for some material: ALPN `h2`, ring, TLS 1.2 and 1.3.
///
/// # Errors
/// When a PEM does not parse, a CA or half of a pair is missing, or key and certificate do not fit.
pub fn rustls_config(tls: &TlsMaterial) -> Result<Arc<ClientConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| TlsError::Pair(e.to_string()))?;
    let builder = if tls.insecure_skip_verify {
        builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyServer))
    } else {
        builder.with_root_certificates(roots(tls)?)
    };
    let mut config = match client_pair(tls)? {
        Some((chain, key)) => builder
            .with_client_auth_cert(chain, key)
            .map_err(|e| TlsError::Pair(e.to_string()))?,
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

fn roots(tls: &TlsMaterial) -> Result<RootCertStore, TlsError> {
    let pem = tls.ca.as_deref().ok_or(TlsError::NoCa)?;
    let mut roots = RootCertStore::empty();
    for cert in certificates("cacert", pem)? {
        roots
            .add(cert)
            .map_err(|e| bad_pem("cacert", "certificate", &e))?;
    }
    Ok(roots)
}

type Pair = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn client_pair(tls: &TlsMaterial) -> Result<Option<Pair>, TlsError> {
    match (&tls.cert, &tls.key) {
        (None, None) => Ok(None),
        (Some(_), None) => Err(TlsError::HalfPair { missing: "--key" }),
        (None, Some(_)) => Err(TlsError::HalfPair { missing: "--cert" }),
        (Some(cert), Some(key)) => {
            let key = PrivateKeyDer::from_pem_slice(key)
                .map_err(|e| bad_pem("key", "private key", &e))?;
            Ok(Some((certificates("cert", cert)?, key)))
        }
    }
}

fn certificates(flag: &'static str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certs: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .map_err(|e| bad_pem(flag, "certificate", &e))?;
    if certs.is_empty() {
        return Err(bad_pem(flag, "certificate", &"no CERTIFICATE block"));
    }
    Ok(certs)
}

fn bad_pem(flag: &'static str, what: &'static str, reason: &dyn ToString) -> TlsError {
    TlsError::Pem {
        flag,
        what,
        reason: reason.to_string(),
    }
}

/// Accepts any server, as `--insecure-skip-tls-verify` says.
#[derive(Debug)]
struct AnyServer;

impl ServerCertVerifier for AnyServer {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = rustls::crypto::ring::default_provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        rustls::crypto::ring::default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// A connected tonic channel to one endpoint, for control-plane calls, watches and etcd-client's
/// `Client::from_channel`. The endpoint is probed first, since tonic hides why a connection failed
/// and TLS 1.3 tells of a missing client certificate only at the first read.
///
/// # Errors
/// A [`DialError`] that names the remedy.
pub async fn channel(
    target: &Target,
    endpoint: &str,
) -> Result<tonic::transport::Channel, DialError> {
    crate::etcd::wire::probe(target, endpoint).await?;
    let tls = target.tls.clone().unwrap_or_default();
    tonic_endpoint(endpoint, &tls, target.dial_timeout)?
        .connect()
        .await
        .map_err(|e| explain(endpoint, &tls, target.dial_timeout, &e))
}

/// The tonic endpoint for some material, with a keepalive that gives up a member that hangs (etcd allows a ping in 5 s).
///
/// # Errors
/// When the endpoint or the material cannot be used.
pub fn tonic_endpoint(
    endpoint: &str,
    tls: &TlsMaterial,
    dial_timeout: Duration,
) -> Result<tonic::transport::Endpoint, DialError> {
    use tonic::transport::{Certificate, ClientTlsConfig, Endpoint, Identity};
    let bad = |e: &dyn ToString| DialError::BadEndpoint {
        endpoint: endpoint.to_owned(),
        reason: e.to_string(),
    };
    let plan = Endpoint::from_shared(endpoint.to_owned())
        .map_err(|e| bad(&e))?
        .user_agent(concat!("etcdmark/", env!("CARGO_PKG_VERSION")))
        .map_err(|e| bad(&e))?
        .connect_timeout(dial_timeout)
        .http2_keep_alive_interval(Duration::from_secs(6))
        .keep_alive_timeout(Duration::from_secs(4))
        .initial_stream_window_size(16 << 20)
        .initial_connection_window_size(64 << 20);
    if !endpoint.starts_with("https://") {
        return Ok(plan);
    }
    // tonic would report the same faults later and without the flag.
    rustls_config(tls)?;
    let mut config = ClientTlsConfig::new();
    if let Some(name) = &tls.server_name {
        config = config.domain_name(name.clone());
    }
    if let (Some(cert), Some(key)) = (&tls.cert, &tls.key) {
        config = config.identity(Identity::from_pem(cert, key));
    }
    if tls.insecure_skip_verify {
        plan.tls_config_with_verifier(config, Arc::new(AnyServer))
            .map_err(|e| bad(&e))
    } else {
        let ca = tls.ca.as_deref().ok_or(TlsError::NoCa)?;
        plan.tls_config(config.ca_certificate(Certificate::from_pem(ca)))
            .map_err(|e| bad(&e))
    }
}

/// Why dialling failed, from whatever the IO, TLS or HTTP/2 layer reported.
pub fn explain(
    endpoint: &str,
    tls: &TlsMaterial,
    dial_timeout: Duration,
    error: &(dyn StdError + 'static),
) -> DialError {
    let endpoint_owned = || endpoint.to_owned();
    let mut next = Some(error);
    let mut root = error.to_string();
    while let Some(e) = next {
        if let Some(e) = e.downcast_ref::<rustls::Error>() {
            return explain_tls(endpoint, tls, e);
        }
        if let Some(io) = e.downcast_ref::<std::io::Error>() {
            // io::Error hides a custom inner error from source().
            if let Some(inner) = io.get_ref() {
                if let Some(e) = inner.downcast_ref::<rustls::Error>() {
                    return explain_tls(endpoint, tls, e);
                }
            } else {
                return explain_io(endpoint, dial_timeout, io);
            }
        }
        root = e.to_string();
        next = e.source();
    }
    // h2 keeps only the text of an error that it hands to several streams.
    if let Some((_, said)) = root.split_once("received fatal alert: ") {
        let named = |a: &&AlertDescription| said.starts_with(&format!("{a:?}"));
        if let Some(alert) = CERTIFICATE_ALERTS.iter().find(named) {
            return explain_tls(endpoint, tls, &rustls::Error::AlertReceived(*alert));
        }
    }
    // A plain-text etcd hangs up on a ClientHello, at times before it has said a word.
    if root.contains("tls handshake eof") {
        return DialError::TlsToPlain {
            endpoint: endpoint_owned(),
        };
    }
    DialError::Unreachable {
        endpoint: endpoint_owned(),
        reason: root,
    }
}

fn explain_io(endpoint: &str, after: Duration, e: &std::io::Error) -> DialError {
    use std::io::ErrorKind as K;
    let endpoint = endpoint.to_owned();
    match e.kind() {
        K::TimedOut => DialError::Timeout { endpoint, after },
        K::UnexpectedEof | K::ConnectionReset | K::BrokenPipe
            if endpoint.starts_with("http://") =>
        {
            DialError::PlainToTls { endpoint }
        }
        _ => DialError::Unreachable {
            endpoint,
            reason: e.to_string(),
        },
    }
}

fn explain_tls(endpoint: &str, tls: &TlsMaterial, e: &rustls::Error) -> DialError {
    let endpoint = endpoint.to_owned();
    match e {
        rustls::Error::InvalidMessage(_) => DialError::TlsToPlain { endpoint },
        rustls::Error::InvalidCertificate(c) => explain_certificate(endpoint, c),
        rustls::Error::AlertReceived(alert) if is_about_client_certificate(*alert) => {
            if tls.cert.is_none() {
                DialError::NoClientCertificate { endpoint }
            } else {
                DialError::ClientCertificateRejected {
                    endpoint,
                    reason: format!("{alert:?}"),
                }
            }
        }
        other => DialError::Tls {
            endpoint,
            reason: other.to_string(),
        },
    }
}

fn explain_certificate(endpoint: String, e: &CertificateError) -> DialError {
    match e {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            DialError::UnknownCa { endpoint }
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => DialError::Expired {
            endpoint,
            what: "has expired",
        },
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            DialError::Expired {
                endpoint,
                what: "is not valid yet",
            }
        }
        CertificateError::NotValidForName => DialError::WrongName {
            endpoint,
            names: String::new(),
        },
        CertificateError::NotValidForNameContext { presented, .. } => {
            let names = if presented.is_empty() {
                String::new()
            } else {
                format!(" (it is for {})", presented.join(", "))
            };
            DialError::WrongName { endpoint, names }
        }
        other => DialError::Tls {
            endpoint,
            reason: other.to_string(),
        },
    }
}

/// What a server says of a client certificate.
const CERTIFICATE_ALERTS: [AlertDescription; 9] = [
    AlertDescription::CertificateRequired,
    AlertDescription::BadCertificate,
    AlertDescription::UnsupportedCertificate,
    AlertDescription::CertificateRevoked,
    AlertDescription::CertificateExpired,
    AlertDescription::CertificateUnknown,
    AlertDescription::UnknownCA,
    AlertDescription::NoCertificate,
    AlertDescription::AccessDenied,
];

fn is_about_client_certificate(alert: AlertDescription) -> bool {
    CERTIFICATE_ALERTS.contains(&alert)
}
