//! Every operation on every pair of values: none panics, and they agree with each other.

use std::cmp::Ordering;

use crate::domain::fhirpath::compiled::arena::Arena;
use proptest::prelude::*;

use super::arithmetic::{Operator, arithmetic, negate};
use super::{Date, DateTime, Decimal, Quantity, Time, Unit, Value, compare, convert, equal, equivalent, math};

/// A value with the texts that it borrows.
#[derive(Debug, Clone)]
enum Owned {
    Boolean(bool),
    Integer(i64),
    Decimal(String),
    Text(String),
    Date(String),
    DateTime(String),
    Time(String),
    Quantity(String, String, bool),
}

impl Owned {
    fn value(&self) -> Value<'_> {
        let number = |text| Decimal::parse(text).expect("it is a number");
        match self {
            Self::Boolean(value) => Value::Boolean(*value),
            Self::Integer(value) => Value::Integer(*value),
            Self::Decimal(text) => Value::Decimal(number(text)),
            Self::Text(text) => Value::String(text),
            Self::Date(text) => Value::Date(Date::parse(text).expect("it is a date")),
            Self::DateTime(text) => Value::DateTime(DateTime::parse(text).expect("it is a time")),
            Self::Time(text) => Value::Time(Time::parse(text).expect("it is a time")),
            Self::Quantity(value, unit, false) => {
                Value::Quantity(Quantity { value: number(value), unit: Unit::parse(unit) })
            }
            Self::Quantity(value, unit, true) => {
                let system = Some("http://unitsofmeasure.org");
                Value::Quantity(Quantity::of_fhir(number(value), system, Some(unit)).expect("it is UCUM"))
            }
        }
    }
}

fn numbers() -> impl Strategy<Value = String> {
    prop_oneof![
        "-?[0-9]{1,2}(\\.[0-9]{1,2})?",
        "-?[0-9]{1,40}(\\.[0-9]{1,40})?(e-?[0-9]{1,3})?",
        "-?[0-9](e-?[0-9]{1,12})?",
        "-?79228162514264337593543950335(\\.0)?"
    ]
}

fn units() -> impl Strategy<Value = String> {
    prop_oneof![
        prop_oneof![
            Just("1"),
            Just("%"),
            Just("mg"),
            Just("g"),
            Just("kg"),
            Just("[lb_av]"),
            Just("mg/dL"),
            Just("g/L"),
            Just("Cel"),
            Just("[degF]"),
            Just("K"),
            Just("U/L"),
            Just("nkat/L"),
            Just("foo"),
            Just("s"),
            Just("min"),
            Just("wk"),
            Just("mo"),
            Just("a"),
            Just("second"),
            Just("days"),
            Just("month"),
            Just("years"),
        ]
        .prop_map(str::to_owned),
        "[a-zA-Z0-9*./()\\[\\]{}-]{1,8}",
    ]
}

