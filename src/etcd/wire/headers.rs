//! gRPC's headers: what every request carries, and what an answer says.
//! Values as grpc-go sends them (`/internal/transport/http_util.go`, `http2_client.go` there).

use crate::rpc::{Rpc, RpcError};
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, TE, USER_AGENT};
use http::{Method, Request, Uri, Version};
use std::time::Duration;

const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");
const CLIENT_API_VERSION: HeaderName = HeaderName::from_static("client-api-version");
const TOKEN: HeaderName = HeaderName::from_static("token");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// Prebuilt parts of the requests of one connection.
pub(crate) struct Template {
    uris: [Uri; Rpc::ALL.len()],
    base: HeaderMap,
    /// The base with the last timeout in it: nearly always the same one, and cloning a map is cheaper
    /// than adding to it.
    timed: Option<(Duration, HeaderMap)>,
}

impl Template {
    /// For one endpoint (`http://host:port`).
    pub(crate) fn new(
        endpoint: &str,
        client_api_version: Option<&'static str>,
    ) -> Result<Self, http::Error> {
        let mut uris: [Uri; Rpc::ALL.len()] = Default::default();
        for rpc in Rpc::ALL {
            uris[rpc as usize] = uri(endpoint, rpc.path())?;
        }
        let mut base = HeaderMap::with_capacity(8);
        base.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        let agent = concat!("etcdmark/", env!("CARGO_PKG_VERSION"));
        base.insert(USER_AGENT, HeaderValue::from_static(agent));
        base.insert(TE, HeaderValue::from_static("trailers"));
        base.insert(GRPC_ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        if let Some(version) = client_api_version {
            base.insert(CLIENT_API_VERSION, HeaderValue::from_static(version));
        }
        Ok(Template {
            uris,
            base,
            timed: None,
        })
    }

    /// From now on every request carries this token.
    pub(crate) fn set_token(&mut self, token: Option<HeaderValue>) {
        match token {
            Some(token) => self.base.insert(TOKEN, token),
            None => self.base.remove(TOKEN),
        };
        self.timed = None;
    }

    /// The head of a request.
    pub(crate) fn request(&mut self, rpc: Rpc, timeout: Option<Duration>) -> Request<()> {
        let uri = self.uris[rpc as usize].clone();
        self.request_to(uri, timeout)
    }

    /// The head of a request to any path.
    pub(crate) fn request_to(&mut self, uri: Uri, timeout: Option<Duration>) -> Request<()> {
        let mut request = Request::new(());
        *request.method_mut() = Method::POST;
        *request.version_mut() = Version::HTTP_2;
        *request.uri_mut() = uri;
        *request.headers_mut() = match (timeout, &self.timed) {
            (None, _) => self.base.clone(),
            (Some(timeout), Some((last, headers))) if *last == timeout => headers.clone(),
            (Some(timeout), _) => {
                let mut headers = self.base.clone();
                headers.insert(GRPC_TIMEOUT, timeout_value(timeout));
                self.timed = Some((timeout, headers.clone()));
                headers
            }
        };
        request
    }
}

/// `endpoint` + `path`.
pub(crate) fn uri(endpoint: &str, path: &str) -> Result<Uri, http::Error> {
    let mut parts = endpoint.parse::<Uri>()?.into_parts();
    parts.path_and_query = Some(path.parse()?);
    Ok(Uri::from_parts(parts)?)
}

/// `grpc-timeout`: at most eight digits and a unit, the finest unit that fits, rounded up.
pub(crate) fn timeout_value(timeout: Duration) -> HeaderValue {
    const UNITS: [(u128, char); 6] = [
        (1, 'n'),
        (1_000, 'u'),
        (1_000_000, 'm'),
        (1_000_000_000, 'S'),
        (60_000_000_000, 'M'),
        (3_600_000_000_000, 'H'),
    ];
    let ns = timeout.as_nanos();
    let text = UNITS
        .iter()
        .map(|(size, unit)| (ns.div_ceil(*size), unit))
        .find(|(n, _)| *n < 100_000_000)
        .map_or_else(|| "99999999H".to_owned(), |(n, unit)| format!("{n}{unit}"));
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("99999999H"))
}

