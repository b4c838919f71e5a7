//! `date_bin` and `date_trunc` over microseconds, for every year that is stored.

use std::sync::Arc;

use chrono::{DateTime, Datelike, NaiveDate};
use datafusion::arrow::array::AsArray;
use datafusion::arrow::compute::{max, min};
use datafusion::arrow::datatypes::{DataType, FieldRef, IntervalMonthDayNano, TimeUnit, TimestampMicrosecondType};
use datafusion::common::{ScalarValue, exec_err};
use datafusion::error::Result;
use datafusion::functions::datetime;
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Documentation, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

use crate::query::sql::expressions::INSTANT;
use crate::time::{self, DAY, Micros, SECOND};

/// Instants, both inclusive, that nanoseconds reach: what DataFusion's own functions compute with.
const NANOSECONDS_REACH: (Micros, Micros) = (i64::MIN / 1_000, i64::MAX / 1_000);

/// `date_bin`.
pub(super) fn date_bin() -> Arc<ScalarUDF> {
    replaced(Kind::Bin, datetime::date_bin())
}

/// `date_trunc`.
pub(super) fn date_trunc() -> Arc<ScalarUDF> {
    replaced(Kind::Trunc, datetime::date_trunc())
}

fn replaced(kind: Kind, inner: Arc<ScalarUDF>) -> Arc<ScalarUDF> {
    Arc::new(ScalarUDF::new_from_impl(InstantFunction { kind, inner }))
}

/// The width of a bin in microseconds; `None` where it is none, or of months.
pub(in crate::query::sql) fn bin_width(stride: &ScalarValue) -> Option<Micros> {
    let ScalarValue::IntervalMonthDayNano(Some(IntervalMonthDayNano { months: 0, days, nanoseconds })) = stride else {
        return None;
    };
    let nanoseconds = (nanoseconds % 1_000 == 0).then_some(nanoseconds / 1_000)?;
    let width = i64::from(*days).checked_mul(DAY)?.checked_add(nanoseconds)?;
    (1..=WIDEST).contains(&width).then_some(width)
}

/// The widest bin: far beyond all stored instants, and far below what overflows.
const WIDEST: Micros = 1_000_000_000_000_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Bin,
    Trunc,
}

/// DataFusion's own function, but for naive instants of microseconds, which every column of time is.
#[derive(Debug, PartialEq, Eq, Hash)]
struct InstantFunction {
    kind: Kind,
    inner: Arc<ScalarUDF>,
}

impl ScalarUDFImpl for InstantFunction {
    fn name(&self) -> &str {
        self.inner.name()
    }

    // Under all of its names, or one of them would still be DataFusion's.
    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.inner.return_type(arguments)
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.inner.return_field_from_args(arguments)
    }

    fn output_ordering(&self, input: &[ExprProperties]) -> Result<SortProperties> {
        self.inner.output_ordering(input)
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        if let [ColumnarValue::Scalar(step), instants] = arguments.args.as_slice()
            && instants.data_type() == INSTANT
            && let Some(floor) = self.kind.floor(step)
        {
            return Ok(mapped(instants, floor));
        }
        if arguments.args.iter().any(is_out_of_reach) {
            return exec_err!(
                "{} with these arguments takes instants of the years 1678 to 2261 only; without an origin, and with a \
                 width that is not in months, it takes all",
                self.name()
            );
        }
        self.inner.invoke_with_args(arguments)
    }
}

impl Kind {
    /// The start of the bin, or of the unit, that holds an instant; `None` where DataFusion's own function is right.
    fn floor(self, step: &ScalarValue) -> Option<impl Fn(Micros) -> Micros + use<>> {
        let unit = match self {
            Self::Bin => Unit::Micros(bin_width(step)?),
            Self::Trunc => Unit::named(step.try_as_str().flatten()?)?,
        };
        Some(move |instant| unit.floor(instant))
    }
}

/// What instants are cut to.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Unit {
    Micros(Micros),
    Week,
    Months(u32),
}

