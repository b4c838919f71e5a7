//! Which requests are let in: those that name this server and, where they act, those of pages that are known.
//!
//! The server asks nobody who they are, so whatever a browser on a trusted machine can send for a stranger's page has to be
//! refused by what the browser says about that page. Programs say nothing of the kind and pass.
//!
//! * `Hosts` keeps out pages whose name was made to point here.
//! * `Origin` is looked at where a request acts, costs much or opens the live stream: with every method but GET, HEAD and
//!   OPTIONS, and for a WebSocket. The answers to the others are kept from foreign pages by `cors`.
//! * `Sec-Fetch-Site` speaks where a browser sends no `Origin`, and tells browsers from programs: a foreign page cannot read
//!   what it gets, so nothing is computed for it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::Request;
use axum::http::header::HOST;
use axum::http::uri;
use axum::http::{HeaderMap, Method, StatusCode, Version};
use axum::response::Response;
use sysinfo::System;

use super::cors::Caller;
use super::error::detail;
use super::hosts::{Hosts, Known};
use super::ws;
use crate::config::{Authority, Origin, ServerSettings};

/// Where the browser says who began a request, and in which manner.
const FETCH_SITE: &str = "sec-fetch-site";
const FETCH_MODE: &str = "sec-fetch-mode";
/// The most of a client's text that an answer repeats, in characters.
const REPEATED: usize = 100;

/// Looks at every request before anything else does.
#[derive(Debug)]
pub struct Guard {
    hosts: Hosts,
    secure: bool,
    misdirected: AtomicU64,
    foreign: AtomicU64,
}

/// Why a request is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It does not say whom it means, or says so twice.
    #[error("a request names its server in one Host header")]
    NoHost,
    /// It means somebody else.
    #[error("this server is not called '{0}': if it is, say so with --allowed-hosts")]
    Misdirected(String),
    /// A page sent it that has no business here.
    #[error("the web page that sent this is not from this server, nor from an origin of --cors-origins")]
    Foreign,
}

impl Guard {
    /// The guard of a server that listens at `bound`.
    pub fn new(bound: SocketAddr, settings: &ServerSettings) -> Self {
        let hosts = Hosts::new(bound, System::host_name().as_deref(), &settings.allowed_hosts);
        Self { hosts, secure: settings.tls.is_some(), misdirected: AtomicU64::new(0), foreign: AtomicU64::new(0) }
    }

    /// Whether the request may go on; `caller` is its `Origin`.
    pub fn check(&self, request: &Request, caller: Option<&Caller>) -> Result<(), Refusal> {
        let checked = self.check_host(request).and_then(|()| self.check_page(request, caller));
        match checked {
            Ok(()) => {}
            Err(Refusal::Foreign) => drop(self.foreign.fetch_add(1, Ordering::Relaxed)),
            Err(_) => drop(self.misdirected.fetch_add(1, Ordering::Relaxed)),
        }
        checked
    }

