//! Where an endpoint is: on this machine (its own address, or a container behind one of its bridges), elsewhere, or
//! not to be told from here.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, ToSocketAddrs, UdpSocket};
use std::path::Path;

/// Where an etcd is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// On this machine.
    Here,
    /// On another one: the way there leaves through a network card.
    Elsewhere,
    /// The name has no address, or the way there is a virtual one (this is a container, a VPN).
    Unknown,
}

/// Where the endpoint's addresses are: here if one of them is.
pub(crate) fn place(endpoint: &str) -> Place {
    let host = host(endpoint);
    if host == "localhost" {
        return Place::Here;
    }
    // The port is of no account; the name resolves as it does for the connections.
    let all: Vec<IpAddr> = match (host, 0).to_socket_addrs() {
        Ok(found) => found.map(|a| a.ip()).collect(),
        Err(_) => Vec::new(),
    };
    let places: Vec<Place> = all.into_iter().map(of_address).collect();
    match places.as_slice() {
        [] => Place::Unknown,
        some if some.contains(&Place::Here) => Place::Here,
        some if some.contains(&Place::Unknown) => Place::Unknown,
        _ => Place::Elsewhere,
    }
}

fn of_address(ip: IpAddr) -> Place {
    // Only own addresses can be bound.
    if ip.is_loopback() || UdpSocket::bind((ip, 0)).is_ok() {
        return Place::Here;
    }
    let interface = match ip {
        IpAddr::V4(ip) => read("/proc/net/route").and_then(|t| route_v4(&t, ip)),
        IpAddr::V6(ip) => read("/proc/net/ipv6_route").and_then(|t| route_v6(&t, ip)),
    };
    interface.map_or(Place::Unknown, |(name, direct)| {
        behind(Path::new("/sys/class/net"), &name, direct)
    })
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// What is behind an interface; `direct`: without a router in between.
fn behind(net: &Path, interface: &str, direct: bool) -> Place {
    let is_card = |name: &str| net.join(name).join("device").exists();
    let interface_dir = net.join(interface);
    if is_card(interface) {
        return Place::Elsewhere;
    }
    if interface_dir.join("bridge").exists() {
        let ports = fs::read_dir(interface_dir.join("brif"))
            .into_iter()
            .flatten();
        let names = ports
            .flatten()
            .map(|p| p.file_name().to_string_lossy().into_owned());
        // A bridge with a card among its ports leads out; one without has containers of this machine only.
        return match names.into_iter().any(|n| is_card(&n)) {
            true => Place::Elsewhere,
            false if direct => Place::Here,
            false => Place::Unknown,
        };
    }
    Place::Unknown
}

/// `/proc/net/route`: the interface of the longest prefix that holds, and whether it needs no gateway.
fn route_v4(table: &str, ip: Ipv4Addr) -> Option<(String, bool)> {
    let hex = |s: &str| u32::from_str_radix(s, 16).ok().map(u32::swap_bytes);
    let rows = table.lines().skip(1).filter_map(|line| {
        let f: Vec<&str> = line.split_ascii_whitespace().collect();
        let (to, gateway, mask) = (hex(f.get(1)?)?, hex(f.get(2)?)?, hex(f.get(7)?)?);
        (u32::from(ip) & mask == to).then(|| (mask, (f[0].to_owned(), gateway == 0)))
    });
    rows.max_by_key(|(mask, _)| *mask).map(|(_, found)| found)
}

/// `/proc/net/ipv6_route`: likewise.
fn route_v6(table: &str, ip: Ipv6Addr) -> Option<(String, bool)> {
    let rows = table.lines().filter_map(|line| {
        let f: Vec<&str> = line.split_ascii_whitespace().collect();
        let to = u128::from_str_radix(f.first()?, 16).ok()?;
        let length = u32::from_str_radix(f.get(1)?, 16)
            .ok()
            .filter(|l| *l <= 128)?;
        let gateway = u128::from_str_radix(f.get(4)?, 16).ok()?;
        let name = (*f.get(9)?).to_owned();
        let mask = u128::MAX.checked_shl(128 - length).unwrap_or(0);
        (u128::from(ip) & mask == to && name != "lo").then_some((length, (name, gateway == 0)))
    });
    rows.max_by_key(|(length, _)| *length)
        .map(|(_, found)| found)
}

/// The endpoint's port; etcd's own where it has none.
pub(super) fn port(endpoint: &str) -> u16 {
    let port = authority(endpoint).rsplit_once(':');
    port.and_then(|(_, port)| port.parse().ok()).unwrap_or(2379)
}

fn authority(endpoint: &str) -> &str {
    let authority = endpoint
        .split_once("://")
        .map_or(endpoint, |(_, rest)| rest);
    authority.split('/').next().unwrap_or_default()
}

fn host(endpoint: &str) -> &str {
    let authority = authority(endpoint);
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => host,
        _ => authority,
    };
    host.trim_start_matches('[').trim_end_matches(']')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_and_own_names_are_here() {
        for endpoint in [
            "http://127.0.0.1:2379",
            "https://[::1]:2379/",
            "localhost:2379",
        ] {
            assert_eq!(place(endpoint), Place::Here, "{endpoint}");
        }
        let uname = rustix::system::uname();
        let name = uname.nodename().to_string_lossy();
        if (&*name, 0).to_socket_addrs().is_ok() {
            assert_eq!(place(&format!("http://{name}:2379")), Place::Here, "{name}");
        }
        assert_eq!(place("http://no-such-host.invalid:2379"), Place::Unknown);
        for (endpoint, is) in [("http://[::1]:2381/", 2381), ("localhost", 2379)] {
            assert_eq!(port(endpoint), is, "{endpoint}");
        }
    }

    #[test]
    fn the_longest_prefix_says_the_interface() {
        let table = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n\
            eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\n\
            docker0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\n";
        let of = |ip: &str| route_v4(table, ip.parse().unwrap()).unwrap();
        assert_eq!(of("172.17.0.5"), ("docker0".to_owned(), true));
        assert_eq!(of("192.0.2.1"), ("eth0".to_owned(), false));
        let zero = "0".repeat(32);
        let row = |to: &str, length: &str, gateway: &str, name: &str| {
            format!(
                "{to} {length} {zero} 00 {gateway} 00000400 00000001 00000000 00000001 {name}\n"
            )
        };
        let table = row("fd000000000000000000000000000000", "40", &zero, "br-ab")
            + &row(&zero, "00", "fe800000000000000000000000000001", "eth0");
        let of = |ip: &str| route_v6(&table, ip.parse().unwrap()).unwrap();
        assert_eq!(of("fd00::7"), ("br-ab".to_owned(), true));
        assert_eq!(of("2001:db8::1"), ("eth0".to_owned(), false));
    }

    #[test]
    fn containers_behind_a_bridge_are_here_and_a_card_leads_out() {
        let dir = tempfile::tempdir().unwrap();
        let net = dir.path();
        for path in [
            "eth0/device",
            "veth1",
            "docker0/bridge",
            "docker0/brif/veth1",
            "br0/bridge",
            "br0/brif/eth0",
            "tun0",
        ] {
            fs::create_dir_all(net.join(path)).unwrap();
        }
        assert_eq!(behind(net, "docker0", true), Place::Here);
        assert_eq!(behind(net, "docker0", false), Place::Unknown);
        assert_eq!(behind(net, "br0", true), Place::Elsewhere);
        assert_eq!(behind(net, "eth0", true), Place::Elsewhere);
        assert_eq!(behind(net, "tun0", true), Place::Unknown);
    }
}
