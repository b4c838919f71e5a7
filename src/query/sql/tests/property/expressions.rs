//! Expressions as users write them, of every type and over the columns that a query has.

use proptest::prelude::*;
use proptest::sample::select;

/// The columns of a query, by type.
#[derive(Debug, Clone, Copy)]
pub struct Columns {
    pub doubles: &'static [&'static str],
    pub integers: &'static [&'static str],
    pub small_integers: &'static [&'static str],
    pub texts: &'static [&'static str],
    pub instants: &'static [&'static str],
}

pub const MARKET_DATA: Columns = Columns {
    doubles: &["last_price", "bid", "ask", "spread_bps"],
    integers: &["volume"],
    small_integers: &["trades"],
    texts: &["symbol"],
    instants: &["timestamp"],
};
pub const TRADES: Columns = Columns {
    doubles: &["quantity", "price", "latency_ms", "slippage_bps"],
    integers: &["CAST(date_part('minute', timestamp) AS BIGINT)"],
    small_integers: &["date_part('hour', timestamp)"],
    texts: &["trade_id", "symbol", "side", "strategy"],
    instants: &["timestamp"],
};
pub const JOINED: Columns = Columns {
    doubles: &["t.price", "t.quantity", "t.latency_ms", "m.bid", "m.ask", "m.spread_bps"],
    integers: &["m.volume"],
    small_integers: &["m.trades"],
    texts: &["t.symbol", "t.strategy", "m.symbol"],
    instants: &["t.timestamp", "m.timestamp"],
};

type Text = BoxedStrategy<String>;

fn one_of(texts: &'static [&'static str]) -> Text {
    select(texts).prop_map(str::to_owned).boxed()
}

fn both(operators: &'static [&'static str], left: Text, right: Text) -> Text {
    (left, select(operators), right).prop_map(|(left, operator, right)| format!("({left} {operator} {right})")).boxed()
}

fn case(condition: Text, value: Text) -> Text {
    (condition, value.clone(), prop::option::of(value))
        .prop_map(|(condition, then, otherwise)| match otherwise {
            Some(otherwise) => format!("CASE WHEN {condition} THEN {then} ELSE {otherwise} END"),
            None => format!("CASE WHEN {condition} THEN {then} END"),
        })
        .boxed()
}

fn coalesce(value: Text) -> Text {
    prop::collection::vec(value, 2..4).prop_map(|values| format!("coalesce({})", values.join(", "))).boxed()
}

pub fn double(columns: Columns, depth: u32) -> Text {
    let literals = &[
        "0.0",
        "1.5",
        "-2.25",
        "100",
        "1e300",
        "CAST('NaN' AS DOUBLE)",
        "CAST('Infinity' AS DOUBLE)",
        "-0.0",
        "CAST(NULL AS DOUBLE)",
    ];
    let leaf = prop_oneof![4 => one_of(columns.doubles), 1 => one_of(literals)].boxed();
    if depth == 0 {
        return leaf;
    }
    let inner = double(columns, depth - 1);
    prop_oneof![
        4 => leaf,
        3 => both(&["+", "-", "*", "/"], inner.clone(), inner.clone()),
        1 => inner.clone().prop_map(|inner| format!("(-{inner})")),
        1 => inner.clone().prop_map(|inner| format!("abs({inner})")),
        1 => integer(columns, depth - 1).prop_map(|inner| format!("CAST({inner} AS DOUBLE)")),
        1 => coalesce(inner.clone()),
        1 => case(condition(columns, depth - 1), inner),
    ]
    .boxed()
}

pub fn integer(columns: Columns, depth: u32) -> Text {
    let literals = &["0", "7", "-1", "9223372036854775807", "CAST(NULL AS BIGINT)"];
    let wide = one_of(columns.small_integers).prop_map(|column| format!("CAST({column} AS BIGINT)"));
    let leaf = prop_oneof![3 => one_of(columns.integers), 1 => wide, 1 => one_of(literals)].boxed();
    if depth == 0 {
        return leaf;
    }
    let inner = integer(columns, depth - 1);
    prop_oneof![
        4 => leaf,
        // No division: DataFusion does not promise for which rows it is computed, so that zero may be an error or not.
        1 => both(&["+", "-", "*"], inner.clone(), inner.clone()),
        1 => coalesce(inner.clone()),
        1 => case(condition(columns, depth - 1), inner),
    ]
    .boxed()
}

pub fn small_integer(columns: Columns) -> Text {
    let part = (select(&["minute", "hour", "day", "dow", "doy", "month", "quarter", "year", "week", "second"][..]), {
        instant(columns, 0)
    });
    prop_oneof![
        one_of(columns.small_integers),
        part.prop_map(|(part, instant)| format!("date_part('{part}', {instant})")),
    ]
    .boxed()
}

