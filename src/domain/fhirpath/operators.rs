//! The engine's operators, corrected where they decide wrongly.
//!
//! The engine takes the value of a FHIR Quantity from binary floating point with all its digits: 6.3 becomes
//! 6.29999999999999982..., so that `=`, `<=` and `>=` at a bound are wrong. [`exact`] puts a wrapper around every binary
//! operator that gives such a decimal back its shortest form first. The wrappers of the comparisons also answer for
//! dates and times themselves; see [`temporal`](super::temporal).

use std::cmp::Ordering;
use std::sync::Arc;

use async_trait::async_trait;
use octofhir_fhirpath::ast::BinaryOperator;
use octofhir_fhirpath::core::error_code::FP0054;
use octofhir_fhirpath::core::{FhirPathError, Result};
use octofhir_fhirpath::evaluator::operator_registry::{OperationEvaluator, OperatorMetadata, OperatorRegistry};
use octofhir_fhirpath::evaluator::{EvaluationContext, EvaluationResult};
use octofhir_fhirpath::{Collection, FhirPathValue};
use rust_decimal::Decimal;

use super::budget;
use super::metered::pairs;
use super::temporal;

/// Wraps every binary operator of the registry.
pub(super) fn exact(mut registry: OperatorRegistry) -> OperatorRegistry {
    let operators: Vec<BinaryOperator> = registry.list_binary_operators().into_iter().copied().collect();
    for operator in operators {
        if let Some(inner) = registry.get_binary_operator(&operator).cloned() {
            let relation = Relation::of(operator);
            let compares = Compares::of(operator);
            let is_joining = is_joining(operator);
            registry.register_binary_operator(operator, Arc::new(Exact { inner, is_joining, relation, compares }));
        }
    }
    registry
}

/// What an operator looks at, and so what it costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compares {
    /// The items themselves.
    Items,
    /// Everything below them.
    Trees,
    /// Each item of one side with each of the other.
    Pairs,
}

impl Compares {
    fn of(operator: BinaryOperator) -> Self {
        match operator {
            BinaryOperator::Equal | BinaryOperator::NotEqual => Self::Trees,
            BinaryOperator::Equivalent
            | BinaryOperator::NotEquivalent
            | BinaryOperator::In
            | BinaryOperator::Contains => Self::Pairs,
            _ => Self::Items,
        }
    }

    fn cost(self, left: &Collection, right: &Collection) -> u64 {
        match self {
            Self::Items => 1 + budget::items(left) + budget::items(right),
            Self::Trees => 1 + budget::deep(left) + budget::deep(right),
            Self::Pairs => 1 + budget::items(left) + budget::items(right) + pairs(left, right),
        }
    }
}

/// A comparison that is answered here for dates and times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Relation {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Relation {
    fn of(operator: BinaryOperator) -> Option<Self> {
        match operator {
            BinaryOperator::Equal => Some(Self::Equal),
            BinaryOperator::NotEqual => Some(Self::NotEqual),
            BinaryOperator::LessThan => Some(Self::Less),
            BinaryOperator::LessThanOrEqual => Some(Self::LessOrEqual),
            BinaryOperator::GreaterThan => Some(Self::Greater),
            BinaryOperator::GreaterThanOrEqual => Some(Self::GreaterOrEqual),
            _ => None,
        }
    }

    fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::NotEqual => ordering.is_ne(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }
}

/// Whether the result is as large as both sides together.
fn is_joining(operator: BinaryOperator) -> bool {
    matches!(operator, BinaryOperator::Union | BinaryOperator::Concatenate | BinaryOperator::Add)
}

/// Takes the memory of what came out.
fn held(result: EvaluationResult) -> Result<EvaluationResult> {
    budget::hold(budget::size(&result.value))?;
    Ok(result)
}

struct Exact {
    inner: Arc<dyn OperationEvaluator>,
    is_joining: bool,
    relation: Option<Relation>,
    compares: Compares,
}

impl Exact {
    /// Pays for the work, and refuses what may not fit.
    fn pay(&self, left: &Collection, right: &Collection) -> Result<()> {
        budget::spend(self.compares.cost(left, right))?;
        if self.is_joining { budget::fit(budget::size(left) + budget::size(right)) } else { Ok(()) }
    }

