//! What a value looks like as text.
//!
//! Each type is read by its `FromStr`, whether the text stands on the command line, in the environment or in the file,
//! so that the same values are accepted, and refused with the same words, everywhere.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::de::{Deserializer, Error, SeqAccess, Visitor};

use crate::config::{self, AllowedHosts};
use crate::location::Location;

/// A whole number within bounds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whole<const MIN: usize, const MAX: usize>(usize);

/// A length of time: `1` and `0.5` are seconds; `500ms`, `30s`, `5m`, `1h`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span(Duration);

/// A long time, or `off`: `90s`, `30m`, `24h`, `7d`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Every(Option<Duration>);

/// A directory, or `s3://bucket/prefix`.
#[derive(Debug, Clone)]
pub(super) struct Address(Location);

/// A number of bytes: `1048576`, `512MB`, `2GB`, `1GiB`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Size(u64);

/// A number above zero.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rate(f64);

/// An address to listen on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Host(IpAddr);

/// The `http` or `https` address of a service.
#[derive(Debug, Clone)]
pub(super) struct ServiceUrl(String);

/// Origins of web pages, with commas between.
#[derive(Debug, Clone)]
pub(super) struct Origins(Vec<String>);

/// Names and addresses of the server, with commas between, or `*`.
#[derive(Debug, Clone)]
pub(super) struct Hosts(AllowedHosts);

/// A log level in the words of either world, or a filter with a level for each target.
#[derive(Debug, Clone)]
pub(super) struct Level(String);

/// A directory, or `none`.
#[derive(Debug, Clone)]
pub(super) struct OptionalDirectory(Option<PathBuf>);

/// Gives the accepted form of a value that was refused.
#[derive(Debug)]
pub(super) struct Expected(String);

impl fmt::Display for Expected {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "expected {}", self.0)
    }
}

impl std::error::Error for Expected {}

pub(super) fn expected<T>(form: impl Into<String>) -> Result<T, Expected> {
    Err(Expected(form.into()))
}

impl<const MIN: usize, const MAX: usize> FromStr for Whole<MIN, MAX> {
    type Err = Expected;

    fn from_str(text: &str) -> Result<Self, Expected> {
        match text.parse() {
            Ok(number) if (MIN..=MAX).contains(&number) => Ok(Self(number)),
            _ => expected(format!("a whole number from {MIN} to {MAX}")),
        }
    }
}

impl FromStr for Span {
    type Err = Expected;