pub fn text(columns: Columns, depth: u32) -> Text {
    let literals = &["'A'", "''", "'ß'", "'a%b'", "'日本'", "CAST(NULL AS VARCHAR)"];
    let leaf = prop_oneof![4 => one_of(columns.texts), 1 => one_of(literals)].boxed();
    if depth == 0 {
        return leaf;
    }
    let inner = text(columns, depth - 1);
    prop_oneof![
        4 => leaf,
        1 => coalesce(inner.clone()),
        1 => case(condition(columns, depth - 1), inner.clone()),
        1 => inner.prop_map(|inner| format!("upper({inner})")),
    ]
    .boxed()
}

pub fn instant(columns: Columns, depth: u32) -> Text {
    let leaf = one_of(columns.instants);
    if depth == 0 {
        return leaf;
    }
    let widths = &[
        "1 second",
        "7 seconds",
        "5 minutes",
        "1 hour",
        "1 day",
        "7 days",
        "1000 days",
        "3 microseconds",
        "900000 days",
    ];
    let bin = (select(&widths[..]), leaf.clone());
    let units = &["second", "minute", "hour", "day", "week", "month", "quarter", "year"];
    let unit = (select(&units[..]), leaf.clone());
    prop_oneof![
        2 => leaf,
        1 => bin.prop_map(|(width, instant)| format!("date_bin(INTERVAL '{width}', {instant})")),
        1 => unit.prop_map(|(unit, instant)| format!("date_trunc('{unit}', {instant})")),
    ]
    .boxed()
}

fn fixed_instant() -> Text {
    one_of(&[
        "to_timestamp_micros(0)",
        "to_timestamp_micros(-1)",
        "to_timestamp_micros(-11676052800000000)",
        "to_timestamp_micros('2025-10-21T22:00:10')",
        "TIMESTAMP '2025-10-21 22:00:10'",
        "TIMESTAMP '1969-12-31 23:59:59.5'",
    ])
}

const COMPARISONS: &[&str] = &["=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"];

fn tests_of(value: Text, other: Text) -> Text {
    let list = (value.clone(), any::<bool>(), prop::collection::vec(other.clone(), 1..4));
    let range = (value.clone(), any::<bool>(), other.clone(), other.clone());
    let not = |negated| if negated { "NOT " } else { "" };
    prop_oneof![
        4 => both(COMPARISONS, value.clone(), other),
        1 => list.prop_map(move |(value, negated, list)| format!("({value} {}IN ({}))", not(negated), list.join(", "))),
        1 => range.prop_map(move |(value, negated, low, high)| {
            format!("({value} {}BETWEEN {low} AND {high})", not(negated))
        }),
        1 => value.clone().prop_map(|value| format!("({value} IS NULL)")),
        1 => value.prop_map(|value| format!("({value} IS NOT NULL)")),
    ]
    .boxed()
}

fn like(columns: Columns) -> Text {
    let patterns =
        &["A%", "%b", "_", "__", "%", "", "a\\_b", "%%x%", "ß", "%'%", "日_", "e_", "😀%", "%\n", "a%b", "_%_"];
    (text(columns, 0), select(&["LIKE", "NOT LIKE", "ILIKE"][..]), select(&patterns[..]))
        .prop_map(|(value, operator, pattern)| format!("({value} {operator} '{}')", pattern.replace('\'', "''")))
        .boxed()
}

pub fn condition(columns: Columns, depth: u32) -> Text {
    let inner = depth.saturating_sub(1);
    let leaf = prop_oneof![
        3 => tests_of(double(columns, inner), double(columns, inner)),
        2 => tests_of(integer(columns, inner), integer(columns, inner)),
        1 => tests_of(small_integer(columns), one_of(&["0", "1", "7", "1600"])),
        2 => tests_of(text(columns, inner), text(columns, inner)),
        2 => tests_of(instant(columns, inner.min(1)), prop_oneof![fixed_instant(), instant(columns, inner.min(1))].boxed()),
        1 => like(columns),
    ]
    .boxed();
    if depth == 0 {
        return leaf;
    }
    let nested = condition(columns, depth - 1);
    prop_oneof![
        4 => leaf,
        2 => both(&["AND", "OR"], nested.clone(), nested.clone()),
        1 => nested.clone().prop_map(|nested| format!("(NOT {nested})")),
        1 => (nested, select(&["TRUE", "FALSE", "NOT TRUE", "NOT FALSE"][..]))
            .prop_map(|(nested, what)| format!("({nested} IS {what})")),
    ]
    .boxed()
}

/// Any value, by which rows are grouped or ordered.
pub fn any_value(columns: Columns, depth: u32) -> Text {
    prop_oneof![
        2 => double(columns, depth),
        1 => integer(columns, depth),
        1 => small_integer(columns),
        2 => text(columns, depth),
        2 => instant(columns, depth.min(1)),
    ]
    .boxed()
}
