//! The text exposition format of Prometheus, version 0.0.4.

use std::fmt::Write;

use super::Histogram;

/// Labels and value of one sample.
pub type Sample<'a, const N: usize> = ([(&'static str, &'a str); N], f64);

/// Families of samples, written one after the other. A family without samples is left out.
#[derive(Debug, Default)]
pub struct Exposition {
    text: String,
}

/// The one sample of a family without labels; none where the value is not known.
pub fn one(value: impl Into<Option<f64>>) -> Option<Sample<'static, 0>> {
    value.into().map(|value| ([], value))
}

impl Exposition {
    /// A family of values that go up and down. Its unit ends its name.
    pub fn gauge<'a, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = Sample<'a, N>>,
    ) {
        self.family(name, help, "gauge", samples);
    }

    /// A family of values that only grow while the server runs. Its name ends in `_total`.
    pub fn counter<'a, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = Sample<'a, N>>,
    ) {
        self.family(name, help, "counter", samples);
    }

    /// A family of histograms.
    pub fn histogram<'a, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = ([(&'static str, &'a str); N], &'a Histogram)>,
    ) {
        self.head(name, help, "histogram");
        for (labels, histogram) in samples {
            let cumulative = histogram.cumulative();
            for (bound, count) in &cumulative {
                let bound = number(*bound);
                self.sample(&format!("{name}_bucket"), labels.iter().copied().chain([("le", &*bound)]), *count as f64);
            }
            self.sample(&format!("{name}_sum"), labels, histogram.sum());
            self.sample(&format!("{name}_count"), labels, cumulative.last().map_or(0, |(_, count)| *count) as f64);
        }
    }

    /// The whole text.
    pub fn finish(self) -> String {
        self.text
    }

    fn family<'a, const N: usize>(
        &mut self,
        name: &str,
        help: &str,
        kind: &str,
        samples: impl IntoIterator<Item = Sample<'a, N>>,
    ) {
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_some() {
            self.head(name, help, kind);
        }
        samples.for_each(|(labels, value)| self.sample(name, labels, value));
    }

    fn head(&mut self, name: &str, help: &str, kind: &str) {
        let help = help.replace('\\', r"\\").replace('\n', r"\n");
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn sample<'a>(&mut self, name: &str, labels: impl IntoIterator<Item = (&'static str, &'a str)>, value: f64) {
        self.text.push_str(name);
        let mut open = '{';
        for (label, value) in labels {
            let value = value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
            let _ = write!(self.text, "{open}{label}=\"{value}\"");
            open = ',';
        }
        if open == ',' {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {}", number(value));
    }
}

/// A number as the format spells it.
fn number(value: f64) -> String {
    if value.is_finite() {
        value.to_string()
    } else if value.is_nan() {
        "NaN".to_owned()
    } else if value > 0.0 {
        "+Inf".to_owned()
    } else {
        "-Inf".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_written_as_the_format_wants_them() {
        let mut text = Exposition::default();
        text.gauge("a_bytes", "How\nmuch.", one(1.5));
        text.counter("b_total", "How often.", [([("who", "a\\\"b\"\n")], 2e20), ([("who", "")], f64::NAN)]);
        text.gauge("unknown_bytes", "Left out.", one(None));
        assert_eq!(
            text.finish(),
            "# HELP a_bytes How\\nmuch.\n# TYPE a_bytes gauge\na_bytes 1.5\n\
             # HELP b_total How often.\n# TYPE b_total counter\n\
             b_total{who=\"a\\\\\\\"b\\\"\\n\"} 200000000000000000000\nb_total{who=\"\"} NaN\n"
        );
    }

    #[test]
    fn a_histogram_ends_in_its_count() {
        let histogram = Histogram::new(&[0.5]);
        histogram.record(0.25);
        histogram.record(8.0);
        let mut text = Exposition::default();
        text.histogram("t_seconds", "How long.", [([("of", "x")], &histogram)]);
        assert_eq!(
            text.finish(),
            "# HELP t_seconds How long.\n# TYPE t_seconds histogram\n\
             t_seconds_bucket{of=\"x\",le=\"0.5\"} 1\nt_seconds_bucket{of=\"x\",le=\"+Inf\"} 2\n\
             t_seconds_sum{of=\"x\"} 8.25\nt_seconds_count{of=\"x\"} 2\n"
        );
    }
}