fn values() -> impl Strategy<Value = Owned> {
    prop_oneof![
        any::<bool>().prop_map(Owned::Boolean),
        prop_oneof![any::<i64>(), -3_i64..3, Just(i64::MIN)].prop_map(Owned::Integer),
        numbers().prop_map(Owned::Decimal),
        prop_oneof!["[aAßſ \\t]{0,4}", "\\PC{0,6}"].prop_map(Owned::Text),
        "(0001|2024|9999)(-(01|12)(-(01|31))?)?".prop_map(Owned::Date),
        "(0001|2024|9999)-(01|12)-(01|31)(T(00|23)(:(00|58)(:(00|59|60)(\\.(0|5|123456789))?)?)?(Z|[+-](00|12):(00|30))?)?"
            .prop_map(Owned::DateTime),
        "(00|23)(:(00|59)(:(00|59|60)(\\.(0|5|999999999999999999))?)?)?".prop_map(Owned::Time),
        (numbers(), units(), any::<bool>()).prop_map(|(value, unit, fhir)| Owned::Quantity(value, unit, fhir)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8000))]

    #[test]
    fn equality_order_and_equivalence_agree((left, right) in (values(), values())) {
        let (left, right) = (left.value(), right.value());
        let equality = equal(left, right);
        let order = compare(left, right);
        prop_assert_eq!(equality, equal(right, left), "equality is symmetric");
        prop_assert_eq!(order, compare(right, left).map(|order| order.map(Ordering::reverse)), "order is antisymmetric");
        prop_assert_eq!(equivalent(left, right), equivalent(right, left), "equivalence is symmetric");
        if let (Some(equality), Ok(Some(order))) = (equality, order) {
            prop_assert_eq!(equality, order.is_eq());
        }
        if equality == Some(true) {
            prop_assert!(equivalent(left, right), "what is equal is equivalent");
        }
    }

    #[test]
    fn a_value_is_itself(value in values()) {
        let value = value.value();
        prop_assert_eq!(equal(value, value), Some(true));
        prop_assert!(equivalent(value, value));
        if let Ok(order) = compare(value, value) {
            prop_assert_eq!(order, Some(Ordering::Equal));
        }
    }

    #[test]
    fn order_is_transitive((a, b, c) in (values(), values(), values())) {
        let (a, b, c) = (a.value(), b.value(), c.value());
        // A calendar month is 30 days and a twelfth of a year of 365 days: those are not, by the specification.
        let calendar = [a, b, c].iter().any(|value| matches!(value, Value::Quantity(Quantity { unit: Unit::Calendar(..) | Unit::Either(..), .. })));
        if let (Ok(Some(first)), Ok(Some(second)), Ok(Some(third)), false) = (compare(a, b), compare(b, c), compare(a, c), calendar)
            && first == second
        {
            prop_assert_eq!(third, first);
        }
    }

    #[test]
    fn every_operation_takes_every_value((left, right) in (values(), values()), places in any::<i64>()) {
        let arena = Arena::new(1 << 24);
        let (left, right) = (left.value(), right.value());
        let operators =
            [Operator::Add, Operator::Subtract, Operator::Multiply, Operator::Divide, Operator::WholeDivide, Operator::Remainder];
        for operator in operators {
            if let Ok(Some(result)) = arithmetic(operator, left, right, &arena) {
                let _ = convert::to_string(result, &arena);
                prop_assert_eq!(equal(result, result), Some(true));
            }
        }
        if let Ok(Some(negated)) = negate(left) {
            prop_assert_eq!(negate(negated).ok().flatten().and_then(|twice| equal(twice, left)), Some(true));
        }
        let _ = (math::abs(left), math::ceiling(left), math::floor(left), math::truncate(left), math::round(left, places));
        let _ = (convert::to_boolean(left), convert::to_integer(left), convert::to_long(left), convert::to_decimal(left));
        let _ = (convert::to_date(left), convert::to_date_time(left), convert::to_time(left));
        if let Value::String(unit) = right {
            let _ = convert::to_quantity(left, Some(unit));
        }
    }

    #[test]
    fn what_is_shown_converts_back(value in values()) {
        let arena = Arena::new(1 << 24);
        let value = value.value();
        let Some(text) = convert::to_string(value, &arena).map(Value::String) else { return Ok(()) };
        let back = match value {
            Value::Boolean(_) => convert::to_boolean(text).map(Value::Boolean),
            Value::Integer(_) => convert::to_long(text).map(Value::Integer),
            Value::Decimal(_) => convert::to_decimal(text).map(Value::Decimal),
            Value::String(_) => Some(text),
            Value::Date(_) => convert::to_date(text).map(Value::Date),
            Value::DateTime(_) => convert::to_date_time(text).map(Value::DateTime),
            Value::Time(_) => convert::to_time(text).map(Value::Time),
            Value::Quantity(_) => convert::to_quantity(text, None).map(Value::Quantity),
        };
        prop_assert_eq!(back.and_then(|back| equal(back, value)), Some(true));
    }

    #[test]
    fn a_converted_quantity_is_the_same(value in numbers(), (from, to) in (units(), units())) {
        let quantity = Quantity { value: Decimal::parse(&value).expect("it is a number"), unit: Unit::parse(&from) };
        let arena = Arena::new(1 << 24);
        // There and back is by different factors: "within the unit system of the source".
        let is_calendar = |unit| matches!(Unit::parse(unit), Unit::Calendar(..));
        if is_calendar(&from) != is_calendar(&to) {
            return Ok(());
        }
        if let Some(converted) = quantity.converted(Unit::parse(&to)) {
            // A decimal has 28 places: of a milligram in yottatonnes none of them is left.
            let tiny = Value::Decimal(Decimal::parse("1e-8").expect("it is a number"));
            let size = math::abs(Value::Decimal(converted.value)).ok().flatten();
            let keeps_its_digits = size.is_some_and(|size| compare(size, tiny) != Ok(Some(Ordering::Less)));
            if !keeps_its_digits {
                return Ok(());
            }
            let back = converted.converted(Unit::parse(&from));
            let small = quantity.value.short().is_some_and(|value| value.abs() <= 1_000_000.into());
            prop_assert!(back.is_some() || !small, "there is a way back");
            let Some(back) = back else { return Ok(()) };
            let same = Value::Decimal(back.value);
            let difference = arithmetic(Operator::Subtract, same, Value::Decimal(quantity.value), &arena)
                .ok()
                .flatten()
                .and_then(|difference| math::abs(difference).ok().flatten());
            let near = difference.is_some_and(|difference| {
                compare(difference, Value::Decimal(Decimal::parse("1e-8").expect("it is a number"))) == Ok(Some(Ordering::Less))
            });
            prop_assert!(near || !small);
        }
    }
}