/// The status in trailers (or in the headers of a trailers-only answer); `None` when there is none.
pub(crate) fn status(headers: &HeaderMap) -> Option<Result<(), RpcError>> {
    let code = headers.get(GRPC_STATUS)?;
    let code: Option<u32> = code.to_str().ok().and_then(|c| c.parse().ok());
    Some(match code {
        Some(0) => Ok(()),
        Some(code) => {
            let message = headers.get(GRPC_MESSAGE).map_or(&b""[..], |m| m.as_bytes());
            Err(RpcError::Status {
                code,
                message: percent_decode(message),
            })
        }
        None => Err(RpcError::Malformed("grpc-status is not a number".into())),
    })
}

/// gRPC's percent-encoding: `%` and two hex digits; anything else stands for itself.
pub(crate) fn percent_decode(raw: &[u8]) -> String {
    let mut out = Vec::with_capacity(raw.len());
    let mut i = 0;
    while i < raw.len() {
        let hex = |at: usize| raw.get(at).and_then(|c| char::from(*c).to_digit(16));
        match (raw[i], hex(i + 1), hex(i + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
                i += 3;
            }
            (byte, _, _) => {
                out.push(byte);
                i += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_fit_eight_digits() {
        let text = |d| timeout_value(d).to_str().map(str::to_owned).ok();
        assert_eq!(
            text(Duration::from_nanos(33_999_515_100)).as_deref(),
            Some("33999516u")
        );
        assert_eq!(text(Duration::from_secs(34)).as_deref(), Some("34000000u"));
        assert_eq!(text(Duration::from_millis(5)).as_deref(), Some("5000000n"));
        assert_eq!(text(Duration::from_secs(600)).as_deref(), Some("600000m"));
        assert_eq!(text(Duration::MAX).as_deref(), Some("99999999H"));
    }

    #[test]
    fn messages_are_percent_decoded() {
        assert_eq!(
            percent_decode(b"etcdserver: 100%25 full"),
            "etcdserver: 100% full"
        );
        assert_eq!(percent_decode("caf%C3%A9".as_bytes()), "café");
        assert_eq!(percent_decode(b"50% off %zz %4"), "50% off %zz %4");
    }

    #[test]
    fn a_status_is_read_from_trailers() {
        let mut t = HeaderMap::new();
        assert!(status(&t).is_none());
        t.insert("grpc-status", HeaderValue::from_static("0"));
        assert_eq!(status(&t), Some(Ok(())));
        t.insert("grpc-status", HeaderValue::from_static("14"));
        t.insert("grpc-message", HeaderValue::from_static("no%20leader"));
        let expected = RpcError::Status {
            code: 14,
            message: "no leader".into(),
        };
        assert_eq!(status(&t), Some(Err(expected)));
    }

    #[test]
    fn a_request_carries_what_grpc_go_sends() {
        let mut t = Template::new("http://h:2379", Some("3.6")).expect("template");
        t.set_token(Some(HeaderValue::from_static("abc")));
        let r = t.request(Rpc::Put, Some(Duration::from_secs(5)));
        assert_eq!(r.uri().to_string(), "http://h:2379/etcdserverpb.KV/Put");
        let get = |name: &str| r.headers().get(name).and_then(|v| v.to_str().ok());
        assert_eq!(get("content-type"), Some("application/grpc"));
        assert_eq!(get("te"), Some("trailers"));
        assert_eq!(get("client-api-version"), Some("3.6"));
        assert_eq!(get("token"), Some("abc"));
        assert_eq!(get("grpc-timeout"), Some("5000000u"));
        assert_eq!(get("hasleader"), None);

        t.set_token(Some(HeaderValue::from_static("renewed")));
        for (timeout, text) in [
            (Some(7), Some("7000000u")),
            (None, None),
            (Some(7), Some("7000000u")),
        ] {
            let r = t.request(Rpc::Put, timeout.map(Duration::from_secs));
            let get = |name: &str| r.headers().get(name).and_then(|v| v.to_str().ok());
            assert_eq!((get("grpc-timeout"), get("token")), (text, Some("renewed")));
            assert_eq!(r.headers().len(), 6 + usize::from(timeout.is_some()));
        }
    }
}
