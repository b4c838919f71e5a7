//! Expressions of DataFusion, written as SQL of the store.
//!
//! Only what means exactly the same on both sides is written. Integer arithmetic is not (overflow differs), nor is
//! `ILIKE` (case folding differs), nor most functions, nor are comparisons of computed floats (the sign of a zero or of a
//! NaN counts in DataFusion alone): those stay in DataFusion. `tests/property.rs` holds it to that.

use datafusion::arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::Column;
use datafusion::logical_expr::expr::{Between, Case, Cast, InList, Like, ScalarFunction};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator};
use datafusion::scalar::ScalarValue;

use super::floats::is_ordinary;
use super::functions::bin_width;
use super::sources::alias;
use crate::store::Value;
use crate::tables::{ColumnKind, Table};
use crate::time::FIRST;

/// A naive instant, as all tables have it.
pub(super) const INSTANT: DataType = DataType::Timestamp(TimeUnit::Microsecond, None);

/// What an expression is, once it is written.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Written {
    /// Its type.
    pub kind: DataType,
    /// Whether it is no float that was computed: a computed zero or NaN may have a sign.
    is_plain: bool,
}

impl Written {
    fn plain(kind: DataType) -> Self {
        Self { kind, is_plain: true }
    }

    fn computed(kind: DataType) -> Self {
        Self { kind, is_plain: false }
    }

    /// Whether both engines compare, order and group its values in the same way.
    pub fn is_comparable(&self) -> bool {
        self.is_plain || self.kind != DataType::Float64
    }
}

/// Writes expressions over the columns of some tables, and gathers the values that are bound to them.
#[derive(Debug, Clone)]
pub(super) struct ExpressionWriter<'a> {
    tables: &'a [&'static Table],
    /// The text so far.
    pub text: String,
    /// The values of `$1`, `$2`, … in the text.
    pub values: Vec<Value>,
    /// How many divisors the expression in hand is a part of.
    divisors: usize,
}

