//! The text that an endpoint sends, as samples.

use std::collections::HashMap;

use prometheus_parse::{LineInfo, SampleType};

/// Samples of one scrape: a body without a sense to it could hold a million, each some hundred bytes in memory.
const MOST_SAMPLES: usize = 200_000;

/// The usable samples of one scrape, in the order of the text.
#[derive(Debug, Default)]
pub(in crate::collect) struct Exposition {
    /// The samples; every value is finite.
    pub(in crate::collect) samples: Vec<Sample>,
    /// Lines left out: values that are not finite numbers, and lines that could not be read.
    pub(in crate::collect) skipped: u64,
    /// Samples left out because there are more than [`MOST_SAMPLES`].
    pub(in crate::collect) left_out: u64,
}

/// One value of one series.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::collect) struct Sample {
    /// The metric's name.
    pub(in crate::collect) name: String,
    /// Its declared type; of the parts of a histogram, that of the whole.
    pub(in crate::collect) kind: SampleType,
    /// The labels in the order of their names, which tell one series from another however they were written.
    pub(in crate::collect) label_text: String,
    /// The value.
    pub(in crate::collect) value: f64,
    labels: Vec<(String, String)>,
}

impl Sample {
    /// The value of a label.
    pub(in crate::collect) fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(label, _)| label == name).map(|(_, value)| value.as_str())
    }

    /// Name and labels together: the same for every sample of one series.
    pub(in crate::collect) fn series(&self) -> String {
        format!("{}{{{}}}", self.name, self.label_text)
    }

    /// Whether the value may be a total that only grows.
    pub(in crate::collect) fn may_count(&self) -> bool {
        matches!(self.kind, SampleType::Counter | SampleType::Untyped) && !self.is_creation_time()
    }

    /// Whether the value may be a reading that goes up and down.
    pub(in crate::collect) fn may_gauge(&self) -> bool {
        matches!(self.kind, SampleType::Gauge | SampleType::Untyped) && !self.is_creation_time()
    }

    /// Whether it says when another series began. Python's client has such a gauge beside each counter and histogram.
    fn is_creation_time(&self) -> bool {
        self.name.ends_with("_created")
    }
}

impl Exposition {
    /// Reads the text line by line; a line that makes no sense is skipped and counted, the others stay.
    pub(in crate::collect) fn parse(text: &str) -> Self {
        let mut exposition = Self::default();
        let mut kinds = HashMap::new();
        for line in text.lines() {
            match LineInfo::parse(line) {
                LineInfo::Type { metric_name, metric_alias, sample_type } => {
                    kinds.insert(metric_alias.unwrap_or(metric_name), sample_type);
                }
                LineInfo::Sample { metric_name, labels, value, .. } => {
                    if exposition.samples.len() >= MOST_SAMPLES {
                        exposition.left_out += 1;
                        continue;
                    }
                    match sample(&kinds, metric_name, labels.unwrap_or_default(), value) {
                        Some(sample) => exposition.samples.push(sample),
                        None => exposition.skipped += 1,
                    }
                }
                LineInfo::Ignored if !line.trim_start().starts_with('#') => exposition.skipped += 1,
                LineInfo::Doc { .. } | LineInfo::Empty | LineInfo::Ignored => {}
            }
        }
        exposition
    }
}

fn sample(kinds: &HashMap<String, SampleType>, name: &str, label_text: &str, value: &str) -> Option<Sample> {
    let value = value.parse::<f64>().ok().filter(|value| value.is_finite())?;
    let labels = labels(label_text)?;
    let parts = ["_total", "_sum", "_count", "_bucket"];
    let whole = || parts.iter().find_map(|part| kinds.get(name.strip_suffix(part)?));
    Some(Sample {
        name: name.to_owned(),
        kind: kinds.get(name).or_else(whole).copied().unwrap_or(SampleType::Untyped),
        label_text: in_order(&labels),
        value,
        labels,
    })
}

/// Labels as text, the same for the same labels.
fn in_order(labels: &[(String, String)]) -> String {
    let mut labels: Vec<_> = labels.iter().collect();
    labels.sort_unstable();
    let mut text = String::new();
    for (name, value) in labels {
        text.push_str(&format!("{name}={value:?},"));
    }
    text
}