    /// How many requests were refused, by what was wrong with them.
    pub fn refused(&self) -> [(&'static str, u64); 2] {
        [("host", &self.misdirected), ("origin", &self.foreign)]
            .map(|(reason, count)| (reason, count.load(Ordering::Relaxed)))
    }

    fn check_host(&self, request: &Request) -> Result<(), Refusal> {
        let mut named = request.headers().get_all(HOST).iter();
        let (first, second) = (named.next(), named.next());
        if second.is_some() {
            return Err(Refusal::NoHost);
        }
        // The target of HTTP/2, and of a request as to a proxy; it comes before the header, and neither may be foreign.
        let target = request.uri().authority();
        match (first, target) {
            (Some(host), None) if self.hosts.is_usual(host.as_bytes()) => return Ok(()),
            // No browser is as old as this.
            (None, None) if request.version() < Version::HTTP_11 => return Ok(()),
            (None, None) => return Err(Refusal::NoHost),
            _ => {}
        }
        let texts =
            first.map(|host| host.as_bytes()).into_iter().chain(target.map(|target| target.as_str().as_bytes()));
        for text in texts {
            let known = parse(text).and_then(|authority| self.hosts.know(&authority));
            if known.is_none() {
                let text = String::from_utf8_lossy(text);
                return Err(Refusal::Misdirected(text.chars().take(REPEATED).collect()));
            }
        }
        Ok(())
    }

    fn check_page(&self, request: &Request, caller: Option<&Caller>) -> Result<(), Refusal> {
        // A preflight is answered by `cors`, and nothing else is done for it.
        if *request.method() == Method::OPTIONS {
            return Ok(());
        }
        let acts = !matches!(*request.method(), Method::GET | Method::HEAD);
        let acts = acts || ws::is_upgrade(request.headers());
        let site = said(request.headers(), FETCH_SITE);
        // A page on another port of the same machine is of the same site, and no less foreign.
        let elsewhere = matches!(site, Some("cross-site" | "same-site"));
        let taken = match caller {
            Some(caller) if acts || elsewhere => {
                caller.is_allowed() || caller.origin().is_some_and(|origin| self.is_own(&origin, request))
            }
            Some(_) => true,
            None if acts => !elsewhere,
            // Links of other pages may be followed; images and scripts for them are not here. A page that may read asks with
            // its Origin.
            None => !elsewhere || said(request.headers(), FETCH_MODE) != Some("no-cors"),
        };
        if taken { Ok(()) } else { Err(Refusal::Foreign) }
    }

    /// Whether a page of this origin came from this server, as it listens or as the request names it.
    fn is_own(&self, origin: &Origin, request: &Request) -> bool {
        if origin.secure == self.secure && self.hosts.serve(&origin.host, origin.port) {
            return true;
        }
        let host = || request.headers().get(HOST).map(|host| host.as_bytes());
        let named = request.uri().authority().map(uri::Authority::as_str).map(str::as_bytes).or_else(host);
        let Some(authority) = named.and_then(parse) else { return false };
        let same = |secure| {
            origin.secure == secure && origin.host == authority.host && origin.port == authority.port_or_default(secure)
        };
        // A proxy that the settings know of may speak HTTPS where this server does not.
        same(self.secure) || (same(true) && self.hosts.know(&authority) == Some(Known::Configured))
    }
}

impl Refusal {
    /// What the client is told.
    pub fn answer(&self) -> Response {
        let status = match self {
            Self::NoHost => StatusCode::BAD_REQUEST,
            Self::Misdirected(_) => StatusCode::MISDIRECTED_REQUEST,
            Self::Foreign => StatusCode::FORBIDDEN,
        };
        detail(status, &self.to_string())
    }
}

fn said<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

fn parse(text: &[u8]) -> Option<Authority> {
    std::str::from_utf8(text).ok().and_then(Authority::parse)
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::super::cors::Origins;
    use super::*;
    use crate::config::{AllowedHosts, Host};

    fn check_with(settings: &ServerSettings, request: Request) -> Result<(), Refusal> {
        let guard = Guard::new("127.0.0.1:8000".parse().unwrap(), settings);
        let caller = Caller::of(request.headers(), &Origins::new(&settings.cors_origins));
        guard.check(&request, caller.as_ref())
    }

    fn request(method: Method, headers: &[(&str, &str)]) -> Request {
        let request = Request::builder().method(method).uri("/api/sql").header(HOST, "localhost:8000");
        headers
            .iter()
            .fold(request, |request, (name, value)| request.header(*name, *value))
            .body(Body::empty())
            .unwrap()
    }

    fn check(method: Method, headers: &[(&str, &str)]) -> Result<(), Refusal> {
        check_with(&ServerSettings::default(), request(method, headers))
    }

    #[test]
    fn pages_of_other_origins_cannot_act() {
        for origin in [
            "http://evil.example",
            "null",
            "",
            "http://localhost:8001",
            "https://localhost:8000",
            "http://10.0.0.9:8000",
            "http://localhost",
            "http://localhost:8000.evil.example",
            "file://",
            "http://localhost:3000/x",
        ] {
            for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
                assert_eq!(check(method.clone(), &[("origin", origin)]), Err(Refusal::Foreign), "{method} {origin}");
            }
            assert_eq!(check(Method::GET, &[("origin", origin)]), Ok(()), "{origin}");
            let upgrade = [("origin", origin), ("upgrade", "WebSocket")];
            assert_eq!(check(Method::GET, &upgrade), Err(Refusal::Foreign), "{origin}");
        }
        for first in ["http://localhost:3000", "http://localhost:8000"] {
            let twice = [("origin", first), ("origin", "http://evil.example")];
            assert_eq!(check(Method::POST, &twice), Err(Refusal::Foreign), "{first}");
        }
    }

