//! Whole queries: conditions, groups, first rows, distinct rows, joins.

use proptest::prelude::*;
use proptest::sample::select;

use super::expressions::{
    Columns, JOINED, MARKET_DATA, TRADES, any_value, condition, double, instant, integer, small_integer, text,
};

/// One generated query.
#[derive(Debug, Clone)]
pub struct Query {
    pub sql: String,
    /// Whether its rows come in an order that it asks for.
    pub is_ordered: bool,
    /// For each column from the left, whether its last digits depend on the order of the rows that it is made of.
    pub sums: Vec<bool>,
    pub of_empty_tables: bool,
}

/// An aggregate, and whether it sums up floats.
type Aggregate = (String, bool);

#[derive(Debug, Clone, Copy)]
struct Source {
    from: &'static str,
    columns: Columns,
    /// What tells every row from the others.
    key: &'static str,
}

const SOURCES: [Source; 4] = [
    Source { from: "market_data", columns: MARKET_DATA, key: "timestamp, symbol" },
    Source { from: "trades", columns: TRADES, key: "trade_id" },
    Source {
        from: "trades t JOIN market_data m ON t.symbol = m.symbol AND t.timestamp = m.timestamp",
        columns: JOINED,
        key: "t.trade_id, m.timestamp, m.symbol",
    },
    Source {
        from: "trades t JOIN market_data m ON t.symbol = m.symbol AND t.price <= m.bid",
        columns: JOINED,
        key: "t.trade_id, m.timestamp, m.symbol",
    },
];

fn aggregate(source: Source) -> BoxedStrategy<Aggregate> {
    let columns = source.columns;
    let distinct = || select(&["", "DISTINCT "][..]);
    let sum = (select(&["sum", "avg"][..]), distinct(), double(columns, 1));
    let whole = (select(&["sum", "avg"][..]), distinct(), integer(columns, 1));
    let extreme = (select(&["min", "max"][..]), any_value(columns, 1));
    let count = (distinct(), any_value(columns, 1));
    let edge = (select(&["first_value", "last_value"][..]), any_value(columns, 1));
    let other = (select(&["stddev", "var_pop", "var_samp", "stddev_pop", "median"][..]), double(columns, 0));
    let exact = |text: String| (text, false);
    let aggregate = prop_oneof![
        2 => sum.prop_map(|(name, distinct, value)| (format!("{name}({distinct}{value})"), true)),
        2 => whole.prop_map(|(name, distinct, value)| (format!("{name}({distinct}{value})"), name == "avg")),
        1 => small_integer(columns).prop_map(move |value| exact(format!("sum({value})"))),
        4 => extreme.prop_map(move |(name, value)| exact(format!("{name}({value})"))),
        2 => count.prop_map(move |(distinct, value)| exact(format!("count({distinct}{value})"))),
        1 => Just(exact("count(*)".to_owned())),
        2 => edge.prop_map(move |(name, value)| exact(format!("{name}({value} ORDER BY {})", source.key))),
        1 => other.prop_map(|(name, value)| (format!("{name}({value})"), true)),
    ];
    (aggregate, prop::option::weighted(0.25, condition(columns, 1)))
        .prop_map(|((text, sums), filter)| match filter {
            // DataFusion 54 does not take both.
            Some(filter) if !text.contains("ORDER BY") => (format!("{text} FILTER (WHERE {filter})"), sums),
            _ => (text, sums),
        })
        .boxed()
}

fn where_clause(columns: Columns) -> BoxedStrategy<String> {
    prop::option::of(condition(columns, 2))
        .prop_map(|condition| condition.map_or_else(String::new, |condition| format!(" WHERE {condition}")))
        .boxed()
}

