//! The market data service: one row for each symbol that a scrape speaks of.

use arrow::error::ArrowError;

use super::counter::Counters;
use super::drive::Component;
use super::labels::Labels;
use super::preferred::Preferred;
use super::scraped::{Observed, Observer, Taken, Tally};
use super::source::prometheus::{Exposition, Sample};
use crate::config::mapping::{MarketDataMapping, Names, Rank};
use crate::live::{Live, MarketDataSection, SymbolValues};
use crate::tables::{MARKET_DATA, MarketDataRow, Table};
use crate::time::Micros;

/// The smallest price that a spread is divided by.
const SMALLEST_DIVISOR: f64 = 0.01;

/// Rows hold what was added since the symbol's previous row; the live section shows the counters themselves.
pub(super) struct MarketData {
    mapping: MarketDataMapping,
    counters: Counters,
    symbols: Labels<SymbolState>,
    /// After this time a symbol goes that no scrape speaks of.
    expiry: Micros,
}

#[derive(Default)]
struct SymbolState {
    values: SymbolValues,
    /// Parts of a unit that wait for the rest of it.
    volume_left: f64,
    trades_left: f64,
    /// What the scrape in hand says.
    seen: Option<Seen>,
}

#[derive(Default)]
struct Seen {
    bid: Preferred,
    ask: Preferred,
    last_price: Preferred,
    volume: Preferred,
    trades: Preferred,
}

#[derive(Clone, Copy)]
enum Column {
    Bid,
    Ask,
    LastPrice,
    Volume,
    Trades,
}

impl MarketData {
    /// Nothing seen yet.
    pub(super) fn new(mapping: MarketDataMapping, expiry: Micros) -> Self {
        Self { mapping, counters: Counters::default(), symbols: Labels::default(), expiry }
    }

    /// The column that a sample serves: one that names its metric in full, or else the first with a pattern for it.
    fn column(&self, sample: &Sample) -> Option<(Column, Rank)> {
        let (gauge, counter) = (sample.may_gauge(), sample.may_count());
        let fits = |column: Column, names: &Names, plausible| Some((column, names.rank(&sample.name, plausible)?));
        let candidates = [
            fits(Column::Bid, &self.mapping.bid, gauge),
            fits(Column::Ask, &self.mapping.ask, gauge),
            fits(Column::LastPrice, &self.mapping.last_price, gauge),
            fits(Column::Volume, &self.mapping.volume, counter),
            fits(Column::Trades, &self.mapping.trades, counter),
        ];
        candidates.into_iter().flatten().min_by_key(|(_, rank)| !rank.exact)
    }

    /// Takes a sample of the scrape of `now`.
    fn take(&mut self, sample: &Sample, now: Micros) -> Taken {
        let Some((column, rank)) = self.column(sample) else {
            return Taken::without_column(self.mapping.without_column.rank(&sample.name, true).is_some());
        };
        let symbol = sample.label(&self.mapping.symbol_label).unwrap_or(&self.mapping.unlabelled_symbol);
        let Some(state) = self.symbols.speak_of(symbol, now, SymbolState::default) else { return Taken::LeftOut };
        let seen = state.seen.get_or_insert_default();
        match column {
            Column::Bid => seen.bid.replace(rank.position, sample.value),
            Column::Ask => seen.ask.replace(rank.position, sample.value),
            Column::LastPrice => seen.last_price.replace(rank.position, sample.value),
            Column::Volume => {
                seen.volume.add(rank.position, sample.value, self.counters.increment(sample, now));
            }
            Column::Trades => {
                seen.trades.add(rank.position, sample.value, self.counters.increment(sample, now));
            }
        }
        Taken::Used
    }
}

impl Observer for MarketData {
    const COMPONENT: &'static [Component; 1] = &[Component::MarketData];
    const TABLE: &'static Table = &MARKET_DATA;

    fn observe(&mut self, exposition: &Exposition, now: Micros) -> Result<Observed, ArrowError> {
        let tally: Tally = exposition.samples.iter().map(|sample| self.take(sample, now)).collect();
        let since = now.saturating_sub(self.expiry);
        self.counters.finish_scrape(since);
        let rows: Vec<_> = self.symbols.iter_mut().filter_map(|(symbol, state)| state.row(symbol, now)).collect();
        self.symbols.forget_before(since, |_, _| ());
        Ok(Observed { rows: MarketDataRow::batch(&rows)?, tally })
    }

    fn show(&self, live: &Live, now: Micros) {
        let values = || self.symbols.iter().map(|(_, state)| &state.values);
        let shown = self.symbols.shown().map(|(symbol, state)| (symbol.to_owned(), state.values.clone()));
        let symbols: Vec<_> = shown.collect();
        live.components.market_data.hide(self.symbols.len() - symbols.len());
        live.set_market_data(MarketDataSection {
            timestamp: now,
            symbols,
            total_trades: values().map(|values| values.trades).sum(),
            total_volume: values().map(|values| values.volume as f64 * values.last_price).sum(),
            symbols_tracked: self.symbols.len(),
        });
    }
}

