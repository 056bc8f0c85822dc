use super::super::testing::{decimal, value};
use super::super::{Value, compare, equal, equivalent};
use super::*;

fn check(cases: &[(&str, &str, Option<Ordering>)]) {
    for (left, right, expected) in cases {
        let (left_value, right_value) = (value(left), value(right));
        assert_eq!(compare(left_value, right_value), Ok(*expected), "{left} {right}");
        assert_eq!(compare(right_value, left_value), Ok(expected.map(Ordering::reverse)), "{right} {left}");
        assert_eq!(equal(left_value, right_value), expected.map(Ordering::is_eq), "{left} {right}");
    }
}

use Ordering::{Equal, Greater, Less};

#[test]
fn quantity_equality() {
    check(&[
        ("1 'cm'", "10.0 'mm'", Some(Equal)),
        ("1 'cm'", "1 'm'", Some(Less)),
        ("1 'cm'", "1 's'", None),
        ("1 'cm2'", "1 'cm'", None),
        ("23 'Cel'", "73.4 '[degF]'", Some(Equal)),
        ("38 'Cel'", "100.5 '[degF]'", Some(Less)),
        ("0 'Cel'", "273.15 'K'", Some(Equal)),
        ("4.0000 'g'", "4000.0 'mg'", Some(Equal)),
        ("4 'g'", "4040 'mg'", Some(Less)),
        ("185 '[lb_av]'", "185 'kg'", Some(Less)),
        ("1 '[lb_av]'", "453.59237 'g'", Some(Equal)),
        ("1 'mg/dL'", "0.01 'g/L'", Some(Equal)),
        ("5 'mmol/L'", "0.005 'mol/L'", Some(Equal)),
        ("5 'mmol/L'", "0.0051 'mol/l'", Some(Less)),
        ("4.5 '10*9/L'", "4500 '/uL'", Some(Equal)),
        ("4.5 '10*9/L'", "4.5 '10*3/uL'", Some(Equal)),
        ("1 'U/L'", "16.7 'nkat/L'", Some(Less)),
        ("60 'U/L'", "1 'ukat/L'", Some(Equal)),
        ("1 'm[IU]/L'", "1 'u[IU]/mL'", Some(Equal)),
        ("1 '[IU]'", "1 'mg'", None),
        ("120 'mm[Hg]'", "16 'kPa'", Some(Less)),
        ("60 '/min'", "1 'Hz'", Some(Equal)),
        ("70 '{beats}/min'", "70 '/min'", Some(Equal)),
        ("2.0 'cm.m'", "0.020 'm2'", Some(Equal)),
        ("1 'N'", "1 'kg.m/s2'", Some(Equal)),
        ("1 'kg.m-1.s-2'", "1 'Pa'", Some(Equal)),
        ("7 '%'", "0.07 '1'", Some(Equal)),
        ("1 'foo'", "1 'foo'", Some(Equal)),
        ("1 'foo'", "1 'bar '", None),
    ]);
}

#[test]
fn time_valued_quantities() {
    check(&[
        ("1 'h'", "3600 's'", Some(Equal)),
        ("1 hour", "3600 's'", Some(Equal)),
        ("1 year", "1 'a'", None),
        ("1 year", "12 months", Some(Equal)),
        ("1 year", "365 days", Some(Equal)),
        ("12 months", "360 days", Some(Equal)),
        ("1 year", "12 'mo'", None),
        ("1 year", "365 'd'", None),
        ("30 days", "1 'mo'", None),
        ("1 week", "1 'wk'", Some(Equal)),
        ("1 second", "1 's'", Some(Equal)),
        ("10 milliseconds", "0.01 's'", Some(Equal)),
        ("7 days", "1 'wk'", Some(Equal)),
        ("7 days", "1 week", Some(Equal)),
        ("6 days", "1 week", Some(Less)),
        ("8 days", "1 week", Some(Greater)),
        ("10 seconds", "1 's'", Some(Greater)),
        ("6 months", "1 year", Some(Less)),
        ("1 'a'", "12 'mo'", Some(Equal)),
        ("1 'a'", "365.25 'd'", Some(Equal)),
        ("1 day", "1 'mg'", None),
    ]);
}

