//! `min` and `max`: NaN is the greatest of all numbers, as in ORDER BY and in the store, and there is one zero.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray};
use datafusion::arrow::datatypes::{DataType, Float64Type};
use datafusion::common::ScalarValue;
use datafusion::error::Result;
use datafusion::functions_aggregate::min_max::{max_udaf, min_udaf};
use datafusion::logical_expr::function::AccumulatorArgs;
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Documentation, GroupsAccumulator, ReversedUDAF, SetMonotonicity,
    Signature,
};
use datafusion_functions_aggregate_common::aggregate::groups_accumulator::prim_op::PrimitiveGroupsAccumulator;

use crate::query::sql::floats::ordinary;

/// `min`.
pub(super) fn min() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::new_from_impl(Extreme { end: End::Least, inner: min_udaf() }))
}

/// `max`.
pub(super) fn max() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::new_from_impl(Extreme { end: End::Greatest, inner: max_udaf() }))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum End {
    Least,
    Greatest,
}

impl End {
    /// What any other value takes the place of.
    fn start(self) -> f64 {
        match self {
            Self::Least => f64::NAN,
            Self::Greatest => f64::NEG_INFINITY,
        }
    }

    fn take(self, current: &mut f64, value: f64) {
        let value = ordinary(value);
        let replaces = match self {
            Self::Least => value < *current || current.is_nan(),
            Self::Greatest => value > *current || value.is_nan(),
        };
        if replaces {
            *current = value;
        }
    }
}

/// DataFusion's own function, but for 64-bit floats.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Extreme {
    end: End,
    inner: Arc<AggregateUDF>,
}

impl AggregateUDFImpl for Extreme {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        self.inner.return_type(arguments)
    }

    fn coerce_types(&self, arguments: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(arguments)
    }

    fn accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        if arguments.return_field.data_type() == &DataType::Float64 {
            return Ok(Box::new(FloatExtreme { end: self.end, value: None }));
        }
        self.inner.accumulator(arguments)
    }

    fn groups_accumulator_supported(&self, arguments: AccumulatorArgs<'_>) -> bool {
        self.inner.groups_accumulator_supported(arguments)
    }

    fn create_groups_accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn GroupsAccumulator>> {
        if arguments.return_field.data_type() == &DataType::Float64 {
            let end = self.end;
            let take = move |current: &mut f64, value| end.take(current, value);
            let accumulator = PrimitiveGroupsAccumulator::<Float64Type, _>::new(&DataType::Float64, take);
            return Ok(Box::new(accumulator.with_starting_value(end.start())));
        }
        self.inner.create_groups_accumulator(arguments)
    }

    fn create_sliding_accumulator(&self, arguments: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        self.inner.create_sliding_accumulator(arguments)
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn reverse_expr(&self) -> ReversedUDAF {
        ReversedUDAF::Identical
    }

    fn set_monotonicity(&self, _: &DataType) -> SetMonotonicity {
        match self.end {
            End::Least => SetMonotonicity::Decreasing,
            End::Greatest => SetMonotonicity::Increasing,
        }
    }

    fn documentation(&self) -> Option<&Documentation> {
        self.inner.documentation()
    }
}

/// The extreme of all values.
#[derive(Debug)]
struct FloatExtreme {
    end: End,
    value: Option<f64>,
}

impl Accumulator for FloatExtreme {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let numbers = values.first().and_then(|values| values.as_primitive_opt::<Float64Type>());
        for number in numbers.into_iter().flatten().flatten() {
            self.end.take(self.value.get_or_insert(self.end.start()), number);
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        Ok(ScalarValue::Float64(self.value))
    }

    fn size(&self) -> usize {
        size_of_val(self)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![self.evaluate()?])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.update_batch(states)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_rows_does_not_matter_and_nan_is_the_greatest() {
        let of = |end: End, values: &[f64]| {
            let mut current = end.start();
            values.iter().for_each(|value| end.take(&mut current, *value));
            current
        };
        let (nan, inf) = (f64::NAN, f64::INFINITY);
        for values in [[nan, 1.0, 2.0], [1.0, nan, 2.0], [2.0, 1.0, -nan]] {
            assert_eq!(of(End::Least, &values), 1.0);
            assert!(of(End::Greatest, &values).is_nan());
        }
        assert_eq!((of(End::Least, &[inf]), of(End::Greatest, &[-inf])), (inf, -inf));
        assert!(of(End::Least, &[nan]).is_nan());
        assert!(of(End::Greatest, &[-0.0]).is_sign_positive() && of(End::Least, &[0.0, -0.0]).is_sign_positive());
    }
}
