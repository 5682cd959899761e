//! PEM files → what rustls takes, or what is wrong with a file and the `openssl` line that shows or mends it.

use super::certificate::{Certificate, SHORTEST};
use crate::target::{Pem, TlsMaterial};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use std::sync::Arc;

/// TLS material that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// No `--cacert`, and the system trusts nobody either.
    #[error(
        "https endpoints need --cacert FILE, because this system has no CA certificates of its own{why}; or set \
         SSL_CERT_FILE, or pass --insecure-skip-tls-verify, which accepts any server certificate"
    )]
    NoRoots {
        /// " (SSL_CERT_FILE cannot be read: …)" or empty.
        why: String,
    },
    /// A file that does not hold what its flag needs.
    #[error("{pem}: {what}")]
    File {
        /// Flag and path.
        pem: String,
        /// What is wrong, and what helps.
        what: String,
    },
    /// A certificate without a key, or the other way round.
    #[error("--cert and --key go together: {missing} is missing")]
    HalfPair {
        /// The missing flag.
        missing: &'static str,
    },
    /// The key is another certificate's.
    #[error(
        "{key} is not the key of {cert}: these two print different keys: openssl x509 -in {cert_path} -noout \
         -pubkey; openssl pkey -in {key_path} -pubout"
    )]
    Pair {
        cert: String,
        key: String,
        cert_path: String,
        key_path: String,
    },
    /// A name that is no DNS name or address.
    #[error("server name {0:?} is neither a DNS name nor an IP address")]
    ServerName(String),
    /// rustls takes none of what this version configures.
    #[error("TLS cannot be set up: {0}")]
    Setup(String),
}

/// The certificates of `--cacert`, or the system's, and what messages call them.
pub(super) fn trusted(
    tls: &TlsMaterial,
) -> Result<(Vec<CertificateDer<'static>>, String), TlsError> {
    if let Some(pem) = &tls.ca {
        return Ok((certificates(pem)?, pem.to_string()));
    }
    // SSL_CERT_FILE and SSL_CERT_DIR are looked at first, as OpenSSL and Go do.
    let system = rustls_native_certs::load_native_certs();
    if system.certs.is_empty() {
        let why = |e: &rustls_native_certs::Error| format!(" ({e})");
        let why = system.errors.first().map_or(String::new(), why);
        return Err(TlsError::NoRoots { why });
    }
    let named_by = match std::env::var("SSL_CERT_FILE") {
        Ok(path) => format!("SSL_CERT_FILE {path}"),
        Err(_) => "the system's CAs".to_owned(),
    };
    Ok((system.certs, named_by))
}

/// The client's certificate with its key, where there is one.
pub(super) fn client_pair(tls: &TlsMaterial) -> Result<Option<Arc<CertifiedKey>>, TlsError> {
    let (cert, key) = match (&tls.cert, &tls.key) {
        (None, None) => return Ok(None),
        (Some(_), None) => return Err(TlsError::HalfPair { missing: "--key" }),
        (None, Some(_)) => return Err(TlsError::HalfPair { missing: "--cert" }),
        (Some(cert), Some(key)) => (cert, key),
    };
    let chain = certificates(cert)?;
    let parsed = PrivateKeyDer::from_pem_slice(&key.bytes).map_err(|_| no_key(key))?;
    let short = chain
        .first()
        .and_then(|c| Certificate::read(c)?.too_short());
    if let Some(bits) = short {
        return Err(bad(cert, too_short(bits, &path(cert))));
    }
    let signing = rustls::crypto::aws_lc_rs::sign::any_supported_type(&parsed);
    let signing = signing.map_err(|_| {
        let show = format!("openssl pkey -in {} -noout -text", path(key));
        bad(
            key,
            format!("this kind of key cannot be used; use ECDSA, Ed25519, or RSA of {SHORTEST} bits or more; to see it: {show}"),
        )
    })?;
    let pair = CertifiedKey::new(chain, signing);
    match pair.keys_match() {
        Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch)) => {
            Err(TlsError::Pair {
                cert: cert.to_string(),
                key: key.to_string(),
                cert_path: path(cert),
                key_path: path(key),
            })
        }
        _ => Ok(Some(Arc::new(pair))),
    }
}