    #[test]
    fn programs_the_servers_own_pages_and_known_ones_can() {
        for headers in [
            &[][..],
            &[("origin", "http://localhost:8000")],
            &[("origin", "http://127.0.0.1:8000")],
            &[("origin", "http://localhost:3000")],
            &[("origin", "http://localhost:5173"), ("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "same-origin")],
            &[("sec-fetch-site", "none")],
        ] {
            assert_eq!(check(Method::POST, headers), Ok(()), "{headers:?}");
        }
    }

    #[test]
    fn a_browser_that_hides_its_origin_is_known_by_what_it_says_of_the_site() {
        for site in ["cross-site", "same-site"] {
            assert_eq!(check(Method::POST, &[("sec-fetch-site", site)]), Err(Refusal::Foreign));
        }
        for site in ["cross-site", "same-site"] {
            let image = [("sec-fetch-site", site), ("sec-fetch-mode", "no-cors")];
            assert_eq!(check(Method::GET, &image), Err(Refusal::Foreign), "{site}");
            let link = [("sec-fetch-site", site), ("sec-fetch-mode", "navigate")];
            assert_eq!(check(Method::GET, &link), Ok(()), "{site}");
        }
        let own = [("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "no-cors")];
        assert_eq!(check(Method::GET, &own), Ok(()));
        let read = [("sec-fetch-site", "cross-site"), ("origin", "http://evil.example")];
        assert_eq!(check(Method::GET, &read), Err(Refusal::Foreign));
        assert_eq!(check(Method::OPTIONS, &read), Ok(()), "a preflight has an answer of its own");
    }

    #[test]
    fn a_request_names_this_server_and_no_other() {
        let named = |host: Option<&str>, target: &str, version| {
            let request = Request::builder().uri(target).version(version);
            let request = host.into_iter().fold(request, |request, host| request.header(HOST, host));
            check_with(&ServerSettings::default(), request.body(Body::empty()).unwrap())
        };
        let foreign = |host: &str| Err(Refusal::Misdirected(host.to_owned()));
        assert_eq!(named(Some("127.0.0.1:8000"), "/", Version::HTTP_11), Ok(()));
        assert_eq!(named(Some("evil.example"), "/", Version::HTTP_11), foreign("evil.example"));
        assert_eq!(named(Some(""), "/", Version::HTTP_11), foreign(""));
        assert_eq!(named(Some("localhost"), "http://evil.example/", Version::HTTP_11), foreign("evil.example"));
        assert_eq!(named(Some("evil.example"), "http://localhost/", Version::HTTP_11), foreign("evil.example"));
        assert_eq!(named(None, "http://localhost:8000/", Version::HTTP_2), Ok(()));
        assert_eq!(named(None, "http://evil.example/", Version::HTTP_2), foreign("evil.example"));
        assert_eq!(named(None, "/", Version::HTTP_11), Err(Refusal::NoHost));
        assert_eq!(named(None, "/", Version::HTTP_10), Ok(()));
    }

    #[test]
    fn behind_a_proxy_the_page_may_be_secure_where_the_server_is_not() {
        let proxy = AllowedHosts::Named(vec![Host::parse("desk.example").unwrap()]);
        let settings = ServerSettings { allowed_hosts: proxy, ..Default::default() };
        let sent = |origin: &str| {
            let request = Request::post("/api/sql").header(HOST, "desk.example").header("origin", origin);
            check_with(&settings, request.body(Body::empty()).unwrap())
        };
        assert_eq!(sent("https://desk.example"), Ok(()));
        assert_eq!(sent("http://desk.example"), Ok(()));
        assert_eq!(sent("https://desk.example:8443"), Err(Refusal::Foreign));
        assert_eq!(sent("https://evil.example"), Err(Refusal::Foreign));
    }
}