/// Groups, or one row for all.
fn groups(source: Source) -> BoxedStrategy<Query> {
    let keys = prop::collection::vec(any_value(source.columns, 1), 0..3);
    let aggregates = prop::collection::vec(aggregate(source), 1..4);
    (keys, aggregates, where_clause(source.columns), any::<bool>())
        .prop_map(move |(keys, aggregates, filter, having)| {
            let sums = keys.iter().map(|_| false).chain(aggregates.iter().map(|(_, sums)| *sums)).collect();
            let places: Vec<String> = (1..=keys.len()).map(|place| place.to_string()).collect();
            let group = if keys.is_empty() { String::new() } else { format!(" GROUP BY {}", places.join(", ")) };
            let having = if having && !keys.is_empty() { " HAVING count(*) > 1" } else { "" };
            let selected = keys.into_iter().chain(aggregates.into_iter().map(|(text, _)| text));
            let selected: Vec<String> =
                selected.enumerate().map(|(place, text)| format!("{text} AS c{place}")).collect();
            let sql = format!("SELECT {} FROM {}{filter}{group}{having}", selected.join(", "), source.from);
            Query { sql, is_ordered: false, sums, of_empty_tables: false }
        })
        .boxed()
}

/// Rows that pass a condition, some columns of them, all or only distinct ones.
fn filtered(source: Source) -> BoxedStrategy<Query> {
    let columns = source.columns;
    let values = (double(columns, 1), integer(columns, 1), text(columns, 1), instant(columns, 1));
    (values, condition(columns, 3), select(&["", "DISTINCT "][..]))
        .prop_map(move |((double, integer, text, instant), condition, distinct)| {
            let selected = format!("{double} AS c0, {integer} AS c1, {text} AS c2, {instant} AS c3");
            let sql = format!("SELECT {distinct}{selected} FROM {} WHERE {condition}", source.from);
            Query { sql, is_ordered: false, sums: Vec::new(), of_empty_tables: false }
        })
        .boxed()
}

/// The first rows of an order.
fn first_rows(source: Source) -> BoxedStrategy<Query> {
    let order = (any_value(source.columns, 1), select(&["", " ASC", " DESC"][..]), {
        select(&["", " NULLS FIRST", " NULLS LAST"][..])
    });
    let orders = prop::collection::vec(order, 1..3);
    (orders, where_clause(source.columns), 1..20_u32, prop::option::of(0..5_u32))
        .prop_map(move |(orders, filter, limit, offset)| {
            let orders = orders.iter().map(|(value, direction, nulls)| format!("{value}{direction}{nulls}"));
            let orders: Vec<String> = orders.collect();
            let offset = offset.map_or_else(String::new, |offset| format!(" OFFSET {offset}"));
            let sql = format!(
                "SELECT {key} FROM {}{filter} ORDER BY {}, {key} LIMIT {limit}{offset}",
                source.from,
                orders.join(", "),
                key = source.key
            );
            Query { sql, is_ordered: true, sums: Vec::new(), of_empty_tables: false }
        })
        .boxed()
}

/// Two figures beside each other, each of a query of its own.
fn figures() -> BoxedStrategy<Query> {
    let figure = || {
        select(&SOURCES[..]).prop_flat_map(|source| {
            (aggregate(source), where_clause(source.columns))
                .prop_map(move |((text, sums), filter)| (format!("(SELECT {text} FROM {}{filter})", source.from), sums))
        })
    };
    (figure(), figure())
        .prop_map(|((one, one_sums), (other, other_sums))| Query {
            sql: format!("SELECT {one} AS c0, {other} AS c1"),
            is_ordered: false,
            sums: vec![one_sums, other_sums],
            of_empty_tables: false,
        })
        .boxed()
}

/// Any query.
pub fn query() -> impl Strategy<Value = Query> {
    let of_one_source = select(&SOURCES[..])
        .prop_flat_map(|source| prop_oneof![4 => groups(source), 2 => filtered(source), 2 => first_rows(source)]);
    let query = prop_oneof![8 => of_one_source, 1 => figures()];
    (query, prop::bool::weighted(0.1)).prop_map(|(query, of_empty_tables)| Query { of_empty_tables, ..query })
}
