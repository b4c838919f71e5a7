//! One scrape, read as a monitoring system reads it.

use std::collections::BTreeMap;

use prometheus_parse::{Scrape, Value};

use crate::common::Server;

/// The samples of one scrape.
pub struct Figures {
    scrape: Scrape,
    pub text: String,
}

impl Figures {
    /// Scrapes, and parses what comes.
    pub async fn of(server: &Server) -> Self {
        let answer = server.get("/metrics").await.expect(200);
        assert_eq!(answer.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
        let text = answer.text().to_owned();
        let scrape = Scrape::parse(text.lines().map(|line| Ok(line.to_owned()))).unwrap();
        Self { scrape, text }
    }

    /// The value of a sample, if there is one.
    pub fn find(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let mut found = self.scrape.samples.iter().filter(|sample| {
            sample.metric == name && labels.iter().all(|(label, value)| sample.labels.get(label) == Some(*value))
        });
        let value = match &found.next()?.value {
            Value::Counter(value) | Value::Gauge(value) | Value::Untyped(value) => *value,
            other => panic!("{name} is no number: {other:?}"),
        };
        assert!(found.next().is_none(), "{name}{labels:?} is one sample");
        Some(value)
    }

    /// The value of a sample, which must be there.
    #[track_caller]
    pub fn get(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.find(name, labels).unwrap_or_else(|| panic!("{name}{labels:?} is missing:\n{}", self.text))
    }

    /// The name and type of every family.
    pub fn families(&self) -> BTreeMap<String, String> {
        let types = self.text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        types.map(|family| family.split_once(' ').unwrap()).map(|(name, kind)| (name.into(), kind.into())).collect()
    }
}