/// `name="value",…`, with `\\`, `\"` and `\n` in values. `None` when it is anything else.
fn labels(text: &str) -> Option<Vec<(String, String)>> {
    let mut labels = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (name, quoted) = rest.split_once('=')?;
        let mut characters = quoted.trim_start().strip_prefix('"')?.chars();
        let mut value = String::new();
        loop {
            match characters.next()? {
                '"' => break,
                '\\' => match characters.next()? {
                    'n' => value.push('\n'),
                    escaped => value.push(escaped),
                },
                character => value.push(character),
            }
        }
        labels.push((name.trim().to_owned(), value));
        rest = characters.as_str().trim_start();
        rest = match rest.strip_prefix(',') {
            Some(further) => further.trim_start(),
            None if rest.is_empty() => rest,
            None => return None,
        };
    }
    Some(labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_keep_order_labels_and_type() {
        let exposition = Exposition::parse(
            "# HELP market_data_price Last price\n\
             # TYPE market_data_price gauge\n\
             market_data_price{symbol=\"TSLA\"} 242.5\n\
             market_data_price{ symbol = \"BRK,B\" , venue=\"a\\\"b\" , } 1.5e2 1700000000000\n\
             # TYPE ticks_total counter\n\
             ticks_total 7\n",
        );
        let [tesla, berkshire, ticks] = exposition.samples.as_slice() else { panic!("three samples") };
        assert_eq!((tesla.label("symbol"), tesla.value, tesla.kind), (Some("TSLA"), 242.5, SampleType::Gauge));
        assert_eq!((berkshire.label("symbol"), berkshire.label("venue")), (Some("BRK,B"), Some("a\"b")));
        assert_eq!(berkshire.value, 150.0);
        assert_eq!((ticks.label("symbol"), ticks.kind), (None, SampleType::Counter));
        assert_eq!(exposition.skipped, 0);
    }

    #[test]
    fn a_series_is_the_same_however_its_labels_are_written() {
        let series = |text: &str| Exposition::parse(text).samples.iter().map(Sample::series).collect::<Vec<_>>();
        let written = series("a{x=\"1\",y=\"2\"} 1\na{y=\"2\",x=\"1\"} 1\na{ y = \"2\" , x=\"1\", } 1\n");
        assert!(written.len() == 3 && written.iter().all(|series| *series == written[0]), "{written:?}");
        let others = series("a{x=\"1\"} 1\na{x=\"1,y=2\"} 1\na{x=\"1\\\",y=\\\"2\"} 1\na{x=\"2\",y=\"1\"} 1\na 1\n");
        let different: std::collections::HashSet<_> = others.iter().chain(&written[..1]).collect();
        assert_eq!(different.len(), 6, "{different:?}");
    }

    #[test]
    fn a_creation_time_is_neither_a_reading_nor_a_total() {
        let exposition =
            Exposition::parse("# TYPE price_updates_created gauge\nprice_updates_created 1.7e9\nb_created 1\n");
        assert!(exposition.samples.iter().all(|sample| !sample.may_gauge() && !sample.may_count()));
    }

    #[test]
    fn unusable_lines_are_counted_and_the_rest_is_read() {
        let exposition = Exposition::parse(
            "a NaN\nb +Inf\nc -inf\nd{symbol=\"A} 1\ne{symbol=} 1\nf twelve\n}{\n\n# a comment\n# EOF\ngood 1",
        );
        assert_eq!(exposition.samples.iter().map(|sample| sample.name.as_str()).collect::<Vec<_>>(), ["good"]);
        assert_eq!(exposition.skipped, 7);
    }

    #[test]
    fn what_is_more_than_a_service_has_is_counted() {
        let exposition = Exposition::parse(&"a 1\n".repeat(MOST_SAMPLES + 3));
        assert_eq!((exposition.samples.len(), exposition.left_out, exposition.skipped), (MOST_SAMPLES, 3, 0));
    }

    #[test]
    fn the_parts_of_a_histogram_have_its_type() {
        let exposition = Exposition::parse(
            "# TYPE latency histogram\nlatency_bucket{le=\"+Inf\"} 3\nlatency_sum 12.5\nlatency_count 3\n",
        );
        assert_eq!(exposition.samples.len(), 3);
        assert!(exposition.samples.iter().all(|sample| sample.kind == SampleType::Histogram));
    }

    #[test]
    fn text_that_is_no_exposition_gives_nothing() {
        assert!(Exposition::parse("<html><body>It works!</body></html>").samples.is_empty());
        assert!(Exposition::parse("").samples.is_empty());
    }
}
