//! What a person wants to know of a certificate: whose it is, who signed it, for which hosts, until when.

use x509_parser::prelude::{ASN1Time, FromDer, GeneralName, X509Certificate};
use x509_parser::public_key::PublicKey;

/// The shortest RSA key that is accepted, bits.
pub(super) const SHORTEST: usize = 2048;

/// The parts of a certificate that messages name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Certificate {
    /// `CN=etcd, O=example`.
    pub(super) subject: String,
    /// Of who signed it.
    pub(super) issuer: String,
    /// Host names and addresses.
    pub(super) names: Vec<String>,
    /// Seconds of the Unix epoch.
    pub(super) not_before: i64,
    /// Seconds of the Unix epoch.
    pub(super) not_after: i64,
    /// Bits of its key, where that is RSA.
    pub(super) rsa_bits: Option<usize>,
    /// It may sign others.
    pub(super) ca: bool,
    /// Its extended key usage allows servers; so does none.
    pub(super) for_servers: bool,
    /// The same for clients.
    pub(super) for_clients: bool,
}

impl Certificate {
    /// None where it is not X.509.
    pub(super) fn read(der: &[u8]) -> Option<Certificate> {
        let (_, cert) = X509Certificate::from_der(der).ok()?;
        let usage = cert.extended_key_usage().ok().flatten();
        let allows = |one: fn(&x509_parser::extensions::ExtendedKeyUsage<'_>) -> bool| {
            usage.as_ref().is_none_or(|u| u.value.any || one(u.value))
        };
        let names = cert.subject_alternative_name().ok().flatten();
        let names = names.map_or(Vec::new(), |n| {
            n.value.general_names.iter().filter_map(name).collect()
        });
        let rsa_bits = match cert.public_key().parsed() {
            Ok(PublicKey::RSA(key)) => Some(key.key_size()),
            _ => None,
        };
        Some(Certificate {
            subject: cert.subject().to_string(),
            issuer: cert.issuer().to_string(),
            names,
            not_before: cert.validity().not_before.timestamp(),
            not_after: cert.validity().not_after.timestamp(),
            rsa_bits,
            ca: cert.is_ca(),
            for_servers: allows(|u| u.server_auth),
            for_clients: allows(|u| u.client_auth),
        })
    }

    /// Bits of an RSA key that is too short to be accepted.
    pub(super) fn too_short(&self) -> Option<usize> {
        self.rsa_bits.filter(|bits| *bits < SHORTEST)
    }
}

/// `2026-11-26 08:30 UTC`.
pub(super) fn date(seconds: i64) -> String {
    let time = ASN1Time::from_timestamp(seconds).map(|t| t.to_datetime());
    time.map_or_else(
        |_| "an unreadable date".to_owned(),
        |t| format!("{} {:02}:{:02} UTC", t.date(), t.hour(), t.minute()),
    )
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(n) => Some((*n).to_owned()),
        GeneralName::IPAddress(bytes) => match <[u8; 4]>::try_from(*bytes) {
            Ok(v4) => Some(std::net::Ipv4Addr::from(v4).to_string()),
            Err(_) => <[u8; 16]>::try_from(*bytes)
                .ok()
                .map(|v6| std::net::Ipv6Addr::from(v6).to_string()),
        },
        _ => None,
    }
}