/// What is said of an RSA key, and the line that shows it.
pub(super) fn too_short(bits: usize, file: &str) -> String {
    format!(
        "its RSA key has {bits} bits, and {SHORTEST} are needed: issue it again with a longer key; to see it: \
         openssl x509 -in {file} -noout -text"
    )
}

/// A path as a shell takes it.
pub(super) fn path(pem: &Pem) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+:@,".contains(c);
    if pem.path.chars().all(plain) {
        pem.path.clone()
    } else {
        format!("'{}'", pem.path.replace('\'', "'\\''"))
    }
}

fn certificates(pem: &Pem) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let certs: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem.bytes).collect();
    match certs {
        Ok(certs) if !certs.is_empty() => {
            if certs.iter().all(|c| Certificate::read(c).is_some()) {
                return Ok(certs);
            }
            Err(bad(pem, damaged(pem, "certificate", "x509")))
        }
        _ => Err(no_certificate(pem)),
    }
}

fn no_certificate(pem: &Pem) -> TlsError {
    let (has, file) = (contains(pem), path(pem));
    let what = if pem.bytes.trim_ascii().is_empty() {
        "the file is empty; it must hold a certificate (PEM)".to_owned()
    } else if has("BEGIN CERTIFICATE-----") {
        damaged(pem, "certificate", "x509")
    } else if has("BEGIN CERTIFICATE REQUEST") || has("BEGIN NEW CERTIFICATE REQUEST") {
        "it holds a certificate request, not a certificate: have a CA sign it first".to_owned()
    } else if has("PRIVATE KEY-----") {
        "it holds a private key, not a certificate".to_owned()
    } else if pem.bytes.first() == Some(&0x30) {
        format!(
            "it is binary (DER or PKCS#12), not PEM: openssl x509 -inform der -in {file} (or openssl pkcs12 -in \
             {file} -nokeys) prints PEM"
        )
    } else {
        "it holds no certificate (PEM, from -----BEGIN CERTIFICATE----- on)".to_owned()
    };
    bad(pem, what)
}

fn no_key(pem: &Pem) -> TlsError {
    let (has, file) = (contains(pem), path(pem));
    let what = if pem.bytes.trim_ascii().is_empty() {
        "the file is empty; it must hold a private key (PEM)".to_owned()
    } else if has("BEGIN ENCRYPTED PRIVATE KEY") || has("Proc-Type: 4,ENCRYPTED") {
        format!(
            "the key is encrypted with a passphrase; pass a decrypted one, which this makes: openssl pkey -in \
             {file} -out client.key"
        )
    } else if has("BEGIN OPENSSH PRIVATE KEY") {
        "it holds an SSH key, not a key for TLS".to_owned()
    } else if has("PRIVATE KEY-----") {
        damaged(pem, "private key", "pkey")
    } else if has("BEGIN CERTIFICATE") {
        "it holds a certificate, not a private key".to_owned()
    } else if pem.bytes.first() == Some(&0x30) {
        format!(
            "it is binary (DER or PKCS#12), not PEM: openssl pkey -inform der -in {file} (or openssl pkcs12 -in {file} -nocerts -nodes) prints PEM"
        )
    } else {
        "it holds no private key (PEM, from -----BEGIN PRIVATE KEY----- on)".to_owned()
    };
    bad(pem, what)
}

fn damaged(pem: &Pem, what: &str, tool: &str) -> String {
    format!(
        "the {what} in it is damaged: to see where: openssl {tool} -in {} -noout",
        path(pem)
    )
}

fn contains(pem: &Pem) -> impl Fn(&str) -> bool {
    |text| pem.bytes.windows(text.len()).any(|w| w == text.as_bytes())
}

fn bad(pem: &Pem, what: String) -> TlsError {
    TlsError::File {
        pem: pem.to_string(),
        what,
    }
}