#[test]
fn a_fhir_duration_is_its_ucum_code_and_a_calendar_duration() {
    let age = Quantity::of_fhir(decimal("18"), Some("http://unitsofmeasure.org"), Some("a")).expect("it is UCUM");
    for literal in ["18 years", "18 'a'", "216 months", "216 'mo'"] {
        assert_eq!(equal(Value::Quantity(age), value(literal)), Some(true), "{literal}");
    }
    let month = Quantity::of_fhir(decimal("1"), Some("http://unitsofmeasure.org"), Some("month")).expect("it is taken");
    assert_eq!(month.compare(Quantity { value: decimal("1.0"), unit: Unit::parse("month") }), Some(Ordering::Equal));
    assert_eq!(month.compare(Quantity { value: decimal("1.0"), unit: Unit::Ucum("mo") }), None);
    assert_eq!(Quantity::of_fhir(decimal("18"), None, Some("a")).map(|_| ()), None);
    assert_eq!(Quantity::of_fhir(decimal("18"), Some("http://unitsofmeasure.org"), None).map(|_| ()), None);
}

#[test]
fn quantity_equivalence() {
    for (left, right, expected) in [
        ("2.1 'cm'", "21 'mm'", true),
        ("21 'mm'", "2 'cm'", true),
        ("26 'mm'", "2 'cm'", false),
        ("4 'g'", "4000 'mg'", true),
        ("4 'g'", "4040 'mg'", true),
        ("4 'g'", "4500 'mg'", false),
        ("4.0 'g'", "4040 'mg'", true),
        ("4.1 'g'", "4040 'mg'", false),
        ("1 '[in_i]'", "2.5 'cm'", true),
        ("23 'Cel'", "73.4 '[degF]'", true),
        ("1 year", "1 'a'", true),
        ("1 year", "12 'mo'", true),
        ("1 year", "11 months", true),
        ("1 year", "5 months", false),
        ("1 month", "1 'mo'", true),
        ("1 second", "1 's'", true),
        ("7 days", "1 week", true),
        ("10 days", "1.4 weeks", true),
        ("1 'cm'", "1 's'", false),
        ("1 'foo'", "1.0 'foo'", true),
    ] {
        assert_eq!(equivalent(value(left), value(right)), expected, "{left} {right}");
        assert_eq!(equivalent(value(right), value(left)), expected, "{right} {left}");
    }
}

#[test]
fn conversion_to_another_unit() {
    for (from, unit, expected) in [
        ("52 'cm'", "m", "0.52 'm'"),
        ("24 'm'", "kg", "empty"),
        ("1 'a'", "d", "365.25 'd'"),
        ("1 'wk'", "d", "7 'd'"),
        ("7 days", "wk", "1 'wk'"),
        ("182.5 days", "a", "0.5 'a'"),
        ("182.5 'd'", "a", "0.4996577686516084873374401095 'a'"),
        ("1 year", "months", "12 months"),
        ("2 year", "a", "2 'a'"),
        ("100 '[degF]'", "Cel", "37.77777777777777777778 'Cel'"),
        ("37 'Cel'", "K", "310.15 'K'"),
        ("37 'Cel'", "[degF]", "98.6 '[degF]'"),
        ("45 '1'", "m", "empty"),
    ] {
        let quantity = value(from).quantity().expect("it is a quantity");
        let converted = quantity.converted(Unit::parse(unit)).map_or("empty".to_owned(), |quantity| {
            let mut out = String::new();
            assert!(quantity.value.write(&mut out));
            format!("{out} {}", quantity.unit)
        });
        assert_eq!(converted, expected, "{from} in {unit}");
    }
}