impl SymbolState {
    /// The row of the scrape in hand, which is done with after this; `None` when it did not speak of the symbol.
    fn row(&mut self, symbol: &str, timestamp: Micros) -> Option<MarketDataRow> {
        let seen = self.seen.take()?;
        let (last_price, bid, ask) = (seen.last_price.value(), seen.bid.value(), seen.ask.value());
        let values = &mut self.values;
        values.last_price = last_price.unwrap_or(values.last_price);
        values.bid = bid.unwrap_or(values.bid);
        values.ask = ask.unwrap_or(values.ask);
        values.volume = seen.volume.value().map_or(values.volume, |total| total as i64);
        values.trades = seen.trades.value().map_or(values.trades, |total| total as i64);
        Some(MarketDataRow {
            timestamp,
            symbol: symbol.to_owned(),
            last_price,
            bid,
            ask,
            volume: seen.volume.increment().map(|units| whole(&mut self.volume_left, units)),
            trades: seen
                .trades
                .increment()
                .map(|trades| i32::try_from(whole(&mut self.trades_left, trades)).unwrap_or(i32::MAX)),
            spread_bps: spread_bps(bid, ask, last_price),
        })
    }
}

/// Whole units of what has come together; the rest waits in `left`, so that no fraction is lost over time.
fn whole(left: &mut f64, more: f64) -> i64 {
    *left += more;
    let whole = left.trunc();
    *left -= whole;
    whole as i64
}

