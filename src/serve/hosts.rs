//! The names and addresses that this server is called by.
//!
//! A page whose name is made to point to this machine (DNS rebinding) is of the same origin as the server for its browser,
//! but it cannot hide its name: the browser sends it as `Host`. So a request is taken only if it names the server.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::config::{AllowedHosts, Authority, Host};

/// What the server is called.
#[derive(Debug)]
pub struct Hosts {
    /// How nearly all requests spell it, so that they need not be read.
    usual: Vec<String>,
    port: u16,
    own: HashSet<Host>,
    configured: HashSet<Host>,
    any_address: bool,
    any: bool,
}

/// By what right a name is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// The server listens as it.
    Own,
    /// The settings name it: there may be a proxy in front, which speaks HTTPS in the server's place.
    Configured,
}

impl Hosts {
    /// The names of a server that listens at `bound`, on a machine called `machine`.
    pub fn new(bound: SocketAddr, machine: Option<&str>, allowed: &AllowedHosts) -> Self {
        let address = bound.ip().to_canonical();
        let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        let mut own: HashSet<Host> = loopback.into_iter().chain([address]).map(Host::Address).collect();
        own.insert(Host::Name("localhost".to_owned()));
        // Others reach the machine by its name; on its loopback addresses they do not.
        if !address.is_loopback()
            && let Some(machine) = machine.and_then(Host::parse)
        {
            own.insert(machine);
        }
        let port = bound.port();
        let usual = [format!("127.0.0.1:{port}"), format!("localhost:{port}"), bound.to_string()];
        let (configured, any) = match allowed {
            AllowedHosts::Any => (HashSet::new(), true),
            AllowedHosts::Named(names) => (names.iter().cloned().collect(), false),
        };
        Self { usual: usual.into(), port, own, configured, any_address: address.is_unspecified(), any }
    }

    /// Whether this is how requests usually name the server.
    pub fn is_usual(&self, text: &[u8]) -> bool {
        self.usual.iter().any(|usual| usual.as_bytes() == text)
    }

    /// Whether pages of this host and port are served by this server, under whatever name it was called.
    pub fn serve(&self, host: &Host, port: u16) -> bool {
        port == self.port && self.own.contains(host)
    }

    /// Whether the server is called so. Where it listens on every address of the machine, it has any address, since a page
    /// that is made to point here always has a name.
    pub fn know(&self, authority: &Authority) -> Option<Known> {
        let host = &authority.host;
        if self.configured.contains(host) {
            Some(Known::Configured)
        } else if self.own.contains(host) || (self.any_address && matches!(host, Host::Address(_))) {
            Some(Known::Own)
        } else {
            self.any.then_some(Known::Configured)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(hosts: &Hosts, text: &str) -> Option<Known> {
        hosts.know(&Authority::parse(text).unwrap())
    }

    fn bound(address: &str, allowed: AllowedHosts) -> Hosts {
        Hosts::new(address.parse().unwrap(), Some("Desk7"), &allowed)
    }

    #[test]
    fn a_loopback_server_has_the_names_of_loopback() {
        let hosts = bound("127.0.0.1:8000", AllowedHosts::default());
        for text in ["127.0.0.1:8000", "localhost:8000", "LOCALHOST.", "[::1]:8000", "127.0.0.1", "localhost:9000"] {
            assert_eq!(known(&hosts, text), Some(Known::Own), "{text}");
        }
        for text in ["evil.example", "localhost.evil.example", "desk7:8000", "10.0.0.1:8000", "0.0.0.0", "127.1", "x"] {
            assert_eq!(known(&hosts, text), None, "{text}");
        }
    }

    #[test]
    fn a_server_for_every_address_has_any_address_and_the_name_of_its_machine() {
        for address in ["0.0.0.0:8000", "[::]:8000"] {
            let hosts = bound(address, AllowedHosts::default());
            for text in ["10.0.0.1:8000", "[fd00::1]:8000", "localhost", "desk7:8000", "0.0.0.0:8000"] {
                assert_eq!(known(&hosts, text), Some(Known::Own), "{address} {text}");
            }
            assert_eq!(known(&hosts, "evil.example"), None);
        }
        let hosts = bound("10.0.0.1:8000", AllowedHosts::default());
        assert_eq!(known(&hosts, "desk7"), Some(Known::Own));
        assert_eq!(known(&hosts, "10.0.0.2"), None);
    }

    #[test]
    fn it_serves_the_pages_of_its_own_names_only() {
        let serves = |hosts: &Hosts, host: &str, port| hosts.serve(&Host::parse(host).unwrap(), port);
        for address in ["127.0.0.1:8000", "0.0.0.0:8000"] {
            let hosts = bound(address, AllowedHosts::Any);
            assert!(serves(&hosts, "localhost", 8_000) && serves(&hosts, "127.0.0.1", 8_000));
            assert!(!serves(&hosts, "localhost", 3_000) && !serves(&hosts, "10.0.0.9", 8_000));
            assert!(!serves(&hosts, "evil.example", 8_000));
        }
    }

    #[test]
    fn the_settings_add_names() {
        let named = AllowedHosts::Named(["desk.example", "fd00::2"].map(|name| Host::parse(name).unwrap()).into());
        let hosts = bound("127.0.0.1:8000", named);
        assert_eq!(known(&hosts, "Desk.Example:443"), Some(Known::Configured));
        assert_eq!(known(&hosts, "[fd00::2]"), Some(Known::Configured));
        assert_eq!(known(&hosts, "sub.desk.example"), None);
        assert_eq!(known(&bound("127.0.0.1:8000", AllowedHosts::Any), "evil.example"), Some(Known::Configured));
    }
}
