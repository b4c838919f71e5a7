//! Hosts and ports as settings and requests spell them, in one spelling.

use std::net::{IpAddr, Ipv6Addr};

/// A host, and the port where one is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// The host.
    pub host: Host,
    /// The port.
    pub port: Option<u16>,
}

/// Who is meant. Names are in lower case and without a dot at the end; an IPv4 address is never written as an IPv6 one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// An address.
    Address(IpAddr),
    /// A name.
    Name(String),
}

/// Where a page comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Whether it came by HTTPS.
    pub secure: bool,
    /// The host that served it.
    pub host: Host,
    /// The port, also where the spelling leaves it out.
    pub port: u16,
}

impl Authority {
    /// Reads `localhost:8000`, `127.0.0.1` or `[::1]:8000`; nothing else may stand around it.
    pub fn parse(text: &str) -> Option<Self> {
        let (host, rest) = match text.strip_prefix('[') {
            Some(bracketed) => bracketed.split_once(']')?,
            None => text.split_at(text.find(':').unwrap_or(text.len())),
        };
        let host = if text.starts_with('[') { Host::of_ipv6(host)? } else { Host::of_name(host)? };
        let port = match rest.strip_prefix(':') {
            None if rest.is_empty() => None,
            None => return None,
            Some("") => None,
            Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => Some(digits.parse().ok()?),
            Some(_) => return None,
        };
        Some(Self { host, port })
    }

    /// The port, or the one that goes without saying.
    pub fn port_or_default(&self, secure: bool) -> u16 {
        self.port.unwrap_or(default_port(secure))
    }
}

impl Host {
    /// Reads a name or an address; an IPv6 address may go without brackets.
    pub fn parse(text: &str) -> Option<Self> {
        let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        Self::of_ipv6(bare).or_else(|| Self::of_name(text))
    }

    fn of_name(text: &str) -> Option<Self> {
        let text = text.strip_suffix('.').unwrap_or(text);
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_".contains(&byte);
        if text.is_empty() || text.starts_with('.') || !text.bytes().all(allowed) {
            return None;
        }
        Some(match text.parse::<IpAddr>() {
            Ok(address) => Self::Address(address),
            Err(_) => Self::Name(text.to_ascii_lowercase()),
        })
    }

    /// Reads what stands between brackets, with or without a zone.
    fn of_ipv6(text: &str) -> Option<Self> {
        let address = text.split_once('%').map_or(text, |(address, _zone)| address);
        Some(Self::Address(IpAddr::V6(address.parse::<Ipv6Addr>().ok()?).to_canonical()))
    }
}

impl Origin {
    /// Reads `http://localhost:3000`. What has no host, as `null`, is none.
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let secure = match scheme {
            _ if scheme.eq_ignore_ascii_case("http") => false,
            _ if scheme.eq_ignore_ascii_case("https") => true,
            _ => return None,
        };
        let authority = Authority::parse(authority)?;
        Some(Self { secure, port: authority.port_or_default(secure), host: authority.host })
    }
}

const fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_host_has_one_spelling() {
        for (text, same) in [
            ("LocalHost:8000", "localhost:8000"),
            ("localhost.:8000", "localhost:8000"),
            ("localhost:", "localhost"),
            ("[::FFFF:127.0.0.1]:1", "127.0.0.1:1"),
            ("[0:0::1]", "[::1]"),
            ("[fe80::1%25eth0]:80", "[fe80::1]:80"),
        ] {
            assert_eq!(Authority::parse(text), Authority::parse(same), "{text}");
            assert!(Authority::parse(text).is_some(), "{text}");
        }
    }

    #[test]
    fn what_is_no_authority_is_not_taken_for_one() {
        for text in [
            "",
            ".",
            ":8000",
            "localhost:+1",
            "localhost:65536",
            "a@localhost",
            "localhost/x",
            "::1",
            "[::1",
            "[::1]x",
            "local host",
            "[localhost]",
            "a..:1x",
            "münchen.example",
        ] {
            assert_eq!(Authority::parse(text), None, "{text}");
        }
    }

    #[test]
    fn origins_name_their_port_or_mean_the_usual_one() {
        assert_eq!(Origin::parse("http://a.example"), Origin::parse("HTTP://A.example.:80"));
        assert_eq!(Origin::parse("https://a.example"), Origin::parse("https://a.example:443"));
        assert_ne!(Origin::parse("http://a.example"), Origin::parse("https://a.example:80"));
        for text in ["null", "", "file://", "http://a.example/", "http://u@a.example", "a.example", "ws://a.example"] {
            assert_eq!(Origin::parse(text), None, "{text}");
        }
    }
}