impl Unit {
    fn named(name: &str) -> Option<Self> {
        Some(match name.to_lowercase().as_str() {
            "second" => Self::Micros(SECOND),
            "minute" => Self::Micros(60 * SECOND),
            "hour" => Self::Micros(3_600 * SECOND),
            "day" => Self::Micros(DAY),
            "week" => Self::Week,
            "month" => Self::Months(1),
            "quarter" => Self::Months(3),
            "year" => Self::Months(12),
            _ => return None,
        })
    }

    fn floor(self, instant: Micros) -> Micros {
        match self {
            Self::Micros(width) => time::floor(instant, width),
            // 1970 began on a Thursday.
            Self::Week => time::floor(instant.saturating_add(3 * DAY), 7 * DAY).saturating_sub(3 * DAY),
            Self::Months(width) => month_floor(instant, width).unwrap_or(instant),
        }
    }
}

/// `None` beyond a quarter of a million years.
fn month_floor(instant: Micros, width: u32) -> Option<Micros> {
    let date = DateTime::from_timestamp_micros(instant)?.date_naive();
    let first = NaiveDate::from_ymd_opt(date.year(), date.month0() / width * width + 1, 1)?;
    Some(first.and_hms_opt(0, 0, 0)?.and_utc().timestamp_micros())
}

fn mapped(instants: &ColumnarValue, floor: impl Fn(Micros) -> Micros) -> ColumnarValue {
    match instants {
        ColumnarValue::Scalar(ScalarValue::TimestampMicrosecond(instant, zone)) => {
            ColumnarValue::Scalar(ScalarValue::TimestampMicrosecond(instant.map(floor), zone.clone()))
        }
        ColumnarValue::Scalar(other) => ColumnarValue::Scalar(other.clone()),
        ColumnarValue::Array(array) => ColumnarValue::Array(Arc::new(
            array.as_primitive::<TimestampMicrosecondType>().unary::<_, TimestampMicrosecondType>(floor),
        )),
    }
}

/// Whether there is an instant that nanoseconds do not reach.
fn is_out_of_reach(value: &ColumnarValue) -> bool {
    if !matches!(value.data_type(), DataType::Timestamp(TimeUnit::Microsecond, _)) {
        return false;
    }
    let (least, greatest) = match value {
        ColumnarValue::Scalar(ScalarValue::TimestampMicrosecond(instant, _)) => (*instant, *instant),
        ColumnarValue::Scalar(_) => (None, None),
        ColumnarValue::Array(array) => {
            let instants = array.as_primitive::<TimestampMicrosecondType>();
            (min(instants), max(instants))
        }
    };
    least.is_some_and(|least| least < NANOSECONDS_REACH.0) || greatest.is_some_and(|most| most > NANOSECONDS_REACH.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{FIRST, LAST};

    fn floor(unit: &str, instant: &str) -> String {
        let instant = instant.parse::<chrono::NaiveDateTime>().unwrap().and_utc().timestamp_micros();
        time::format_naive(Unit::named(unit).unwrap().floor(instant))
    }

    #[test]
    fn units_begin_where_the_calendar_says_so_in_every_year() {
        for (unit, instant, start) in [
            ("week", "1970-01-01T00:00:00", "1969-12-29T00:00:00"),
            ("week", "2025-10-26T23:59:59.999999", "2025-10-20T00:00:00"),
            ("week", "1600-01-01T12:00:00", "1599-12-27T00:00:00"),
            ("month", "1600-02-29T12:00:00", "1600-02-01T00:00:00"),
            ("quarter", "9999-12-31T23:59:59.999999", "9999-10-01T00:00:00"),
            ("year", "0001-06-01T00:00:00", "0001-01-01T00:00:00"),
            ("day", "0001-01-01T00:00:00.000001", "0001-01-01T00:00:00"),
            ("second", "1969-12-31T23:59:59.5", "1969-12-31T23:59:59"),
        ] {
            assert_eq!(floor(unit, instant), start, "{unit} of {instant}");
        }
    }

    #[test]
    fn bins_of_any_width_hold_the_first_and_the_last_instant() {
        for width in [1, 7, SECOND, 86_399 * SECOND, DAY, 400 * DAY, WIDEST] {
            for instant in [FIRST, -1, 0, LAST] {
                let start = Unit::Micros(width).floor(instant);
                assert!(start <= instant && instant - start < width && start % width == 0, "{width} {instant}");
            }
        }
    }
}