impl<'a> ExpressionWriter<'a> {
    /// For the tables `t0`, `t1`, …; a column without a table is one of `t0`.
    pub fn new(tables: &'a [&'static Table]) -> Self {
        Self { tables, text: String::new(), values: Vec::new(), divisors: 0 }
    }

    /// Appends literal SQL.
    pub fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Appends the name of a column.
    pub fn column(&mut self, column: &Column) -> Option<DataType> {
        let position = match &column.relation {
            None => 0,
            Some(relation) => (0..self.tables.len()).find(|position| relation.table() == alias(*position))?,
        };
        let table = self.tables.get(position)?;
        let declared = table.columns.get(table.position(&column.name)?)?;
        if column.relation.is_some() {
            self.push(&alias(position));
            self.push(".");
        }
        self.push("\"");
        self.push(declared.name);
        self.push("\"");
        Some(declared.kind.data_type())
    }

    /// Appends an expression that is true, false or null.
    pub fn condition(&mut self, expr: &Expr) -> Option<()> {
        (self.expression(expr)?.kind == DataType::Boolean).then_some(())
    }

    /// Appends an expression whose values both engines compare, order and group in the same way.
    pub fn comparable(&mut self, expr: &Expr) -> Option<DataType> {
        let written = self.expression(expr)?;
        written.is_comparable().then_some(written.kind)
    }

    /// Appends an expression and says what it is; `None` where the store could mean something else by it, and then the
    /// text is of no use any more.
    pub fn expression(&mut self, expr: &Expr) -> Option<Written> {
        match expr {
            Expr::Alias(alias) => self.expression(&alias.expr),
            Expr::Column(column) => self.value_of(column).map(Written::plain),
            Expr::Literal(value, _) => self.literal(value).map(Written::plain),
            Expr::Cast(cast) => self.cast(cast),
            Expr::BinaryExpr(binary) => self.binary(binary),
            Expr::Not(inner) => self.wrapped("(NOT ", inner, ")"),
            Expr::IsTrue(inner) => self.wrapped("(", inner, " IS TRUE)"),
            Expr::IsFalse(inner) => self.wrapped("(", inner, " IS FALSE)"),
            Expr::IsNotTrue(inner) => self.wrapped("(", inner, " IS NOT TRUE)"),
            Expr::IsNotFalse(inner) => self.wrapped("(", inner, " IS NOT FALSE)"),
            Expr::Negative(inner) => {
                self.push("(-");
                let kind = self.expression(inner)?.kind;
                self.push(")");
                (kind == DataType::Float64).then_some(Written::computed(kind))
            }
            Expr::IsNull(inner) => self.null_test(inner, " IS NULL)"),
            Expr::IsNotNull(inner) => self.null_test(inner, " IS NOT NULL)"),
            Expr::Between(between) => self.between(between),
            Expr::InList(list) => self.in_list(list),
            Expr::Like(like) => self.like(like),
            Expr::Case(case) => self.case(case),
            Expr::ScalarFunction(function) => self.function(function),
            _ => None,
        }
    }

    /// Appends the value of a column. What is divided by it must not see the sign of a stored zero.
    fn value_of(&mut self, column: &Column) -> Option<DataType> {
        let start = self.text.len();
        let kind = self.column(column)?;
        if self.divisors > 0 && kind == DataType::Float64 {
            self.text.insert(start, '(');
            self.push(" + CAST(0 AS DOUBLE))");
        }
        Some(kind)
    }

    fn wrapped(&mut self, before: &str, condition: &Expr, after: &str) -> Option<Written> {
        self.push(before);
        self.condition(condition)?;
        self.push(after);
        Some(Written::plain(DataType::Boolean))
    }

    fn null_test(&mut self, inner: &Expr, after: &str) -> Option<Written> {
        self.push("(");
        self.expression(inner)?;
        self.push(after);
        Some(Written::plain(DataType::Boolean))
    }

    fn literal(&mut self, value: &ScalarValue) -> Option<DataType> {
        let (kind, value) = match value {
            ScalarValue::Boolean(value) => {
                self.bound(value.map_or(Value::Null, Value::Boolean), "BOOLEAN");
                return Some(DataType::Boolean);
            }
            ScalarValue::Int32(value) => (ColumnKind::Integer, value.map(|value| Value::Integer(value.into()))),
            ScalarValue::Int64(value) => (ColumnKind::BigInt, value.map(Value::Integer)),
            ScalarValue::Float64(value) if value.is_none_or(is_ordinary) => {
                (ColumnKind::Double, value.map(Value::Double))
            }
            ScalarValue::Utf8(value) => (ColumnKind::Text, value.clone().map(Value::Text)),
            ScalarValue::TimestampMicrosecond(value, zone) if is_utc(zone.as_deref()) => {
                (ColumnKind::Timestamp, value.map(Value::Timestamp))
            }
            ScalarValue::TimestampNanosecond(Some(value), zone) if is_utc(zone.as_deref()) && value % 1_000 == 0 => {
                (ColumnKind::Timestamp, Some(Value::Timestamp(value / 1_000)))
            }
            _ => return None,
        };
        self.bound(value.unwrap_or(Value::Null), kind.sql());
        Some(kind.data_type())
    }

    fn bound(&mut self, value: Value, kind: &str) {
        self.values.push(value);
        let position = self.values.len();
        self.text.push_str(&format!("CAST(${position} AS {kind})"));
    }

    fn cast(&mut self, cast: &Cast) -> Option<Written> {
        let target = cast.field.data_type();
        match target {
            // The same instant, finer: comparisons come out the same.
            DataType::Timestamp(TimeUnit::Microsecond | TimeUnit::Nanosecond, zone) if is_utc(zone.as_deref()) => {
                let written = self.expression(&cast.expr)?;
                (written.kind == INSTANT).then_some(written)
            }
            DataType::Float64 | DataType::Int64 => {
                self.push("CAST(");
                let source = self.expression(&cast.expr)?;
                let name = if *target == DataType::Float64 { ColumnKind::Double } else { ColumnKind::BigInt };
                self.push(" AS ");
                self.push(name.sql());
                self.push(")");
                let widens = matches!(
                    (&source.kind, target),
                    (DataType::Int32, _) | (DataType::Int64, _) | (DataType::Float64, DataType::Float64)
                );
                widens.then(|| Written { kind: target.clone(), ..source })
            }
            _ => None,
        }
    }

    fn binary(&mut self, binary: &BinaryExpr) -> Option<Written> {
        let operator = match binary.op {
            Operator::And => " AND ",
            Operator::Or => " OR ",
            Operator::Eq => " = ",
            Operator::NotEq => " <> ",
            Operator::Lt => " < ",
            Operator::LtEq => " <= ",
            Operator::Gt => " > ",
            Operator::GtEq => " >= ",
            Operator::IsDistinctFrom => " IS DISTINCT FROM ",
            Operator::IsNotDistinctFrom => " IS NOT DISTINCT FROM ",
            Operator::Plus => " + ",
            Operator::Minus => " - ",
            Operator::Multiply => " * ",
            Operator::Divide => " / ",
            _ => return None,
        };
        self.push("(");
        let left = self.expression(&binary.left)?;
        self.push(operator);
        let divides = usize::from(binary.op == Operator::Divide);
        self.divisors += divides;
        let right = self.expression(&binary.right)?;
        self.divisors -= divides;
        self.push(")");
        if left.kind != right.kind {
            return None;
        }
        match binary.op {
            Operator::And | Operator::Or => (left.kind == DataType::Boolean).then_some(left),
            Operator::Plus | Operator::Minus | Operator::Multiply | Operator::Divide => {
                (left.kind == DataType::Float64).then(|| Written::computed(left.kind))
            }
            _ => (left.is_comparable() && right.is_comparable()).then(|| Written::plain(DataType::Boolean)),
        }
    }

    fn between(&mut self, between: &Between) -> Option<Written> {
        self.push("(");
        let value = self.comparable(&between.expr)?;
        self.push(if between.negated { " NOT BETWEEN " } else { " BETWEEN " });
        let low = self.comparable(&between.low)?;
        self.push(" AND ");
        let high = self.comparable(&between.high)?;
        self.push(")");
        (low == value && high == value).then(|| Written::plain(DataType::Boolean))
    }

    fn in_list(&mut self, list: &InList) -> Option<Written> {
        self.push("(");
        let value = self.comparable(&list.expr)?;
        self.push(if list.negated { " NOT IN (" } else { " IN (" });
        for (position, item) in list.list.iter().enumerate() {
            if position > 0 {
                self.push(", ");
            }
            if self.comparable(item)? != value {
                return None;
            }
        }
        self.push("))");
        (!list.list.is_empty()).then(|| Written::plain(DataType::Boolean))
    }

    fn like(&mut self, like: &Like) -> Option<Written> {
        let Expr::Literal(ScalarValue::Utf8(Some(pattern)), _) = like.pattern.as_ref() else { return None };
        // A backslash escapes there, and is a character like any other here.
        if like.case_insensitive || like.escape_char.is_some() || pattern.contains('\\') {
            return None;
        }
        self.push("(");
        let value = self.expression(&like.expr)?;
        self.push(if like.negated { " NOT LIKE " } else { " LIKE " });
        self.expression(&like.pattern)?;
        self.push(")");
        (value.kind == DataType::Utf8).then(|| Written::plain(DataType::Boolean))
    }

    fn case(&mut self, case: &Case) -> Option<Written> {
        if case.expr.is_some() {
            return None;
        }
        let mut kind = None;
        self.push("(CASE");
        for (when, then) in &case.when_then_expr {
            self.push(" WHEN ");
            self.condition(when)?;
            self.push(" THEN ");
            same(&mut kind, self.expression(then)?)?;
        }
        if let Some(otherwise) = &case.else_expr {
            self.push(" ELSE ");
            same(&mut kind, self.expression(otherwise)?)?;
        }
        self.push(" END)");
        kind
    }

    fn function(&mut self, function: &ScalarFunction) -> Option<Written> {
        match (function.func.name(), function.args.as_slice()) {
            ("date_bin", [Expr::Literal(stride, _), instant]) => self.date_bin(stride, instant),
            ("date_trunc", [Expr::Literal(ScalarValue::Utf8(Some(unit)), _), instant]) => {
                self.date_trunc(unit, instant)
            }
            ("date_part", [Expr::Literal(ScalarValue::Utf8(Some(part)), _), instant]) => self.date_part(part, instant),
            ("coalesce", arguments) => self.coalesce(arguments),
            ("abs", [argument]) => {
                self.push("abs(");
                let written = self.expression(argument)?;
                self.push(")");
                (written.kind == DataType::Float64).then_some(written)
            }
            _ => None,
        }
    }

    /// Buckets by integer division, which takes a third less time than the store's own function for it. Division cuts
    /// towards zero, so instants are moved beyond it first, by whole bins: no stored instant is older than [`FIRST`].
    fn date_bin(&mut self, stride: &ScalarValue, instant: &Expr) -> Option<Written> {
        let width = bin_width(stride)?;
        let shift = (-FIRST).div_euclid(width).checked_add(1)?.checked_mul(width)?;
        self.push("make_timestamp((epoch_us(");
        let written = self.expression(instant)?;
        self.push(&format!(") + {shift}) // {width} * {width} - {shift})"));
        (written.kind == INSTANT).then_some(written)
    }

    fn date_trunc(&mut self, unit: &str, instant: &Expr) -> Option<Written> {
        let unit = unit.to_lowercase();
        let known = ["second", "minute", "hour", "day", "week", "month", "quarter", "year"];
        let unit = known.into_iter().find(|candidate| *candidate == unit)?;
        self.push("CAST(date_trunc('");
        self.push(unit);
        self.push("', ");
        let written = self.expression(instant)?;
        self.push(") AS TIMESTAMP)");
        (written.kind == INSTANT).then_some(written)
    }

    fn date_part(&mut self, part: &str, instant: &Expr) -> Option<Written> {
        let part = part.to_lowercase();
        let known = ["minute", "hour", "day", "dow", "doy", "month", "quarter", "year"];
        let part = known.into_iter().find(|candidate| *candidate == part)?;
        self.push("CAST(date_part('");
        self.push(part);
        self.push("', ");
        let written = self.expression(instant)?;
        self.push(") AS INTEGER)");
        (written.kind == INSTANT).then(|| Written::plain(DataType::Int32))
    }

    fn coalesce(&mut self, arguments: &[Expr]) -> Option<Written> {
        let mut kind = None;
        for (position, argument) in arguments.iter().enumerate() {
            self.push(if position == 0 { "coalesce(" } else { ", " });
            same(&mut kind, self.expression(argument)?)?;
        }
        self.push(")");
        kind
    }
}

/// One of several values, of which all must have one type.
fn same(one: &mut Option<Written>, next: Written) -> Option<()> {
    match one {
        None => *one = Some(next),
        Some(one) if one.kind == next.kind => one.is_plain &= next.is_plain,
        Some(_) => return None,
    }
    Some(())
}

fn is_utc(zone: Option<&str>) -> bool {
    matches!(zone, None | Some("UTC" | "+00:00" | "Z"))
}
