//! Comparison of quantities with a comparator: a result of "more than 10" is a range, not the number 10.
//!
//! `value > 6.5 '%'` is true of ">10 %", false of "<5 %", and empty of ">5 %", of which nobody knows. The specification
//! converts a FHIR Quantity without a word about its comparator; taken for a bare number, "<5" would be greater than 4,
//! and taken for nothing at all, a critical result beyond what the device can measure would never be told of.

use std::cmp::Ordering;

use super::items::{Few, Item};
use super::scalar::Operand;
use super::{Evaluation, Halt, Scope};
use crate::domain::fhirpath::compiled::program::{Comparison, Content, Expr};
use crate::domain::fhirpath::compiled::value::{self, Value};

/// What a comparator says of the true value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bound {
    Below,
    AtMost,
    AtLeast,
    Above,
}

impl Bound {
    /// By FHIR's code; the others (`ad`: sufficient to achieve this) say nothing that could be compared.
    fn of(code: &str) -> Option<Self> {
        Some(match code {
            "<" => Self::Below,
            "<=" => Self::AtMost,
            ">=" => Self::AtLeast,
            ">" => Self::Above,
            _ => return None,
        })
    }

    /// How a value in the range stands to one to which its limit stands in this order; `None`: nobody knows.
    fn compare(self, limit: Ordering, operator: Comparison) -> Option<bool> {
        let (is_less, is_equal_or_less, is_greater, is_equal_or_greater) = match (self, limit) {
            (Self::Below, Ordering::Less | Ordering::Equal) | (Self::AtMost, Ordering::Less) => {
                (Some(true), Some(true), Some(false), Some(false))
            }
            (Self::AtMost, Ordering::Equal) => (None, Some(true), Some(false), None),
            (Self::AtLeast, Ordering::Equal) => (Some(false), None, None, Some(true)),
            (Self::Above, Ordering::Greater | Ordering::Equal) | (Self::AtLeast, Ordering::Greater) => {
                (Some(false), Some(false), Some(true), Some(true))
            }
            _ => (None, None, None, None),
        };
        match operator {
            Comparison::Less => is_less,
            Comparison::LessOrEqual => is_equal_or_less,
            Comparison::Greater => is_greater,
            Comparison::GreaterOrEqual => is_equal_or_greater,
        }
    }
}

/// One side of a comparison.
#[derive(Clone, Copy)]
struct Measured<'e> {
    value: Operand<'e>,
    bound: Option<Bound>,
}

impl<'e> Evaluation<'e> {
    /// Empty is decided before anything else: `{} < (1 | 2)` and `{} < code` are empty.
    pub(super) fn compare(
        &self,
        left: &'e Expr,
        operator: Comparison,
        right: &'e Expr,
        scope: &Scope<'e>,
    ) -> Result<Option<bool>, Halt> {
        let (left, right) = (self.measured(left, scope)?, self.measured(right, scope)?);
        let Some(pair) = Operand::pair(left.value, right.value)? else { return Ok(None) };
        let Some(ordering) = value::compare(pair.0, pair.1)? else { return Ok(None) };
        Ok(match (left.bound, right.bound) {
            (None, None) => Some(operator.holds(ordering)),
            (Some(bound), None) => bound.compare(ordering, operator),
            (None, Some(bound)) => bound.compare(ordering.reverse(), operator.turned()),
            (Some(_), Some(_)) => None,
        })
    }

    fn measured(&self, expr: &'e Expr, scope: &Scope<'e>) -> Result<Measured<'e>, Halt> {
        let items = self.few(expr, scope)?;
        if let Few::One(item) = items
            && let Some((value, bound)) = self.ranged(item)?
        {
            return Ok(Measured { value: Operand::One(value), bound: Some(bound) });
        }
        Ok(Measured { value: self.operand_of(items)?, bound: None })
    }

    /// The limit of a Quantity with a comparator.
    fn ranged(&self, item: Item<'e>) -> Result<Option<(Value<'e>, Bound)>, Halt> {
        let Item::Node(node) = item else { return Ok(None) };
        let (Some(tree), Some(at), Content::Quantity) = (self.tree(node.side), node.value, self.content(node)) else {
            return Ok(None);
        };
        let comparator = tree.member(at, self.program.members.comparator);
        let Some(bound) = comparator.and_then(|comparator| Bound::of(tree.plain_string(comparator)?)) else {
            return Ok(None);
        };
        let limit = self.quantity_without_comparator(tree, at)?;
        Ok(limit.map(|limit| (Value::Quantity(limit), bound)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPERATORS: [Comparison; 4] =
        [Comparison::Less, Comparison::LessOrEqual, Comparison::Greater, Comparison::GreaterOrEqual];

    /// Against every value of a fine grid: certain where all values of the range agree, unknown where they do not.
    #[test]
    fn a_range_compares_as_all_of_its_values_do() {
        for bound in [Bound::Below, Bound::AtMost, Bound::AtLeast, Bound::Above] {
            for (limit, other) in (-3..=3).flat_map(|limit| (-3..=3).map(move |other| (limit, other))) {
                for operator in OPERATORS {
                    let in_range = |value: &i32| match bound {
                        Bound::Below => *value < 10 * limit,
                        Bound::AtMost => *value <= 10 * limit,
                        Bound::AtLeast => *value >= 10 * limit,
                        Bound::Above => *value > 10 * limit,
                    };
                    let mut answers: Vec<bool> =
                        (-60..=60).filter(in_range).map(|value| operator.holds(value.cmp(&(10 * other)))).collect();
                    answers.dedup();
                    let expected = if let [answer] = *answers { Some(answer) } else { None };
                    let found = bound.compare(limit.cmp(&other), operator);
                    assert_eq!(found, expected, "{bound:?} {limit} {operator:?} {other}");
                    let on_the_right = bound.compare(limit.cmp(&other), operator.turned().turned());
                    assert_eq!(on_the_right, expected);
                }
            }
        }
    }
}
