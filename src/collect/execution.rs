//! The execution service: orders since midnight UTC, and the quality of their fills.
//!
//! The service counts fills and shows the price of the last one; it does not say how much a fill was. A row of
//! `trades` needs a quantity, so none is made up here: single fills come by ingest.

use std::collections::BTreeMap;

use arrow::error::ArrowError;

use super::counter::{Counters, Distribution, Mean};
use super::drive::Component;
use super::order_day::{OrderDay, first_of_day};
use super::preferred::Preferred;
use super::scraped::{Observed, Observer, Taken, Tally};
use super::source::prometheus::{Exposition, Sample};
use crate::config::mapping::{ExecutionMapping, Names};
use crate::live::Live;
use crate::tables::{EXECUTION_METRICS, ExecutionMetricsRow, Table};
use crate::time::{self, Micros};

/// Adds up what the counters gain in a day; a stored row of today is where a new start goes on.
pub(super) struct Execution {
    mapping: ExecutionMapping,
    counters: Counters,
    latency_series: Distribution,
    slippage_series: Distribution,
    restored: Option<ExecutionMetricsRow>,
    today: Option<OrderDay>,
    /// After this time a series goes that no scrape has.
    expiry: Micros,
}

#[derive(Default)]
struct Seen {
    submitted: Preferred,
    filled: Preferred,
    cancelled: Preferred,
    rejected: Preferred,
    latency: BTreeMap<String, (Option<f64>, Option<f64>)>,
    slippage: BTreeMap<String, (Option<f64>, Option<f64>)>,
    service_start: Option<Micros>,
}

impl Execution {
    /// Nothing seen yet. `restored` is the newest stored row, of whatever day.
    pub(super) fn new(mapping: ExecutionMapping, restored: Option<ExecutionMetricsRow>, expiry: Micros) -> Self {
        Self {
            mapping,
            counters: Counters::default(),
            latency_series: Distribution::default(),
            slippage_series: Distribution::default(),
            restored,
            today: None,
            expiry,
        }
    }

    fn take(&mut self, sample: &Sample, seen: &mut Seen, now: Micros) -> Taken {
        let mapping = &self.mapping;
        let rank = |names: &Names| names.rank(&sample.name, sample.may_count()).map(|rank| rank.position);
        let counter = [
            (&mapping.orders_submitted, &mut seen.submitted),
            (&mapping.orders_filled, &mut seen.filled),
            (&mapping.orders_cancelled, &mut seen.cancelled),
            (&mapping.orders_rejected, &mut seen.rejected),
        ]
        .into_iter()
        .find_map(|(names, total)| Some((rank(names)?, total)));
        if let Some((rank, total)) = counter {
            total.add(rank, sample.value, self.counters.increment(sample, now));
            return Taken::Used;
        }
        if mapping.service_start.rank(&sample.name, sample.may_gauge()).is_some() {
            seen.service_start = Some((sample.value * time::SECOND as f64) as Micros);
            return Taken::Used;
        }
        Taken::without_column(
            part_of(&mapping.latency_ms, sample, &mut seen.latency)
                || part_of(&mapping.slippage_bps, sample, &mut seen.slippage)
                || mapping.without_column.rank(&sample.name, true).is_some(),
        )
    }

    fn day(&self, now: Micros) -> Option<OrderDay> {
        self.today.filter(|today| today.start == time::day_start(now))
    }
}

/// Notes the sum or the count of a distribution; the two meet by their labels.
fn part_of(names: &Names, sample: &Sample, parts: &mut BTreeMap<String, (Option<f64>, Option<f64>)>) -> bool {
    let known =
        |suffix| sample.name.strip_suffix(suffix).is_some_and(|whole| names.rank(whole, !sample.may_gauge()).is_some());
    if known("_sum") {
        parts.entry(sample.label_text.clone()).or_default().0 = Some(sample.value);
        true
    } else if known("_count") {
        parts.entry(sample.label_text.clone()).or_default().1 = Some(sample.value);
        true
    } else {
        false
    }
}