    /// Refuses to order several items; the engine would look at the first ones only (FHIRPath: "the evaluator will
    /// throw an error").
    fn check_singletons(&self, left: &Collection, right: &Collection) -> Result<()> {
        let orders = !matches!(self.relation, None | Some(Relation::Equal | Relation::NotEqual));
        if orders && (left.len() > 1 || right.len() > 1) {
            return Err(FhirPathError::evaluation_error(FP0054, "comparison of several items"));
        }
        Ok(())
    }

    /// The answer for two single dates or times, or `None` where the engine's own operator answers.
    fn temporal(&self, left: &Collection, right: &Collection) -> Option<EvaluationResult> {
        let relation = self.relation?;
        let ([left], [right]) = (left.values(), right.values()) else { return None };
        let value = match temporal::compare(left, right)? {
            Some(ordering) => Collection::single(FhirPathValue::boolean(relation.holds(ordering))),
            None => Collection::empty(),
        };
        Some(EvaluationResult { value })
    }
}

#[async_trait]
impl OperationEvaluator for Exact {
    fn supports_sync(&self) -> bool {
        self.inner.supports_sync()
    }

    fn evaluate_sync(
        &self,
        input: Collection,
        context: &EvaluationContext,
        left: Collection,
        right: Collection,
    ) -> Result<EvaluationResult> {
        self.pay(&left, &right)?;
        self.check_singletons(&left, &right)?;
        match self.temporal(&left, &right) {
            Some(answer) => Ok(answer),
            None => held(self.inner.evaluate_sync(input, context, shortest(left), shortest(right))?),
        }
    }

    async fn evaluate(
        &self,
        input: Collection,
        context: &EvaluationContext,
        left: Collection,
        right: Collection,
    ) -> Result<EvaluationResult> {
        self.pay(&left, &right)?;
        self.check_singletons(&left, &right)?;
        match self.temporal(&left, &right) {
            Some(answer) => Ok(answer),
            None => held(self.inner.evaluate(input, context, shortest(left), shortest(right)).await?),
        }
    }

    fn metadata(&self) -> &OperatorMetadata {
        self.inner.metadata()
    }
}

/// The collection with every decimal that came from binary floating point in its shortest form.
pub(super) fn shortest(collection: Collection) -> Collection {
    if collection.iter().all(|value| shortest_value(value).is_none()) {
        return collection;
    }
    let ordered = collection.is_ordered();
    let values = collection.iter().map(|value| shortest_value(value).unwrap_or_else(|| value.clone())).collect();
    Collection::from_values_with_ordering(values, ordered)
}

/// The value with its decimal in the shortest form, if that is another.
pub(super) fn shortest_value(value: &FhirPathValue) -> Option<FhirPathValue> {
    match value {
        FhirPathValue::Decimal(decimal, type_info, element) => {
            Some(FhirPathValue::Decimal(shortest_decimal(*decimal)?, type_info.clone(), element.clone()))
        }
        FhirPathValue::Quantity { value: decimal, .. } => {
            let shorter = shortest_decimal(*decimal)?;
            let mut copy = value.clone();
            if let FhirPathValue::Quantity { value: decimal, .. } = &mut copy {
                *decimal = shorter;
            }
            Some(copy)
        }
        _ => None,
    }
}

/// The shortest decimal that is the same binary floating-point number, if this decimal is one written out in full.
fn shortest_decimal(decimal: Decimal) -> Option<Decimal> {
    // What has few digits is either written like that or exact in binary.
    if decimal.scale() == 0 || decimal.mantissa().unsigned_abs() < 10_u128.pow(15) {
        return None;
    }
    // Through text: rust_decimal's own conversion to f64 is off by a bit for some values.
    let float: f64 = decimal.to_string().parse().ok()?;
    if Decimal::from_f64_retain(float)? != decimal {
        return None;
    }
    let shorter: Decimal = float.to_string().parse().ok()?;
    (shorter != decimal).then_some(shorter)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_decimal_literal_stays_as_it_is() {
        for text in ["6.3", "0.1", "0.333333333333333333", "12.50", "100"] {
            assert_eq!(shortest_decimal(text.parse().expect("a decimal")), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_decimal_from_binary_gets_its_digits_back(units in -999_999_999_999_i64..999_999_999_999, scale in 0_u32..6) {
            let written = Decimal::new(units, scale);
            let float = written.to_string().parse::<f64>().expect("a decimal is a float");
            let retained = Decimal::from_f64_retain(float).expect("it is in range");
            prop_assert_eq!(shortest_decimal(retained).unwrap_or(retained), written);
        }
    }
}
