//! Why an endpoint could not be reached, in an operator's words.

use super::certificate::{Certificate, date};
use super::material::{self, TlsError};
use super::server::CertificateFault;
use crate::target::{Pem, TlsMaterial};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{AlertDescription, CertificateError, PeerIncompatible};
use std::error::Error as StdError;
use std::time::Duration;

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
    /// The server's certificate is not to be trusted.
    #[error(
        "the certificate of {endpoint} {fault}; to see it: {}",
        shown(endpoint)
    )]
    Certificate {
        endpoint: String,
        fault: CertificateFault,
    },
    /// The server wants a client certificate and none was given.
    #[error(
        "{endpoint} requires a client certificate: give --cert and --key (kubeadm: \
         /etc/kubernetes/pki/apiserver-etcd-client.crt and .key)"
    )]
    NoClientCertificate { endpoint: String },
    /// The server did not accept the client certificate.
    #[error("{endpoint} rejected the client certificate in {cert}: {reason}")]
    ClientCertificateRejected {
        endpoint: String,
        /// Flag and path.
        cert: String,
        /// What is wrong with it as far as it can be told from here, and what helps.
        reason: String,
    },
    /// Any other TLS failure.
    #[error(
        "TLS with {endpoint} failed: {reason}; to see it: openssl s_client -connect {}",
        host(endpoint)
    )]
    Tls {
        endpoint: String,
        /// In an operator's words.
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
        if let Some(e) = e.downcast_ref::<DialError>() {
            return e.clone();
        }
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
    use rustls::Error as E;
    let endpoint = endpoint.to_owned();
    let reason = match e {
        E::InvalidMessage(_) => return DialError::TlsToPlain { endpoint },
        E::InvalidCertificate(c) => {
            let known = match c {
                CertificateError::Other(other) => other.0.downcast_ref::<CertificateFault>(),
                _ => None,
            };
            let fault = known.cloned().unwrap_or(CertificateFault::Malformed);
            return DialError::Certificate { endpoint, fault };
        }
        E::AlertReceived(alert) if CERTIFICATE_ALERTS.contains(alert) => {
            return match &tls.cert {
                None => DialError::NoClientCertificate { endpoint },
                Some(cert) => rejected(endpoint, cert, Some(*alert)),
            };
        }
        E::AlertReceived(AlertDescription::ProtocolVersion)
        | E::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => "it speaks neither TLS 1.2 nor 1.3",
        E::AlertReceived(
            AlertDescription::HandshakeFailure | AlertDescription::InsufficientSecurity,
        )
        | E::PeerIncompatible(_) => {
            "no cipher suite or kind of signature suits both sides: look at etcd's --cipher-suites and at the kind of \
             key in its certificate (ECDSA, Ed25519, or RSA of 2048 bits or more)"
        }
        E::NoApplicationProtocol | E::AlertReceived(AlertDescription::NoApplicationProtocol) => {
            "it speaks TLS, but not HTTP/2, so it is not an etcd's client port"
        }
        E::AlertReceived(AlertDescription::UnrecognisedName) => {
            "it serves no such host name: use the name in its certificate"
        }
        E::AlertReceived(_) => "it ended the handshake: its log says why",
        _ => {
            "it breaks the rules of TLS, so it is not an etcd, or something between here and there interferes"
        }
    };
    let reason = reason.to_owned();
    DialError::Tls { endpoint, reason }
}

/// A client certificate that etcd did not accept; its alert tells little, so the certificate itself is looked at too.
pub(crate) fn rejected(endpoint: String, pem: &Pem, alert: Option<AlertDescription>) -> DialError {
    use AlertDescription as A;
    let file = material::path(pem);
    let read = CertificateDer::from_pem_slice(&pem.bytes).ok();
    let read = read.and_then(|c| Certificate::read(&c));
    let now = i64::try_from(crate::clock::unix_now() / crate::clock::SECOND).unwrap_or(i64::MAX);
    let trust = || {
        format!(
            "it must be signed by the CA that etcd trusts; to see whether it is: openssl verify -CAfile \
             TRUSTED_CA_FILE {file} (with the file of etcd's --trusted-ca-file)"
        )
    };
    let show = format!("to see it: openssl x509 -in {file} -noout -text");
    let reason = match (read, alert) {
        (Some(c), _) if c.not_after < now => {
            format!("it has expired on {}; renew it; {show}", date(c.not_after))
        }
        (Some(c), _) if c.not_before > now => {
            format!("it is not valid before {}; {show}", date(c.not_before))
        }
        (Some(c), _) if !c.for_clients => {
            format!("it is not for a client (its extended key usage lacks clientAuth); {show}")
        }
        (_, Some(A::CertificateExpired)) => {
            format!("it has expired by the clock of etcd's machine; {show}")
        }
        (_, Some(A::CertificateRevoked)) => format!("it is revoked; {show}"),
        (_, Some(A::CertificateRequired)) => {
            format!("etcd takes no key of this kind; {show}")
        }
        (_, Some(A::AccessDenied)) => {
            "etcd's --client-cert-allowed-cn or --client-cert-allowed-hostname does not allow it"
                .to_owned()
        }
        (Some(c), _) => format!("its issuer is {}; {}", c.issuer, trust()),
        (None, _) => trust(),
    };
    DialError::ClientCertificateRejected {
        endpoint,
        cert: pem.to_string(),
        reason,
    }
}

/// `10.0.0.1:2379`.
fn host(endpoint: &str) -> &str {
    endpoint
        .split_once("://")
        .map_or(endpoint, |(_, host)| host)
}

/// The line that shows a server's certificate.
fn shown(endpoint: &str) -> String {
    format!(
        "openssl s_client -connect {} </dev/null | openssl x509 -noout -text",
        host(endpoint)
    )
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