/// Everything that the distribution holds, and what it has gained.
fn totals(
    series: &mut Distribution,
    parts: &BTreeMap<String, (Option<f64>, Option<f64>)>,
    (now, since): (Micros, Micros),
) -> (Mean, Mean) {
    let (mut total, mut gained) = (Mean::default(), Mean::default());
    for (labels, part) in parts {
        if let (Some(sum), Some(count)) = *part {
            let seen = Mean { sum, count };
            total.add(seen);
            gained.add(series.increment(labels, seen, now));
        }
    }
    series.finish_scrape(since);
    (total, gained)
}

impl Observer for Execution {
    const COMPONENT: &'static [Component; 1] = &[Component::Execution];
    const TABLE: &'static Table = &EXECUTION_METRICS;

    fn observe(&mut self, exposition: &Exposition, now: Micros) -> Result<Observed, ArrowError> {
        let mut seen = Seen::default();
        let tally: Tally = exposition.samples.iter().map(|sample| self.take(sample, &mut seen, now)).collect();
        let since = now.saturating_sub(self.expiry);
        self.counters.finish_scrape(since);
        let counters = [seen.submitted, seen.filled, seen.cancelled, seen.rejected];
        if counters.iter().all(|counter| counter.value().is_none()) {
            return Ok(Observed { rows: ExecutionMetricsRow::batch(&[])?, tally });
        }
        let (all_latency, latency) = totals(&mut self.latency_series, &seen.latency, (now, since));
        let (all_slippage, slippage) = totals(&mut self.slippage_series, &seen.slippage, (now, since));
        let midnight = time::day_start(now);
        let day = match self.day(now) {
            None if self.today.is_none() => {
                // The first scrape: the counters gained nothing yet, but what they hold may be known to be of today.
                let restored = self.restored.take().filter(|row| time::day_start(row.timestamp) == midnight);
                let [submitted, filled, cancelled, rejected] = counters.map(|counter| counter.value().unwrap_or(0.0));
                let (latency_ms, slippage_bps) = (all_latency, all_slippage);
                let held =
                    OrderDay { start: midnight, submitted, filled, cancelled, rejected, latency_ms, slippage_bps };
                first_of_day(restored.as_ref(), held, seen.service_start)
            }
            day => {
                let mut day = day.unwrap_or(OrderDay { start: midnight, ..OrderDay::default() });
                let [submitted, filled, cancelled, rejected] =
                    counters.map(|counter| counter.increment().unwrap_or(0.0));
                day.submitted += submitted;
                day.filled += filled;
                day.cancelled += cancelled;
                day.rejected += rejected;
                day.latency_ms.add(latency);
                day.slippage_bps.add(slippage);
                day
            }
        };
        self.today = Some(day);
        Ok(Observed { rows: ExecutionMetricsRow::batch(&[day.row(now)])?, tally })
    }