    fn from_str(text: &str) -> Result<Self, Expected> {
        const UNITS: [(&str, f64); 5] = [("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3_600.0), ("", 1.0)];
        match measure(text, &UNITS) {
            Some(seconds) if (0.001..=86_400.0).contains(&seconds) => Ok(Self(Duration::from_secs_f64(seconds))),
            _ => expected("a time of at least 1ms and at most 24h, such as 0.5 (seconds), 500ms, 30s or 5m"),
        }
    }
}

impl FromStr for Every {
    type Err = Expected;

    fn from_str(text: &str) -> Result<Self, Expected> {
        const UNITS: [(&str, f64); 4] = [("s", 1.0), ("m", 60.0), ("h", 3_600.0), ("d", 86_400.0)];
        if text == "off" {
            return Ok(Self(None));
        }
        match measure(text, &UNITS) {
            Some(seconds) if (1.0..=366.0 * 86_400.0).contains(&seconds) => {
                Ok(Self(Some(Duration::from_secs_f64(seconds))))
            }
            _ => expected("a time from 1s to 366d with its unit, such as 30m, 24h or 7d, or off"),
        }
    }
}

impl FromStr for Address {
    type Err = Expected;

    fn from_str(text: &str) -> Result<Self, Expected> {
        match Location::parse(text) {
            Ok(location) if !text.is_empty() => Ok(Self(location)),
            _ => expected("a directory, or s3://bucket or s3://bucket/prefix"),
        }
    }
}

impl FromStr for Size {
    type Err = Expected;

    fn from_str(text: &str) -> Result<Self, Expected> {
        const UNITS: [(&str, f64); 9] = [
            ("kib", 1_024.0),
            ("mib", 1_048_576.0),
            ("gib", 1_073_741_824.0),
            ("tib", 1_099_511_627_776.0),
            ("kb", 1e3),
            ("mb", 1e6),
            ("gb", 1e9),
            ("tb", 1e12),
            ("", 1.0),
        ];
        match measure(text, &UNITS) {
            Some(bytes) if (1e3..=1e15).contains(&bytes) => Ok(Self(bytes as u64)),
            _ => expected("a size from 1KB to 1000TB, such as 512MB, 2GB or 1GiB"),
        }
    }
}

/// A number followed by one of `units`; the empty unit stands for none and comes last.
fn measure(text: &str, units: &[(&str, f64)]) -> Option<f64> {
    let text = text.trim().to_ascii_lowercase();
    let (number, factor) =
        units.iter().find_map(|(unit, factor)| text.strip_suffix(unit).map(|number| (number.trim_end(), factor)))?;
    // Words such as `inf` are numbers to the parser, not to a reader of a settings file.
    let plain = number.starts_with(|first: char| first.is_ascii_digit() || first == '.');
    let value: f64 = number.parse().ok().filter(|_| plain)?;
    Some(value * factor)
}

impl FromStr for Rate {
    type Err = Expected;

    fn from_str(text: &str) -> Result<Self, Expected> {
        match text.parse() {
            Ok(rate) if (0.001..=100_000.0).contains(&rate) => Ok(Self(rate)),
            _ => expected("a number from 0.001 to 100000"),
        }
    }
}

impl FromStr for Host {
    type Err = Expected;

    fn from_str(text: &str) -> Result<Self, Expected> {
        if text.eq_ignore_ascii_case("localhost") {
            return Ok(Self(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        }
        text.parse().map(Self).or_else(|_| expected("an IP address such as 127.0.0.1, 0.0.0.0 or ::1, or localhost"))
    }
}

impl FromStr for ServiceUrl {
    type Err = Expected;

    fn from_str(text: &str) -> Result<Self, Expected> {
        match reqwest::Url::parse(text) {
            Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(Self(text.into())),
            _ => expected("an address such as http://127.0.0.1:9091/metrics"),
        }
    }
}

impl FromStr for Origins {
    type Err = Expected;

    fn from_str(text: &str) -> Result<Self, Expected> {
        let origins = text.split(',').map(str::trim).filter(|origin| !origin.is_empty());
        origins
            .map(|origin| match reqwest::Url::parse(origin) {
                // Browsers send an origin in exactly this form and it is compared byte by byte.
                Ok(url) if url.origin().ascii_serialization() == origin => Ok(origin.to_owned()),
                _ => expected(
                    "origins such as http://localhost:3000, lower case and without a path, with commas between",
                ),
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl FromStr for Hosts {
    type Err = Expected;

    fn from_str(text: &str) -> Result<Self, Expected> {
        if text.trim() == "*" {
            return Ok(Self(AllowedHosts::Any));
        }
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(config::Host::parse);
        match names.collect::<Option<Vec<_>>>() {
            Some(names) => Ok(Self(AllowedHosts::Named(names))),
            None => expected("names or addresses such as desk.example, without a port and with commas between, or *"),
        }
    }
}

impl FromStr for Level {
    type Err = Expected;

    fn from_str(text: &str) -> Result<Self, Expected> {
        let form =
            "critical, error, warning, info, debug or trace, or a filter such as info,observability_api::store=debug";
        let level = match text.to_ascii_lowercase().as_str() {
            "critical" | "error" => "error",
            "warning" | "warn" => "warn",
            "info" => "info",
            "debug" => "debug",
            "trace" => "trace",
            // A lone unknown word would be taken for a target and log everything of it.
            _ if text.contains('=') && tracing_subscriber::EnvFilter::try_new(text).is_ok() => text,
            _ => return expected(form),
        };
        Ok(Self(level.into()))
    }
}

impl FromStr for OptionalDirectory {
    type Err = Expected;

    fn from_str(text: &str) -> Result<Self, Expected> {
        match text {
            "" => expected("a directory, or none"),
            "none" => Ok(Self(None)),
            path => Ok(Self(Some(PathBuf::from(path)))),
        }
    }
}

/// Reads a setting of the file through its `FromStr`: text and numbers as they stand, a list joined by commas.
pub(super) fn from_file<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: fmt::Display>,
{
    one(deserializer).map(Some)
}

/// Reads one value of the file through its `FromStr`.
pub(super) fn one<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: fmt::Display>,
{
    deserializer.deserialize_any(SettingVisitor(std::marker::PhantomData))
}

struct SettingVisitor<T>(std::marker::PhantomData<T>);

impl<'de, T: FromStr<Err: fmt::Display>> Visitor<'de> for SettingVisitor<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("text, a number, true or false, or a list of texts")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        if text.is_empty() {
            return Err(E::custom("expected a value, not an empty text; leave the line out to keep the default"));
        }
        text.parse().map_err(|error| E::custom(format!("invalid value '{text}': {error}")))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<T, E> {
        self.visit_str(&value.to_string())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<T, E> {
        self.visit_str(&value.to_string())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<T, E> {
        self.visit_str(&value.to_string())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<T, A::Error> {
        let mut items: Vec<String> = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        items.join(",").parse().map_err(|error| A::Error::custom(format!("invalid value {items:?}: {error}")))
    }
}

impl<const MIN: usize, const MAX: usize> From<Whole<MIN, MAX>> for usize {
    fn from(value: Whole<MIN, MAX>) -> Self {
        value.0
    }
}

impl<const MIN: usize> From<Whole<MIN, 65_535>> for u16 {
    fn from(value: Whole<MIN, 65_535>) -> Self {
        Self::try_from(value.0).unwrap_or(Self::MAX)
    }
}

impl<const MIN: usize, const MAX: usize> From<Whole<MIN, MAX>> for u64 {
    fn from(value: Whole<MIN, MAX>) -> Self {
        Self::try_from(value.0).unwrap_or(Self::MAX)
    }
}

impl From<Span> for Duration {
    fn from(value: Span) -> Self {
        value.0
    }
}

impl From<Every> for Option<Duration> {
    fn from(value: Every) -> Self {
        value.0
    }
}

impl From<Address> for Location {
    fn from(value: Address) -> Self {
        value.0
    }
}

impl From<Size> for u64 {
    fn from(value: Size) -> Self {
        value.0
    }
}

impl From<Size> for usize {
    fn from(value: Size) -> Self {
        Self::try_from(value.0).unwrap_or(Self::MAX)
    }
}

impl From<Rate> for f64 {
    fn from(value: Rate) -> Self {
        value.0
    }
}

impl From<Host> for IpAddr {
    fn from(value: Host) -> Self {
        value.0
    }
}

impl From<ServiceUrl> for String {
    fn from(value: ServiceUrl) -> Self {
        value.0
    }
}

impl From<Origins> for Vec<String> {
    fn from(value: Origins) -> Self {
        value.0
    }
}

impl From<Hosts> for AllowedHosts {
    fn from(value: Hosts) -> Self {
        value.0
    }
}

impl From<Level> for String {
    fn from(value: Level) -> Self {
        value.0
    }
}

impl From<OptionalDirectory> for Option<PathBuf> {
    fn from(value: OptionalDirectory) -> Self {
        value.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_seconds_unless_they_say_otherwise() {
        let seconds = |text: &str| text.parse::<Span>().map(|Span(time)| time.as_secs_f64()).ok();
        assert_eq!(seconds("1"), Some(1.0));
        assert_eq!(seconds("1.5"), Some(1.5));
        assert_eq!(seconds("500ms"), Some(0.5));
        assert_eq!(seconds("30s"), Some(30.0));
        assert_eq!(seconds("5 m"), Some(300.0));
        for refused in ["0", "-1", "nan", "inf", "", "s", "1d", "25h", "5 minutes"] {
            assert_eq!(seconds(refused), None, "{refused}");
        }
    }

    #[test]
    fn intervals_have_a_unit_or_are_off() {
        let seconds = |text: &str| text.parse::<Every>().map(|Every(time)| time.map(|time| time.as_secs())).ok();
        assert_eq!(seconds("off"), Some(None));
        assert_eq!(seconds("24h"), Some(Some(86_400)));
        assert_eq!(seconds("7d"), Some(Some(604_800)));
        for refused in ["", "0s", "24", "367d", "never", "-1h"] {
            assert_eq!(seconds(refused), None, "{refused}");
        }
    }

    #[test]
    fn sizes_know_both_kinds_of_units() {
        let bytes = |text: &str| text.parse::<Size>().map(|Size(bytes)| bytes).ok();
        assert_eq!(bytes("512MB"), Some(512_000_000));
        assert_eq!(bytes("1GiB"), Some(1 << 30));
        assert_eq!(bytes("1.5 gb"), Some(1_500_000_000));
        assert_eq!(bytes("65536"), Some(65_536));
        for refused in ["0", "MB", "-5MB", "1e30", "lots", "12"] {
            assert_eq!(bytes(refused), None, "{refused}");
        }
    }

    #[test]
    fn levels_are_words_in_any_case_or_a_filter() {
        let level = |text: &str| text.parse::<Level>().map(|Level(level)| level).ok();
        assert_eq!(level("CRITICAL").as_deref(), Some("error"));
        assert_eq!(level("Warning").as_deref(), Some("warn"));
        assert_eq!(level("INFO").as_deref(), Some("info"));
        assert_eq!(level("warn,observability_api=trace").as_deref(), Some("warn,observability_api=trace"));
        assert_eq!(level("verbose"), None);
        assert_eq!(level("a=loud"), None);
    }

    #[test]
    fn hosts_have_no_port() {
        let hosts = |text: &str| text.parse::<Hosts>().map(|Hosts(hosts)| hosts).ok();
        let named = |names: &[&str]| names.iter().map(|name| config::Host::parse(name).unwrap()).collect();
        assert_eq!(hosts("Desk.example, [fd00::1]"), Some(AllowedHosts::Named(named(&["desk.example", "fd00::1"]))));
        assert_eq!(hosts("*"), Some(AllowedHosts::Any));
        for refused in ["desk.example:8000", "http://desk.example", "*.desk.example", "a b"] {
            assert_eq!(hosts(refused), None, "{refused}");
        }
    }

    #[test]
    fn origins_are_exactly_what_a_browser_sends() {
        let origins = |text: &str| text.parse::<Origins>().map(|Origins(origins)| origins).ok();
        assert_eq!(
            origins("http://localhost:3000, https://desk.example").unwrap(),
            ["http://localhost:3000", "https://desk.example"]
        );
        for refused in ["localhost:3000", "http://localhost:3000/", "http://LOCALHOST", "*"] {
            assert_eq!(origins(refused), None, "{refused}");
        }
    }
}