/// `None` unless there is a quote on both sides and a price to compare it with.
fn spread_bps(bid: Option<f64>, ask: Option<f64>, last_price: Option<f64>) -> Option<f64> {
    let quoted = |quote: Option<f64>| quote.filter(|price| *price > 0.0);
    Some((quoted(ask)? - quoted(bid)?) / last_price?.max(SMALLEST_DIVISOR) * 10_000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPIRY: Micros = 1_000;

    fn observe(collector: &mut MarketData, text: &str, now: Micros) -> Observed {
        collector.observe(&Exposition::parse(text), now).unwrap()
    }

    fn row(symbol: &str, timestamp: Micros) -> MarketDataRow {
        MarketDataRow {
            timestamp,
            symbol: symbol.into(),
            last_price: None,
            bid: None,
            ask: None,
            volume: None,
            trades: None,
            spread_bps: None,
        }
    }

    const FIRST: &str = "\
# TYPE market_data_price gauge
market_data_price{symbol=\"AAPL\"} 150.25
market_data_price{symbol=\"TSLA\"} 242.5
# TYPE market_data_ticks_received_total counter
market_data_ticks_received_total{symbol=\"AAPL\"} 1523
market_data_ticks_received_total{symbol=\"TSLA\"} 892
market_data_ticks_received_total 7
# TYPE market_data_ticks_processed_total counter
market_data_ticks_processed_total{symbol=\"AAPL\"} 1520
# TYPE market_data_volume_total counter
market_data_volume_total{symbol=\"AAPL\"} 1000
# TYPE market_data_bid gauge
market_data_bid{symbol=\"AAPL\"} 150.2
market_data_ask{symbol=\"AAPL\"} 150.3
# TYPE market_data_processing_latency_ms histogram
market_data_processing_latency_ms_bucket{le=\"+Inf\"} 3
market_data_processing_latency_ms_sum 4.5
market_data_processing_latency_ms_count 3
# TYPE market_data_orderbook_depth gauge
market_data_orderbook_depth{symbol=\"AAPL\"} 10
# TYPE process_cpu_seconds_total counter
process_cpu_seconds_total 12
market_data_price{symbol=\"BAD\"} NaN
";

    #[test]
    fn the_first_scrape_shows_totals_and_stores_no_increment() {
        let mut collector = MarketData::new(MarketDataMapping::default(), EXPIRY);
        let observed = observe(&mut collector, FIRST, 1);
        assert_eq!(observed.tally.unknown, 1, "only the process metric has no use");
        let spread = (150.3 - 150.2) / 150.25 * 10_000.0;
        let expected = [
            MarketDataRow {
                last_price: Some(150.25),
                bid: Some(150.2),
                ask: Some(150.3),
                volume: Some(0),
                trades: Some(0),
                spread_bps: Some(spread),
                ..row("AAPL", 1)
            },
            MarketDataRow { last_price: Some(242.5), trades: Some(0), ..row("TSLA", 1) },
            MarketDataRow { trades: Some(0), ..row("UNKNOWN", 1) },
        ];
        assert_eq!(observed.rows, MarketDataRow::batch(&expected).unwrap());

        let live = Live::new();
        collector.show(&live, 1);
        let section = live.snapshot().market_data.values.clone();
        assert_eq!(section.symbols_tracked, 3);
        assert_eq!(section.total_trades, 1523 + 892 + 7);
        assert_eq!(section.total_volume, 1000.0 * 150.25);
        let (symbol, apple) = &section.symbols[0];
        assert_eq!((symbol.as_str(), apple.trades, apple.volume), ("AAPL", 1523, 1000));
    }

    #[test]
    fn later_scrapes_store_increments_and_a_reset_starts_afresh() {
        let mut collector = MarketData::new(MarketDataMapping::default(), EXPIRY);
        let text = |ticks: u32, volume: f64| {
            format!(
                "# TYPE market_data_ticks_received_total counter\n\
                 market_data_ticks_received_total{{symbol=\"A\"}} {ticks}\n\
                 # TYPE market_data_volume_total counter\n\
                 market_data_volume_total{{symbol=\"A\"}} {volume}\n"
            )
        };
        let mut stored = |now, ticks, volume, (more_trades, more_volume)| {
            let expected = MarketDataRow { trades: Some(more_trades), volume: Some(more_volume), ..row("A", now) };
            let observed = observe(&mut collector, &text(ticks, volume), now);
            assert_eq!(observed.rows, MarketDataRow::batch(&[expected]).unwrap());
        };
        stored(1, 10, 100.0, (0, 0));
        stored(2, 15, 100.6, (5, 0));
        stored(3, 15, 101.2, (0, 1));
        stored(4, 4, 7.0, (4, 7));
    }

    #[test]
    fn a_desk_that_spells_its_metrics_otherwise_is_understood() {
        let mut collector = MarketData::new(MarketDataMapping::default(), EXPIRY);
        let text = "# TYPE feed_last_price gauge\nfeed_last_price{symbol=\"A\"} 10\n\
                    # TYPE feed_bid_price gauge\nfeed_bid_price{symbol=\"A\"} 9\n\
                    # TYPE feed_price_updates_total counter\nfeed_price_updates_total{symbol=\"A\"} 99\n";
        let observed = observe(&mut collector, text, 1);
        let expected = MarketDataRow { last_price: Some(10.0), bid: Some(9.0), ..row("A", 1) };
        assert_eq!(observed.rows, MarketDataRow::batch(&[expected]).unwrap());
        assert_eq!(observed.tally.unknown, 1);
    }

    #[test]
    fn a_symbol_that_is_no_longer_spoken_of_gets_no_row() {
        let mut collector = MarketData::new(MarketDataMapping::default(), EXPIRY);
        observe(&mut collector, FIRST, 1);
        assert_eq!(observe(&mut collector, "market_data_price{symbol=\"TSLA\"} 243", 2).rows.num_rows(), 1);
        assert_eq!(observe(&mut collector, "", 3).rows.num_rows(), 0);
    }

    #[test]
    fn a_symbol_that_no_scrape_speaks_of_goes_and_brings_no_increment_when_it_is_back() {
        let mut collector = MarketData::new(MarketDataMapping::default(), EXPIRY);
        let text =
            |symbol: &str, ticks: u32| format!("market_data_ticks_received_total{{symbol=\"{symbol}\"}} {ticks}\n");
        let names =
            |collector: &MarketData| collector.symbols.iter().map(|(name, _)| name.to_owned()).collect::<Vec<_>>();
        observe(&mut collector, &(text("A", 10) + &text("B", 20)), 1);
        observe(&mut collector, &text("A", 11), EXPIRY + 1);
        assert_eq!(names(&collector), ["A", "B"], "it may only have been away for a moment");
        // Scrapes that fail are none: what a service said last stays while it does not answer.
        observe(&mut collector, &text("A", 12), EXPIRY + 2);
        assert_eq!(names(&collector), ["A"]);
        let back = observe(&mut collector, &(text("A", 14) + &text("B", 90)), EXPIRY + 3);
        let rows = MarketDataRow::rows(&back.rows).unwrap();
        assert_eq!(rows.iter().map(|row| row.trades).collect::<Vec<_>>(), [Some(2), Some(0)]);
        let back = observe(&mut collector, &text("B", 95), EXPIRY + 4);
        assert_eq!(MarketDataRow::rows(&back.rows).unwrap()[0].trades, Some(5));
        // A symbol that was never there has begun at zero.
        let new = observe(&mut collector, &text("C", 3), EXPIRY + 5);
        assert_eq!(MarketDataRow::rows(&new.rows).unwrap()[0].trades, Some(3));
    }

    #[test]
    fn a_symbol_that_is_too_long_is_left_out_and_counted() {
        let mut collector = MarketData::new(MarketDataMapping::default(), EXPIRY);
        let long = "x".repeat(2_000);
        let text = format!("market_data_price{{symbol=\"{long}\"}} 1\nmarket_data_price{{symbol=\"A\"}} 2\n");
        let observed = observe(&mut collector, &text, 1);
        assert_eq!((observed.rows.num_rows(), observed.tally.left_out), (1, 1));
    }
}
