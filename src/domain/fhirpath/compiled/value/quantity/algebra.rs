//! Sums, products and quotients of quantities ("Math": addition, multiplication, division).

use rust_decimal::Decimal as Short;

use super::super::{Failed, text};
use super::{Calendar, Quantity, Unit, ucum};
use crate::domain::fhirpath::compiled::arena::Arena;

/// The longest code of a unit that is made.
const MAX_CODE: usize = 256;

/// The sum or difference in the smaller unit. Empty when the units are not comparable, and for calendar years and months
/// unless both are of one unit: that needs an explicit conversion.
///
/// # Errors
/// For a decimal of more than 28 digits.
pub(in super::super) fn sum<'t>(
    left: Quantity<'t>,
    right: Quantity<'t>,
    add: impl Fn(Short, Short) -> Option<Short>,
) -> Result<Option<Quantity<'t>>, Failed> {
    let Some((left, right)) = in_one_unit(left, right) else { return Ok(None) };
    let (value, other) = (left.value.short().ok_or(Failed)?, right.value.short().ok_or(Failed)?);
    Ok(add(value, other).map(|value| Quantity { value: value.into(), unit: left.unit }))
}

fn in_one_unit<'t>(left: Quantity<'t>, right: Quantity<'t>) -> Option<(Quantity<'t>, Quantity<'t>)> {
    if left.unit.is_same(right.unit) {
        return Some((left, right));
    }
    if left.unit.is_long_calendar() || right.unit.is_long_calendar() {
        return None;
    }
    let (from, to) = left.unit.comparable(right.unit)?;
    if from.offset != 0 || to.offset != 0 {
        return None;
    }
    let unit = if from.compare(&to).is_le() { left.unit } else { right.unit };
    let unit = match (left.unit, right.unit) {
        (Unit::Calendar(..), _) | (_, Unit::Calendar(..)) => unit.as_calendar(),
        _ => unit,
    };
    Some((left.converted(unit)?, right.converted(unit)?))
}

/// The product or, with `divide`, the quotient. Empty for a calendar duration and a unit, and for a unit that is not known.
///
/// # Errors
/// For a decimal of more than 28 digits.
pub(in super::super) fn product<'t>(
    left: Quantity<'t>,
    right: Quantity<'t>,
    divide: bool,
    arena: &'t Arena,
) -> Result<Option<Quantity<'t>>, Failed> {
    let (value, other) = (left.value.short().ok_or(Failed)?, right.value.short().ok_or(Failed)?);
    let value = if divide { value.checked_div(other).map(|value| value.normalize()) } else { value.checked_mul(other) };
    let unit = compose(left.unit, right.unit, divide, arena);
    Ok(value.zip(unit).map(|(value, unit)| Quantity { value: value.into(), unit }))
}

fn compose<'t>(left: Unit<'t>, right: Unit<'t>, divide: bool, arena: &'t Arena) -> Option<Unit<'t>> {
    if right.is_one() {
        return Some(left);
    }
    if left.is_one() && !divide {
        return Some(right);
    }
    if divide && left.is_same(right) {
        return Some(Unit::ONE);
    }
    let (Unit::Ucum(left) | Unit::Either(left, _), Unit::Ucum(right) | Unit::Either(right, _)) = (left, right) else {
        return None;
    };
    if ucum::parse(left)?.offset != 0 || ucum::parse(right)?.offset != 0 || left.len() + right.len() > MAX_CODE {
        return None;
    }
    let (left, sign) = (if left == "1" { "" } else { left }, if divide { "/" } else { "." });
    let (opening, closing) = if right.contains(['.', '/']) { ("(", ")") } else { ("", "") };
    let code = text::join(&[left, sign, opening, right, closing], "", arena).ok()?;
    ucum::parse(code)?;
    Some(Unit::Ucum(code))
}

impl Unit<'_> {
    fn is_one(self) -> bool {
        matches!(self, Self::Ucum("1"))
    }

    /// A calendar year or month.
    fn is_long_calendar(self) -> bool {
        matches!(self, Self::Calendar(Calendar::Month | Calendar::Year, _))
    }

    /// The calendar duration of a definite one, if it has one.
    fn as_calendar(self) -> Self {
        match self {
            Self::Ucum(code) => Calendar::of_ucum(code).map_or(self, |unit| Self::Calendar(unit, true)),
            Self::Either(_, unit) => Self::Calendar(unit, true),
            Self::Calendar(..) => self,
        }
    }
}
