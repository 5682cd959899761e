//! The forms in which people write endpoints: what works, and the right form of what does not.

use super::external::AccessError;
use std::net::Ipv6Addr;

/// Adds the scheme that etcdctl would and checks the form; empty items are left out, doubles of the same text refused.
///
/// # Errors
/// What is wrong, and the right form. A user and a password in a URL are refused and never repeated.
pub fn urls(named: &[String], tls: bool, flag: &str) -> Result<Vec<String>, AccessError> {
    without_credentials(named.iter().map(String::as_str), flag)?;
    let mut urls: Vec<String> = Vec::new();
    for raw in named.iter().map(|g| g.trim()).filter(|g| !g.is_empty()) {
        let url = url(raw, tls, flag)?;
        if urls.contains(&url) {
            return refuse(format!("{flag} names {url} twice; remove one"));
        }
        urls.push(url);
    }
    if urls.is_empty() && !named.is_empty() {
        return refuse(format!(
            "{flag} is empty: write http://HOST:PORT or https://HOST:PORT"
        ));
    }
    Ok(urls)
}

/// Refuses URLs with a user in them: they are printed and stored in results.
///
/// # Errors
/// Names the flags to use, and repeats nothing: a password with a comma is two items.
pub fn without_credentials<'a>(
    mut named: impl Iterator<Item = &'a str>,
    flag: &str,
) -> Result<(), AccessError> {
    if named.any(|n| n.contains('@')) {
        return refuse(format!(
            "{flag} has a user in a URL (…@HOST): write http://HOST:PORT, and pass --user NAME and --password (or set \
             ETCDCTL_USER and ETCDCTL_PASSWORD)"
        ));
    }
    Ok(())
}

fn url(raw: &str, tls: bool, flag: &str) -> Result<String, AccessError> {
    let quotes = ['"', '\'', '`', '\u{201c}', '\u{201d}', ' '];
    let mut bare = raw.trim_matches(quotes);
    // A list in brackets; an IPv6 address is in a pair of its own.
    let list = ["[http", "[\"", "['"].iter().any(|s| bare.starts_with(s));
    if list || bare.matches('[').count() != bare.matches(']').count() {
        bare = bare.strip_prefix('[').unwrap_or(bare);
        bare = bare.strip_suffix(']').unwrap_or(bare);
        bare = bare.trim_matches(quotes);
    }
    if bare != raw {
        return refuse(format!(
            "{flag} {raw:?}: write it without quotes and brackets around: {bare}"
        ));
    }
    let (scheme, rest) = match raw.split_once("://") {
        Some((scheme @ ("http" | "https"), rest)) => (scheme, rest),
        Some((scheme @ ("unix" | "unixs"), _)) => {
            return refuse(format!(
                "{flag} {raw:?}: {scheme}:// sockets are not supported; write http://HOST:PORT or https://HOST:PORT, \
                 as in etcd's --listen-client-urls"
            ));
        }
        Some((scheme, _)) => {
            return refuse(format!(
                "{flag} {raw:?}: {scheme}:// is not http:// or https://"
            ));
        }
        None if tls => ("https", raw),
        None => ("http", raw),
    };
    let rest = rest.trim_end_matches('/');
    if let Some(address) = ipv6_without_brackets(rest) {
        return refuse(format!(
            "{flag} {raw:?}: an IPv6 address is written in brackets: {scheme}://{address}"
        ));
    }
    let url = format!("{scheme}://{rest}");
    let parsed: Option<http::Uri> = url.parse().ok();
    let Some(port) = parsed
        .as_ref()
        .and_then(http::Uri::port_u16)
        .filter(|p| *p > 0)
    else {
        return refuse(format!(
            "{flag} {raw:?} is not http://HOST:PORT or https://HOST:PORT (etcd's client port is 2379)"
        ));
    };
    match parsed.filter(|u| !matches!(u.path(), "" | "/") || u.query().is_some()) {
        None => Ok(url),
        Some(page) => refuse(format!(
            "{flag} {raw:?} has a path: write {scheme}://{}:{port}",
            page.host().unwrap_or("HOST")
        )),
    }
}

/// `::1:2379` → `[::1]:2379`; an address without a port gets etcd's.
fn ipv6_without_brackets(rest: &str) -> Option<String> {
    if rest.contains('[') || rest.matches(':').count() < 2 {
        return None;
    }
    if let Some((address, port)) = rest.rsplit_once(':')
        && address.parse::<Ipv6Addr>().is_ok()
        // A group of an address has at most four digits, and so have most ports; it is a port where it is said to be.
        && port.parse::<u16>().is_ok_and(|p| p > 999)
    {
        return Some(format!("[{address}]:{port}"));
    }
    let address: Ipv6Addr = rest.parse().ok()?;
    Some(format!("[{address}]:2379"))
}

fn refuse<T>(message: String) -> Result<T, AccessError> {
    Err(AccessError::Refused(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Vec<String>, String> {
        let items: Vec<String> = text.split(',').map(str::to_owned).collect();
        urls(&items, false, "--endpoints").map_err(|e| e.to_string())
    }

    #[test]
    fn forms_that_work() {
        for (text, urls) in [
            ("a:1,", &["http://a:1"][..]),
            (" https://a:1/ ,, b:2", &["https://a:1", "http://b:2"]),
            ("[::1]:2379", &["http://[::1]:2379"]),
        ] {
            assert_eq!(of(text).unwrap(), urls, "{text}");
        }
    }

    #[test]
    fn each_other_form_is_told_the_right_one() {
        for (text, right) in [
            ("\"http://a:1\"", "around: http://a:1"),
            ("'http://a:1,http://b:1'", "around: http://a:1"),
            ("[http://a:1]", "around: http://a:1"),
            ("[http://a:1,http://b:1]", "around: http://a:1"),
            ("[\"http://a:1\"]", "around: http://a:1"),
            ("http://a:1/metrics", "write http://a:1"),
            ("https://[::1]:1/x?y", "write https://[::1]:1"),
            ("::1:2379", "in brackets: http://[::1]:2379"),
            (
                "https://fd00::2:2379",
                "in brackets: https://[fd00::2]:2379",
            ),
            ("fd00::2", "in brackets: http://[fd00::2]:2379"),
            ("unix:///run/etcd.sock", "http://HOST:PORT"),
            ("unix://localhost:2379", "--listen-client-urls"),
            ("http://a", "2379"),
            (",", "is empty"),
        ] {
            let said = of(text).unwrap_err();
            assert!(
                said.starts_with("--endpoints ") && said.contains(right),
                "{text}: {said}"
            );
        }
    }

    #[test]
    fn a_password_in_a_url_is_refused_and_not_repeated() {
        for text in [
            "http://root:hunter2@a:1",
            "root:hunter2@a:1",
            "http://root:hunter2,x@a:1",
        ] {
            let said = of(text).unwrap_err();
            assert!(
                said.contains("--user") && !said.contains("hunter2"),
                "{said}"
            );
        }
    }
}
