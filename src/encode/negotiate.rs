//! Which format a client asked for, and which one it sends.

/// A format in which rows travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// A JSON array of objects, or a JSON document with one in it.
    Json,
    /// Arrow IPC, streaming form.
    Arrow,
    /// A Parquet file.
    Parquet,
    /// Comma-separated values with a header line.
    Csv,
    /// One JSON object a line.
    Ndjson,
}

/// The name after `format=` is none of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown format \"{0}\": use one of json, arrow, parquet, csv, ndjson")]
pub struct UnknownFormat(pub String);

impl Format {
    /// All of them; of those that please a client equally, the first is chosen.
    pub const ALL: [Self; 5] = [Self::Json, Self::Arrow, Self::Parquet, Self::Csv, Self::Ndjson];

    /// Its name in `?format=`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Arrow => "arrow",
            Self::Parquet => "parquet",
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
        }
    }

    /// Its media type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Arrow => "application/vnd.apache.arrow.stream",
            Self::Parquet => "application/vnd.apache.parquet",
            Self::Csv => "text/csv",
            Self::Ndjson => "application/x-ndjson",
        }
    }

    /// The usual end of a file name, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Arrow => "arrows",
            Self::Parquet => "parquet",
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
        }
    }

    /// Reads a name of `?format=`, in any case.
    pub fn parse(name: &str) -> Result<Self, UnknownFormat> {
        let found = Self::ALL.into_iter().find(|format| format.name().eq_ignore_ascii_case(name));
        found.ok_or_else(|| UnknownFormat(name.to_owned()))
    }

    /// The format of an answer: the `format` parameter wins over the `Accept` header, and JSON answers when neither
    /// decides. An `Accept` that names none of our formats gets JSON too, because legacy clients send all kinds of it.
    pub fn negotiate(format: Option<&str>, accept: Option<&str>) -> Result<Self, UnknownFormat> {
        match format.filter(|name| !name.is_empty()) {
            Some(name) => Self::parse(name),
            None => Ok(accept.and_then(Self::accepted).unwrap_or(Self::Json)),
        }
    }

    /// The format of a body with this `Content-Type`; parameters and case do not matter.
    pub fn from_content_type(content_type: &str) -> Option<Self> {
        let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let exact = Self::ALL.into_iter().find(|format| format.content_type() == media_type);
        exact.or_else(|| match media_type.as_str() {
            "application/ndjson" | "application/jsonl" | "application/x-jsonlines" => Some(Self::Ndjson),
            "application/csv" => Some(Self::Csv),
            other if other.starts_with("application/") && other.ends_with("+json") => Some(Self::Json),
            _ => None,
        })
    }

    /// The best of our formats for an `Accept` header: by quality, then by how plainly it was named, then by the
    /// header's order, then by ours.
    fn accepted(accept: &str) -> Option<Self> {
        let ranges: Vec<MediaRange> = accept.split(',').enumerate().filter_map(MediaRange::parse).collect();
        let mut best: Option<(Self, &MediaRange)> = None;
        for format in Self::ALL {
            let candidate = ranges.iter().filter(|range| range.covers(format)).max_by_key(|range| range.specificity);
            let Some(range) = candidate.filter(|range| range.quality > 0) else { continue };
            if best.is_none_or(|(_, chosen)| range.rank() > chosen.rank()) {
                best = Some((format, range));
            }
        }
        best.map(|(format, _)| format)
    }
}

/// One entry of an `Accept` header.
struct MediaRange {
    kind: String,
    subtype: String,
    /// Thousandths, 0 to 1000.
    quality: u16,
    /// 0 for `*/*`, 1 for `type/*`, 2 for a full name.
    specificity: u8,
    position: usize,
}

impl MediaRange {
    fn parse((position, text): (usize, &str)) -> Option<Self> {
        let mut pieces = text.split(';').map(str::trim);
        let (kind, subtype) = pieces.next()?.split_once('/')?;
        let specificity = match (kind, subtype) {
            ("*", "*") => 0,
            (_, "*") => 1,
            _ => 2,
        };
        let quality = pieces
            .filter_map(|parameter| parameter.split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("q"))
            .map_or(1000, |(_, value)| thousandths(value.trim()));
        Some(Self {
            kind: kind.to_ascii_lowercase(),
            subtype: subtype.to_ascii_lowercase(),
            quality,
            specificity,
            position,
        })
    }

    fn covers(&self, format: Format) -> bool {
        match self.specificity {
            0 => true,
            1 => format.content_type().split_once('/').is_some_and(|(kind, _)| kind == self.kind),
            _ => Format::from_content_type(&format!("{}/{}", self.kind, self.subtype)) == Some(format),
        }
    }

    fn rank(&self) -> (u16, u8, std::cmp::Reverse<usize>) {
        (self.quality, self.specificity, std::cmp::Reverse(self.position))
    }
}

/// A quality value in thousandths; what cannot be read counts as not given.
fn thousandths(text: &str) -> u16 {
    let quality: f32 = text.parse().unwrap_or(1.0);
    (quality.clamp(0.0, 1.0) * 1000.0).round() as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from_accept(accept: &str) -> Format {
        Format::negotiate(None, Some(accept)).unwrap()
    }

    #[test]
    fn json_answers_when_nobody_says() {
        assert_eq!(Format::negotiate(None, None), Ok(Format::Json));
        assert_eq!(Format::negotiate(Some(""), None), Ok(Format::Json));
    }

    #[test]
    fn the_parameter_wins_over_the_header() {
        assert_eq!(Format::negotiate(Some("csv"), Some("application/vnd.apache.parquet")), Ok(Format::Csv));
        assert_eq!(Format::negotiate(Some("Arrow"), Some("application/json")), Ok(Format::Arrow));
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_list() {
        let error = Format::negotiate(Some("xml"), None).unwrap_err();
        for format in Format::ALL {
            assert!(error.to_string().contains(format.name()), "{error}");
        }
    }

    #[test]
    fn every_format_is_found_by_its_media_type() {
        for format in Format::ALL {
            assert_eq!(from_accept(format.content_type()), format);
            assert_eq!(from_accept(&format.content_type().to_uppercase()), format);
        }
    }

    #[test]
    fn quality_decides_then_plainness_then_order() {
        assert_eq!(from_accept("application/json;q=0.5, text/csv"), Format::Csv);
        assert_eq!(from_accept("text/csv; q=0.1, application/json; q=0.2"), Format::Json);
        assert_eq!(from_accept("*/*, application/vnd.apache.arrow.stream"), Format::Arrow);
        assert_eq!(from_accept("application/x-ndjson, application/json"), Format::Ndjson);
        assert_eq!(from_accept("application/json, application/x-ndjson"), Format::Json);
        assert_eq!(from_accept("text/*"), Format::Csv);
        assert_eq!(from_accept("application/json;q=0, */*"), Format::Arrow);
    }

    #[test]
    fn what_browsers_and_legacy_clients_send_gets_json() {
        for accept in [
            "*/*",
            "application/json, text/plain, */*",
            "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8",
            "text/html",
            "application/json;q=0",
            "",
            "nonsense",
        ] {
            assert_eq!(from_accept(accept), Format::Json, "{accept}");
        }
    }

    #[test]
    fn a_body_is_recognised_whatever_its_parameters() {
        assert_eq!(Format::from_content_type("Application/JSON; charset=utf-8"), Some(Format::Json));
        assert_eq!(Format::from_content_type("application/problem+json"), Some(Format::Json));
        assert_eq!(Format::from_content_type("text/csv;header=present"), Some(Format::Csv));
        assert_eq!(Format::from_content_type("text/plain"), None);
    }
}
