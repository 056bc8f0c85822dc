use super::super::testing::{decimal, shown, value};
use super::*;

fn check(function: impl Fn(Value<'static>) -> Result<Option<Value<'static>>, Failed>, cases: &[(&str, &str)]) {
    for (of, expected) in cases {
        assert_eq!(shown(function(value(of))), *expected, "{of}");
    }
}

#[test]
fn rounding_functions() {
    check(abs, &[("-5", "Integer 5"), ("-5.5", "Decimal 5.5"), ("-5.5 'mg'", "Quantity 5.5 'mg'"), ("'a'", "failed")]);
    check(
        ceiling,
        &[
            ("1", "Integer 1"),
            ("1.1", "Integer 2"),
            ("-1.1", "Integer -1"),
            ("1.1 'mg'", "Quantity 2 'mg'"),
            ("@2024", "failed"),
        ],
    );
    check(floor, &[("1", "Integer 1"), ("2.1", "Integer 2"), ("-2.1", "Integer -3"), ("true", "failed")]);
    check(
        truncate,
        &[("101", "Integer 101"), ("1.00000001", "Integer 1"), ("-1.56", "Integer -1"), ("@T10", "failed")],
    );
    check(floor, &[("99999999999999999999.5", "Decimal 99999999999999999999")]);
    assert_eq!(shown(abs(Value::Integer(i64::MIN))), "empty");
    assert_eq!(shown(abs(Value::Decimal(decimal("1e99")))), "failed");
}

#[test]
fn round_is_away_from_zero() {
    for (of, places, expected) in [
        ("1", 0, "Decimal 1"),
        ("3.14159", 3, "Decimal 3.142"),
        ("0.5", 0, "Decimal 1"),
        ("-0.5", 0, "Decimal -1"),
        ("2.5", 0, "Decimal 3"),
        ("-2.45", 1, "Decimal -2.5"),
        ("2.45 'mg'", 1, "Quantity 2.5 'mg'"),
        ("1.5", i64::MAX, "Decimal 1.5"),
        ("1.5", -1, "failed"),
        ("'a'", 1, "failed"),
    ] {
        assert_eq!(shown(round(value(of), places)), expected, "{of} to {places}");
    }
}

#[test]
fn square_roots() {
    check(
        sqrt,
        &[
            ("81", "Decimal 9"),
            ("0", "Decimal 0"),
            ("-1", "empty"),
            ("6.25", "Decimal 2.5"),
            ("0.0001", "Decimal 0.01"),
            ("99999999980000000001", "Decimal 9999999999"),
            ("2", "Decimal 1.4142135623730950488016887242"),
            ("'a'", "failed"),
            ("9 'm2'", "failed"),
            ("0.00000000000000000001", "Decimal 0.0000000001"),
        ],
    );
    // The largest and the smallest number.
    assert!(
        square_root(Short::MAX).is_some_and(|root| (root - Short::from(281_474_976_710_656_i64)).abs() < Short::ONE)
    );
    assert!(square_root(Short::new(1, 28)).is_some_and(|root| root == Short::new(1, 14)));
}

#[test]
fn whole_powers() {
    for (of, exponent, expected) in [
        ("2", 3, "Decimal 8"),
        ("2.5", 2, "Decimal 6.25"),
        ("2", -1, "Decimal 0.5"),
        ("-2", 3, "Decimal -8"),
        ("10", 28, "Decimal 10000000000000000000000000000"),
        ("10", 29, "empty"),
        ("0", 0, "Decimal 1"),
        ("0", -1, "empty"),
        ("1", i64::MIN, "Decimal 1"),
        ("-1", i64::MAX, "Decimal -1"),
        ("1.1", i64::MAX, "empty"),
        ("'a'", 1, "failed"),
    ] {
        assert_eq!(shown(power(value(of), exponent)), expected, "{of} to the power of {exponent}");
    }
}
