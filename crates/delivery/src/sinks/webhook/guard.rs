//! Keeps an endpoint from being an address inside: whoever may make a sink must not reach what only this host can.
//!
//! Addresses are checked when a connection is made, after the name was resolved, so that a name cannot be one thing for the
//! check and another for the connection.

use std::error::Error;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// An address that is not called.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    host: String,
    address: IpAddr,
    rule: &'static str,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, address, rule } = self;
        if host.parse() == Ok(*address) {
            write!(f, "{address} is {rule}")?;
        } else {
            write!(f, "{host} is {address}, {rule}")?;
        }
        write!(f, ": such addresses are called only with \"allow_private\": true in the sink's target")
    }
}

impl Error for Refused {}

/// Sees whether an address may be called under this name.
pub(crate) fn check(host: &str, address: IpAddr) -> Result<(), Refused> {
    match rule_against(address) {
        Some(rule) => Err(Refused { host: host.to_owned(), address, rule }),
        None => Ok(()),
    }
}

/// Resolves as the host does, and refuses a name if any of its addresses is refused.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GuardedResolver {
    pub(crate) allow_private: bool,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let host = name.as_str();
            // The port is the URL's.
            let found = tokio::net::lookup_host((host, 0)).await;
            let found: Vec<SocketAddr> =
                found.map_err(|error| format!("{host} cannot be resolved: {error}"))?.collect();
            if !allow_private {
                found.iter().try_for_each(|address| check(host, address.ip()))?;
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// What speaks against an address, where it is not one of the public Internet (the registries of RFC 6890).
fn rule_against(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(address) => rule_against_v4(address),
        IpAddr::V6(address) => rule_against_v6(address),
    }
}

fn rule_against_v4(address: Ipv4Addr) -> Option<&'static str> {
    let rule = match address.octets() {
        [0, ..] => "an unspecified address",
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] => "a private address",
        [100, 64..=127, ..] => "an address of carrier-grade NAT",
        [127, ..] => "a loopback address",
        [169, 254, 169, 254] => "the address of a cloud's metadata",
        [169, 254, ..] => "a link-local address",
        [192, 0, 0, _] | [192, 88, 99, _] => "an address for protocols",
        [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] => "an address for documentation",
        [198, 18 | 19, ..] => "an address for benchmarks",
        [224..=239, ..] => "a multicast address",
        [240..=255, ..] => "a reserved address",
        _ => return None,
    };
    Some(rule)
}

fn rule_against_v6(address: Ipv6Addr) -> Option<&'static str> {
    if address.is_unspecified() {
        return Some("an unspecified address");
    }
    if address.is_loopback() {
        return Some("a loopback address");
    }
    if let Some(embedded) = embedded_v4(address) {
        return rule_against_v4(embedded);
    }
    let rule = match address.segments() {
        [0x64, 0xff9b, 1, ..] => "a private address",
        [0x2001, 0x0db8, ..] | [0x3fff, 0..=0x0fff, ..] => "an address for documentation",
        // Teredo among them, whose addresses say of themselves where they lead.
        [0x2001, 0..=0x01ff, ..] => "an address for protocols",
        [0xfc00..=0xfdff, ..] => "a unique local address",
        [0xfe80..=0xfebf, ..] => "a link-local address",
        [0xfec0..=0xfeff, ..] => "a site-local address",
        [0xff00..=0xffff, ..] => "a multicast address",
        [0x2000..=0x3fff, ..] => return None,
        _ => "a reserved address",
    };
    Some(rule)
}

/// The IPv4 address that one of IPv6 leads to: mapped, compatible, translated (NAT64), 6to4, ISATAP.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let of = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low] | [0, 0, 0, 0, 0xffff, 0, high, low] => Some(of(high, low)),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(of(high, low)),
        [0x2002, high, low, ..] => Some(of(high, low)),
        [_, _, _, _, 0 | 0x0200, 0x5efe, high, low] => Some(of(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_addresses_of_the_public_internet_are_called() {
        for (rule, addresses) in [
            ("unspecified", "0.0.0.0 0.1.2.3 ::"),
            ("private", "10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 64:ff9b:1::1"),
            ("carrier-grade", "100.64.0.1 100.127.255.255"),
            ("loopback", "127.0.0.1 127.255.255.254 ::1"),
            ("metadata", "169.254.169.254 ::ffff:169.254.169.254"),
            ("link-local", "169.254.0.1 fe80::1 febf::1"),
            ("site-local", "fec0::1"),
            ("protocols", "192.0.0.8 192.88.99.1 2001::1 2001:20::1"),
            ("documentation", "192.0.2.1 198.51.100.7 203.0.113.9 2001:db8::1 3fff::1"),
            ("benchmarks", "198.18.0.1 198.19.255.255"),
            ("multicast", "224.0.0.1 239.255.255.250 ff02::1"),
            ("reserved", "240.0.0.1 255.255.255.255 100::1 5f00::1 4000::1"),
            ("unique local", "fc00::1 fd00:ec2::254 fdff::1"),
            ("loopback", "::ffff:127.0.0.1 ::127.0.0.1 ::ffff:0:7f00:1 64:ff9b::7f00:1 2002:7f00:1::"),
            ("private", "::ffff:10.0.0.1 64:ff9b::a00:1 2002:c0a8:101::1 2a00:1450::5efe:a00:1"),
        ] {
            for address in addresses.split(' ') {
                let refused = check("shop.example", address.parse().unwrap()).unwrap_err();
                assert!(refused.rule.contains(rule), "{address}: {refused}");
            }
        }
        for address in "1.1.1.1 8.8.8.8 172.15.0.1 172.32.0.1 100.63.0.1 100.128.0.1 169.253.0.1 192.0.1.1 \
            192.167.0.1 198.17.0.1 223.255.255.255 2606:4700::1111 2a00:1450:4001::1 2001:4860:4860::8888 \
            64:ff9b::808:808 2002:808:808::1 ::ffff:8.8.8.8"
            .split_whitespace()
        {
            assert_eq!(check("shop.example", address.parse().unwrap()), Ok(()), "{address}");
        }
    }

    #[test]
    fn a_refusal_names_the_address_the_rule_and_the_setting() {
        let said = |host| check(host, IpAddr::V4(Ipv4Addr::LOCALHOST)).unwrap_err().to_string();
        assert!(said("127.0.0.1").starts_with("127.0.0.1 is a loopback address:"));
        let said = said("localhost");
        assert!(
            said.starts_with("localhost is 127.0.0.1, a loopback") && said.contains("allow_private"),
            "{said}"
        );
    }

    #[tokio::test]
    async fn a_name_is_checked_after_it_was_resolved() {
        let resolve = async |allow_private| {
            GuardedResolver { allow_private }.resolve("localhost".parse().unwrap()).await
        };
        let refused = resolve(false).await.err().unwrap();
        assert!(refused.downcast_ref::<Refused>().is_some(), "{refused}");
        assert!(resolve(true).await.unwrap().all(|address| address.ip().is_loopback()));
    }
}