    fn show(&self, live: &Live, now: Micros) {
        live.set_execution(self.day(now).unwrap_or_default().section(now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{DAY, SECOND};

    const NOON: Micros = 20_000 * DAY + DAY / 2;

    fn text(submitted: u32, filled: u32) -> String {
        format!(
            "# TYPE execution_orders_submitted_total counter\n\
             execution_orders_submitted_total{{symbol=\"A\",side=\"buy\"}} {submitted}\n\
             # TYPE execution_orders_filled_total counter\n\
             execution_orders_filled_total{{symbol=\"A\",side=\"buy\"}} {filled}\n\
             # TYPE execution_orders_rejected_total counter\n\
             execution_orders_rejected_total{{reason=\"limit\"}} 1\n\
             # TYPE execution_fill_latency_ms histogram\n\
             execution_fill_latency_ms_bucket{{symbol=\"A\",le=\"+Inf\"}} {filled}\n\
             execution_fill_latency_ms_sum{{symbol=\"A\"}} {}\n\
             execution_fill_latency_ms_count{{symbol=\"A\"}} {filled}\n\
             execution_last_fill_price{{symbol=\"A\"}} 100\n",
            filled * 20,
        )
    }

    fn observe(collector: &mut Execution, text: &str, now: Micros) -> OrderDay {
        let observed = collector.observe(&Exposition::parse(text), now).unwrap();
        assert_eq!(observed.tally, Tally::default());
        let day = collector.today.unwrap();
        assert_eq!(observed.rows, ExecutionMetricsRow::batch(&[day.row(now)]).unwrap());
        day
    }

    fn stored(timestamp: Micros) -> ExecutionMetricsRow {
        ExecutionMetricsRow {
            timestamp,
            orders_submitted: Some(100),
            orders_filled: Some(80),
            orders_cancelled: Some(5),
            orders_rejected: Some(3),
            fill_rate: Some(0.8),
            avg_latency_ms: Some(10.0),
            avg_slippage_bps: Some(1.0),
        }
    }

    #[test]
    fn increments_add_up_and_start_again_at_midnight() {
        let mut collector = Execution::new(ExecutionMapping::default(), None, DAY);
        let first = observe(&mut collector, &text(500, 400), NOON);
        assert_eq!((first.submitted, first.fill_rate(), first.latency_ms.value()), (0.0, None, None));
        let second = observe(&mut collector, &text(510, 408), NOON + SECOND);
        assert_eq!((second.submitted, second.filled, second.rejected), (10.0, 8.0, 0.0));
        assert_eq!((second.fill_rate(), second.latency_ms.value()), (Some(0.8), Some(20.0)));
        let tomorrow = observe(&mut collector, &text(511, 409), NOON + DAY);
        assert_eq!((tomorrow.submitted, tomorrow.filled), (1.0, 1.0));
    }

    #[test]
    fn a_restarted_service_counts_on() {
        let mut collector = Execution::new(ExecutionMapping::default(), None, DAY);
        observe(&mut collector, &text(500, 400), NOON);
        observe(&mut collector, &text(502, 401), NOON + SECOND);
        let restarted = observe(&mut collector, &text(3, 2), NOON + 2 * SECOND);
        assert_eq!((restarted.submitted, restarted.filled), (5.0, 3.0));
        assert_eq!(restarted.latency_ms, Mean { sum: 60.0, count: 3.0 });
    }

    #[test]
    fn today_goes_on_from_what_was_stored_today() {
        let mut collector = Execution::new(ExecutionMapping::default(), Some(stored(NOON - SECOND)), DAY);
        observe(&mut collector, &text(500, 400), NOON);
        let day = observe(&mut collector, &text(510, 420), NOON + SECOND);
        assert_eq!((day.submitted, day.filled, day.cancelled, day.rejected), (110.0, 100.0, 5.0, 3.0));
        assert_eq!(day.latency_ms.value(), Some((80.0 * 10.0 + 20.0 * 20.0) / 100.0));

        let mut collector = Execution::new(ExecutionMapping::default(), Some(stored(NOON - DAY)), DAY);
        assert_eq!(observe(&mut collector, &text(500, 400), NOON).submitted, 0.0);
    }

    #[test]
    fn a_service_that_says_when_it_started_is_counted_in_full() {
        let started = |at: Micros| format!("process_start_time_seconds {}\n{}", at / SECOND, text(120, 90));
        let (morning, yesterday) = (NOON - 3600 * SECOND, NOON - DAY);
        let row = || Some(stored(NOON - 60 * SECOND));
        for (restored, start, submitted) in [
            (None, morning, 120.0),
            (None, yesterday, 0.0),
            (row(), morning, 120.0),
            (row(), yesterday, 100.0),
            (row(), NOON - SECOND, 220.0),
        ] {
            let mut collector = Execution::new(ExecutionMapping::default(), restored.clone(), DAY);
            let day = observe(&mut collector, &started(start), NOON);
            assert_eq!(day.submitted, submitted, "restored {restored:?}, started {start}");
        }
    }

    #[test]
    fn an_answer_without_orders_is_no_row() {
        let mut collector = Execution::new(ExecutionMapping::default(), None, DAY);
        let observed = collector.observe(&Exposition::parse("something_else 1"), NOON).unwrap();
        assert_eq!((observed.rows.num_rows(), observed.tally.unknown), (0, 1));
    }
}
