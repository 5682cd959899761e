//! Whether a server's certificate is to be trusted, and why not, in an operator's words.

use super::certificate::{Certificate, SHORTEST, date};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme};
use std::sync::Arc;

/// What is wrong with a server's certificate. Read after "the certificate of ENDPOINT".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CertificateFault {
    /// Its issuer is not trusted.
    #[error(
        "is not signed by {trust} (its issuer is {issuer}): pass the CA that signed it with --cacert (kubeadm: \
         /etc/kubernetes/pki/etcd/ca.crt), or --insecure-skip-tls-verify"
    )]
    UnknownCa {
        /// `the CA in --cacert FILE`, `any of the system's CAs`.
        trust: String,
        /// `CN=…`.
        issuer: String,
    },
    /// A CA of the issuer's name is trusted; its key is another.
    #[error(
        "is not signed by {trust}: that has the right name ({issuer}) and another key, as after a CA was made \
         anew; pass the CA that signed it with --cacert"
    )]
    OtherKey { trust: String, issuer: String },
    /// A key that is not safe.
    #[error(
        "cannot be verified: {whose} RSA key has {bits} bits, and {SHORTEST} are needed: issue it again with a longer key, or use --insecure-skip-tls-verify"
    )]
    KeyTooShort {
        /// its, its CA's.
        whose: &'static str,
        bits: usize,
    },
    /// It has expired.
    #[error(
        "has expired on {on}: renew it, or check this machine's clock, or use --insecure-skip-tls-verify"
    )]
    Expired { on: String },
    /// It is not valid yet.
    #[error(
        "is not valid before {from}: check this machine's clock, or use --insecure-skip-tls-verify"
    )]
    NotYet { from: String },
    /// It is for other hosts.
    #[error(
        "is not valid for that host name ({names}): use one of its names in --endpoints, issue it again with this \
         one, or pass --insecure-skip-tls-verify"
    )]
    WrongName {
        /// "it is for a, b".
        names: String,
    },
    /// Its extended key usage is not for servers.
    #[error(
        "is not for a server (its extended key usage lacks serverAuth): issue it again, or use --insecure-skip-tls-verify"
    )]
    NotForServers,
    /// A CA's own.
    #[error(
        "is a CA certificate (CA:TRUE): pass it itself with --cacert, or give etcd a certificate that is none, or use \
         --insecure-skip-tls-verify"
    )]
    IsCa,
    /// Signed in a way that is not known, or not safe, such as SHA-1.
    #[error(
        "is signed by an algorithm that is not accepted, such as SHA-1: issue it again with SHA-256, or use --insecure-skip-tls-verify"
    )]
    Algorithm,
    /// Anything else.
    #[error(
        "is malformed, or has an extension that is not known: issue it again, or use --insecure-skip-tls-verify"
    )]
    Malformed,
}

/// Verifies as browsers and Go do; a certificate that is itself among the trusted ones needs no CA.
#[derive(Debug)]
pub(super) struct KnownServer {
    chains: Arc<WebPkiServerVerifier>,
    trusted: Vec<CertificateDer<'static>>,
    /// What messages call the trusted ones.
    trust: String,
}

