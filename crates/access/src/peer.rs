//! Whose address a request comes from: the peer's, or what proxies say that are believed.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use ipnet::IpNet;

/// What counts as one place: an IPv4 address, or the /64 of an IPv6 address, which is what one subscriber has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Block(IpAddr);

impl From<IpAddr> for Block {
    fn from(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
            v4 => v4,
        })
    }
}

impl std::fmt::Display for Block {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            IpAddr::V4(v4) => v4.fmt(f),
            IpAddr::V6(v6) => write!(f, "{v6}/64"),
        }
    }
}

/// The proxies that are believed when they say for whom they ask: none, unless an operator names them.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<IpNet>);

impl TrustedProxies {
    /// Proxies of these networks.
    #[must_use]
    pub fn new(networks: Vec<IpNet>) -> Self {
        Self(networks)
    }

    /// Reads a network, `10.0.0.0/8`, or a single address.
    ///
    /// # Errors
    /// Says what is expected.
    pub fn parse_network(text: &str) -> Result<IpNet, String> {
        let single = || text.parse::<IpAddr>().map(IpNet::from);
        text.parse::<IpNet>()
            .or_else(|_| single())
            .map_err(|_| "give a network, as 10.0.0.0/8, or an address".to_owned())
    }

    /// Whether what comes from this address is believed.
    #[must_use]
    pub fn believes(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Who asks. `forwarded` gives the values of `Forwarded` (RFC 7239), or else of `X-Forwarded-For`, in their order.
    /// They are read from behind for as long as whoever added them is believed; what stands before was written by
    /// anybody. An entry that is no address ends the way there: the last proxy that is known is taken.
    pub fn client<'h>(&self, peer: SocketAddr, forwarded: impl Iterator<Item = &'h str>) -> IpAddr {
        let mut client = peer.ip();
        if !self.believes(client) {
            return client;
        }
        let hops: Vec<&str> = forwarded.flat_map(|value| value.split(',')).collect();
        for hop in hops.iter().rev() {
            let Some(address) = address_of(hop) else { break };
            client = address;
            if !self.believes(client) {
                break;
            }
        }
        client.to_canonical()
    }

    /// Whether anybody is believed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The address in one entry: `192.0.2.1`, `"[2001:db8::1]:4711"`, or `for=..` among other parameters.
fn address_of(hop: &str) -> Option<IpAddr> {
    let parameters = || hop.split(';').map(str::trim);
    let named = parameters().find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| value.trim())
    });
    let text = match named {
        Some(value) => value,
        // Parameters, and none of them says for whom.
        None if hop.contains('=') => return None,
        None => hop.trim(),
    };
    let text = text.trim_matches('"');
    let bare = || text.strip_prefix('[').and_then(|text| text.strip_suffix(']'))?.parse().ok();
    text.parse::<IpAddr>()
        .ok()
        .or_else(bare)
        .or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}
