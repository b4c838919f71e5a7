//! What is sent: one frame at each tick, joined from the sections' ready JSON.

use std::sync::{Arc, OnceLock};
use std::time::Instant;

use axum::extract::ws::Utf8Bytes;
use bytes::Bytes;

use super::subscription::{Section, Subscription};
use crate::live::Snapshot;
use crate::time;

/// The values of one tick. Its text is made when the first client asks for it, once for every kind of subscription
/// that somebody has, and shared from then on.
pub(super) struct Frame {
    /// Its number: one more than the frame before it.
    pub(super) sequence: u64,
    /// When it was made.
    pub(super) made: Instant,
    /// How many text pings everybody should have been sent by now.
    pub(super) pings: u64,
    timestamp: f64,
    server_time: f64,
    snapshot: Arc<Snapshot>,
    texts: [OnceLock<Utf8Bytes>; Subscription::KINDS],
}

impl Frame {
    /// A frame of `snapshot`, made now.
    pub(super) fn new(sequence: u64, pings: u64, snapshot: Arc<Snapshot>) -> Self {
        Self {
            sequence,
            made: Instant::now(),
            pings,
            timestamp: time::monotonic_seconds(),
            server_time: unix_seconds(),
            snapshot,
            texts: Default::default(),
        }
    }

    /// Its text for those with this subscription. The text is shared: a clone of it costs a reference count.
    pub(super) fn text(&self, subscription: Subscription) -> Utf8Bytes {
        match self.texts.get(usize::from(subscription.index())) {
            Some(text) => text.get_or_init(|| self.write(subscription)).clone(),
            None => self.write(subscription),
        }
    }

    fn write(&self, subscription: Subscription) -> Utf8Bytes {
        let length = Section::ALL.into_iter().map(|section| self.section(section).len() + 16).sum::<usize>();
        let mut text = String::with_capacity(length + 80);
        // `Debug` writes the shortest digits that read back as the same number, and always a fraction.
        text.push_str(&format!("{{\"timestamp\":{:?}", self.timestamp));
        for section in Section::ALL {
            text.push_str(",\"");
            text.push_str(section.as_str());
            text.push_str("\":");
            text.push_str(if subscription.includes(section) { self.section(section) } else { "{}" });
        }
        text.push_str(&format!(",\"server_time\":{:?}}}", self.server_time));
        text.into()
    }

    fn section(&self, section: Section) -> &str {
        let json: &Bytes = match section {
            Section::MarketData => &self.snapshot.market_data.json,
            Section::Strategy => &self.snapshot.strategy.json,
            Section::Execution => &self.snapshot.execution.json,
            Section::System => &self.snapshot.system.json,
        };
        std::str::from_utf8(json).unwrap_or("{}")
    }
}

/// The wall clock as Unix seconds.
pub(super) fn unix_seconds() -> f64 {
    time::now() as f64 / time::SECOND as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::{Live, MarketDataSection, SymbolValues};

    fn frame() -> Frame {
        let live = Live::new();
        let apple = SymbolValues { last_price: 88.5, bid: f64::NAN, ask: 89.0, volume: 7, trades: 3 };
        live.set_market_data(MarketDataSection { symbols: vec![("AAPL".into(), apple)], ..Default::default() });
        Frame::new(1, 0, live.snapshot())
    }

    fn keys(text: &str) -> Vec<String> {
        let value: serde_json::Value = serde_json::from_str(text).unwrap();
        value.as_object().unwrap().keys().cloned().collect()
    }

    #[test]
    fn keys_come_in_the_documented_order_whatever_the_subscription() {
        let expected = ["timestamp", "market_data", "strategy", "execution", "system", "server_time"];
        for index in 0..16 {
            assert_eq!(keys(&frame().text(Subscription::from_index(index))), expected);
        }
    }

    #[test]
    fn a_section_is_the_live_json_to_the_letter() {
        let frame = frame();
        let text = frame.text(Subscription::ALL);
        let section = std::str::from_utf8(&frame.snapshot.market_data.json).unwrap();
        assert!(text.contains(&format!(",\"market_data\":{section},\"strategy\":")));
    }

    #[test]
    fn a_price_that_is_no_number_is_null() {
        let value: serde_json::Value = serde_json::from_str(&frame().text(Subscription::ALL)).unwrap();
        assert_eq!(value["market_data"]["symbols"]["AAPL"]["bid"], serde_json::Value::Null);
    }

    #[test]
    fn sections_that_were_not_asked_for_are_empty_objects() {
        let text = frame().text(Subscription::default().after("subscribe:system"));
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        for empty in ["market_data", "strategy", "execution"] {
            assert_eq!(value[empty], serde_json::json!({}), "{empty}");
        }
        assert!(value["system"]["cpu_percent"].is_number());
    }

    #[test]
    fn clocks_are_floats_with_a_fraction() {
        let frame = Frame { timestamp: 3.0, server_time: 1_795_426_511.0, ..frame() };
        let text = frame.text(Subscription::ALL);
        assert!(text.starts_with("{\"timestamp\":3.0,"));
        assert!(text.ends_with(",\"server_time\":1795426511.0}"));
    }

    #[test]
    fn everybody_shares_one_text() {
        let frame = frame();
        let (one, other) = (frame.text(Subscription::ALL), frame.text(Subscription::ALL));
        assert_eq!(one.as_str().as_ptr(), other.as_str().as_ptr());
    }
}