impl KnownServer {
    pub(super) fn new(
        trusted: Vec<CertificateDer<'static>>,
        trust: String,
        provider: &Arc<rustls::crypto::CryptoProvider>,
    ) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(trusted.iter().cloned());
        let builder =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone());
        Ok(KnownServer {
            chains: builder.build().map_err(|e| e.to_string())?,
            trusted,
            trust,
        })
    }

    /// As `verify_server_cert`, for a certificate that is itself trusted.
    fn itself(
        &self,
        cert: &CertificateDer<'_>,
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), rustls::Error> {
        let read = Certificate::read(cert).ok_or(CertificateError::BadEncoding)?;
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        if now > read.not_after {
            return Err(CertificateError::Expired.into());
        }
        if now < read.not_before {
            return Err(CertificateError::NotValidYet.into());
        }
        if !read.for_servers {
            return Err(CertificateError::InvalidPurpose.into());
        }
        rustls::client::verify_server_name(&ParsedCertificate::try_from(cert)?, name)
    }

    fn fault(
        &self,
        cert: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        e: &CertificateError,
    ) -> CertificateFault {
        use CertificateError as E;
        let Some(read) = Certificate::read(cert) else {
            return CertificateFault::Malformed;
        };
        match e {
            E::Expired | E::ExpiredContext { .. } => CertificateFault::Expired {
                on: date(expired(&read, e)),
            },
            E::NotValidYet | E::NotValidYetContext { .. } => CertificateFault::NotYet {
                from: date(read.not_before),
            },
            E::NotValidForName | E::NotValidForNameContext { .. } => CertificateFault::WrongName {
                names: match read.names.is_empty() {
                    true => "it names no host: its common name is not looked at".to_owned(),
                    false => format!("it is for {}", read.names.join(", ")),
                },
            },
            E::InvalidPurpose | E::InvalidPurposeContext { .. } => CertificateFault::NotForServers,
            E::UnknownIssuer | E::BadSignature => self.issuer(read, intermediates),
            E::UnsupportedSignatureAlgorithmContext { .. }
            | E::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
                CertificateFault::Algorithm
            }
            E::Other(_) if read.ca => CertificateFault::IsCa,
            _ => CertificateFault::Malformed,
        }
    }

    /// Why no trusted CA vouches for it: the last certificate of the chain that the server sent is looked at.
    fn issuer(&self, read: Certificate, intermediates: &[CertificateDer<'_>]) -> CertificateFault {
        let mut last = read;
        for _ in intermediates {
            let next = intermediates
                .iter()
                .filter_map(|c| Certificate::read(c))
                .find(|c| c.subject == last.issuer && c.subject != c.issuer);
            match next {
                Some(next) => last = next,
                None => break,
            }
        }
        let named = self
            .trusted
            .iter()
            .filter_map(|c| Certificate::read(c))
            .find(|c| c.subject == last.issuer);
        let trust = match self.trust.starts_with("the ") {
            true => format!("any of {}", self.trust),
            false => format!("the CA in {}", self.trust),
        };
        let issuer = last.issuer.clone();
        match named {
            None => CertificateFault::UnknownCa { trust, issuer },
            Some(ca) => match (ca.too_short(), last.too_short()) {
                (Some(bits), _) => CertificateFault::KeyTooShort {
                    whose: "its CA's",
                    bits,
                },
                (None, Some(bits)) => CertificateFault::KeyTooShort { whose: "its", bits },
                (None, None) => CertificateFault::OtherKey { trust, issuer },
            },
        }
    }
}

/// The end of the validity that the error is about: the certificate's own, or a CA's.
fn expired(read: &Certificate, e: &CertificateError) -> i64 {
    match e {
        CertificateError::ExpiredContext { not_after, .. } => {
            i64::try_from(not_after.as_secs()).unwrap_or(i64::MAX)
        }
        _ => read.not_after,
    }
}

fn told(fault: CertificateFault) -> rustls::Error {
    CertificateError::Other(OtherError(Arc::new(fault))).into()
}

/// A handshake's signature that does not verify: with a short RSA key, since no such signature is accepted.
fn unsigned(cert: &CertificateDer<'_>, e: rustls::Error) -> rustls::Error {
    let short = Certificate::read(cert).and_then(|c| c.too_short());
    match short {
        Some(bits) => told(CertificateFault::KeyTooShort { whose: "its", bits }),
        None => e,
    }
}

impl ServerCertVerifier for KnownServer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = if self.trusted.iter().any(|t| t == end_entity) {
            self.itself(end_entity, server_name, now)
                .map(|()| ServerCertVerified::assertion())
        } else {
            self.chains.verify_server_cert(
                end_entity,
                intermediates,
                server_name,
                ocsp_response,
                now,
            )
        };
        match verified {
            Err(rustls::Error::InvalidCertificate(e)) => {
                Err(told(self.fault(end_entity, intermediates, &e)))
            }
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let verified = self.chains.verify_tls12_signature(message, cert, dss);
        verified.map_err(|e| unsigned(cert, e))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let verified = self.chains.verify_tls13_signature(message, cert, dss);
        verified.map_err(|e| unsigned(cert, e))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.supported_verify_schemes()
    }
}

/// Accepts any server, as `--insecure-skip-tls-verify` says. A signature by a certificate that anybody can make proves
/// nothing, so none is looked at, and every kind of key will do.
#[derive(Debug)]
pub(super) struct AnyServer;

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
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        use SignatureScheme as S;
        vec![
            S::ECDSA_NISTP256_SHA256,
            S::ECDSA_NISTP384_SHA384,
            S::ECDSA_NISTP521_SHA512,
            S::ED25519,
            S::RSA_PSS_SHA256,
            S::RSA_PSS_SHA384,
            S::RSA_PSS_SHA512,
            S::RSA_PKCS1_SHA256,
            S::RSA_PKCS1_SHA384,
            S::RSA_PKCS1_SHA512,
            S::ECDSA_SHA1_Legacy,
            S::RSA_PKCS1_SHA1,
        ]
    }
}
