use proptest::prelude::*;

use super::super::Decimal;
use super::super::testing::{decimal, shown, value};
use super::*;

/// The result of an expression of two literals and an operator between spaces.
fn result(expression: &str) -> String {
    let operators = [
        (" + ", Operator::Add),
        (" - ", Operator::Subtract),
        (" * ", Operator::Multiply),
        (" / ", Operator::Divide),
        (" div ", Operator::WholeDivide),
        (" mod ", Operator::Remainder),
    ];
    let (symbol, operator) = operators.iter().find(|(symbol, _)| expression.contains(symbol)).expect("there is one");
    let (left, right) = expression.split_once(symbol).expect("it is there");
    let arena = Arena::new(1 << 24);
    shown(arithmetic(*operator, value(left), value(right), &arena))
}

fn check(cases: &[(&str, &str)]) {
    for (expression, expected) in cases {
        assert_eq!(result(expression), *expected, "{expression}");
    }
}

#[test]
fn numbers() {
    check(&[
        ("1 + 2", "Integer 3"),
        ("1 + 4.5", "Decimal 5.5"),
        ("1.2 + 1.8", "Decimal 3.0"),
        ("1.8 - 1.2", "Decimal 0.6"),
        ("0.1 + 0.2", "Decimal 0.3"),
        ("1.2 * 1.8", "Decimal 2.16"),
        ("4 / 2", "Decimal 2"),
        ("2 / 4", "Decimal 0.5"),
        ("1.2 / 1.8", "Decimal 0.6666666666666666666666666667"),
        ("12 / 0", "empty"),
        ("1.0 / 0.0", "empty"),
        ("5 div 2", "Integer 2"),
        ("5.5 div 0.7", "Decimal 7"),
        ("2.2 div 1.8", "Decimal 1"),
        ("-5.5 div 2", "Decimal -2"),
        ("99999999999999999999999999 div 0.000001", "empty"),
        ("9999999999999999999999999.9 div 1", "Decimal 9999999999999999999999999"),
        ("5 div 0", "empty"),
        ("5.0 div 0", "empty"),
        ("5 mod 2", "Integer 1"),
        ("5.5 mod 0.7", "Decimal 0.6"),
        ("2.2 mod 1.8", "Decimal 0.4"),
        ("-5.5 mod 2", "Decimal -1.5"),
        ("5 mod 0", "empty"),
        ("5.0 mod 0.0", "empty"),
        ("'a' + 'b'", "String ab"),
        ("'a' - 'b'", "failed"),
        ("'a' + 1", "failed"),
        ("true + 1", "failed"),
    ]);
}

#[test]
fn overflow_is_empty() {
    check(&[
        ("9223372036854775807 + 1", "empty"),
        ("-9223372036854775807 - 2", "empty"),
        ("9223372036854775807 * 2", "empty"),
        ("9999999999999999999999999.0 * 1000000.0", "empty"),
        ("99999999999999999999999999.0 / 0.000001", "empty"),
    ]);
    let arena = Arena::new(1 << 24);
    for operator in [Operator::WholeDivide, Operator::Remainder] {
        assert_eq!(shown(arithmetic(operator, Value::Integer(i64::MIN), Value::Integer(-1), &arena)), "empty");
    }
    assert_eq!(shown(negate(Value::Integer(i64::MIN))), "empty");
    let (most, less) = (Value::from(Short::MAX), Value::from(Short::MAX - Short::ONE));
    assert_eq!(shown(arithmetic(Operator::WholeDivide, less, most, &arena)), "Decimal 0", "the quotient rounds to 1");
    let long = "1".repeat(40);
    let long = Value::Decimal(decimal(&long));
    assert_eq!(shown(arithmetic(Operator::Add, long, Value::Integer(1), &arena)), "failed");
    assert_eq!(shown(negate(long)), "failed");
    assert_eq!(shown(negate(Value::Decimal(decimal("1.0000000000000000000000000000000000000")))), "Decimal -1");
}

#[test]
fn quantity_sums() {
    check(&[
        ("3 'm' + 3 'cm'", "Quantity 303 'cm'"),
        ("3 'cm' + 3 'm'", "Quantity 303 'cm'"),
        ("3 'm' - 3 'cm'", "Quantity 297 'cm'"),
        ("3 'cm' - 3 'm'", "Quantity -297 'cm'"),
        ("2 + 2 'cm'", "empty"),
        ("2 + 2 '1'", "Quantity 4 '1'"),
        ("1 'cm' + 1 's'", "empty"),
        ("1.5 'foo' + 1 'foo'", "Quantity 2.5 'foo'"),
        ("1 'foo' + 1 'bar '", "empty"),
        ("37 'Cel' + 1 'Cel'", "Quantity 38 'Cel'"),
        ("37 'Cel' + 1 '[degF]'", "empty"),
        ("2 minutes + 60 seconds", "Quantity 180 seconds"),
        ("60 's' + 2 minutes", "Quantity 180 seconds"),
        ("1 'wk' + 2 days", "Quantity 9 days"),
        ("1 week + 14 days", "Quantity 21 days"),
        ("3 'd' + 1 'wk'", "Quantity 10 'd'"),
        ("1 year + 12 months", "empty"),
        ("1 year + 12 'mo'", "empty"),
        ("1 year + 2 years", "Quantity 3 year"),
    ]);
}

#[test]
fn quantity_products() {
    check(&[
        ("2.0 'cm' * 2.0 'm'", "Quantity 4.00 'cm.m'"),
        ("4.0 'g' / 2.0 'm'", "Quantity 2 'g/m'"),
        ("1.0 'm' / 1.0 'm'", "Quantity 1 '1'"),
        ("120 'm' / 60 's'", "Quantity 2 'm/s'"),
        ("60 / 1 's'", "Quantity 60 '/s'"),
        ("60 's' / 2", "Quantity 30 's'"),
        ("2 * 3 'mg'", "Quantity 6 'mg'"),
        ("2 * 3 'foo'", "Quantity 6 'foo'"),
        ("2 days * 3", "Quantity 6 days"),
        ("12 'mg/dL' / 2 'g/L'", "Quantity 6 'mg/dL/(g/L)'"),
        ("12 days * 45 'm'", "empty"),
        ("12 'foo' * 45 'm'", "empty"),
        ("1 'Cel' * 1 'm'", "empty"),
        ("1 'm' / 0 's'", "empty"),
        ("5 'm' div 2 'm'", "failed"),
        ("5 'm' mod 2", "failed"),
    ]);
}

#[test]
fn date_and_time_arithmetic() {
    check(&[
        ("@1973-12-25 + 7 days", "Date 1974-01-01"),
        ("@1973-12-25 + 7.9 days", "Date 1974-01-01"),
        ("@1973-12-25 + 1 week", "Date 1974-01-01"),
        ("@1973-12-25 + 1 month", "Date 1974-01-25"),
        ("@1973-12-25 + 1 year", "Date 1974-12-25"),
        ("@1973-12-25 + 1 'd'", "Date 1973-12-26"),
        ("@1973-12-25 + 1 'wk'", "Date 1974-01-01"),
        ("@1974-12-25 - 1 'month'", "Date 1974-11-25"),
        ("@2019-03-01 + 24 months", "Date 2021-03-01"),
        ("@2019-03-01 - 24 months", "Date 2017-03-01"),
        ("@2026-01-31 + 1 month", "Date 2026-02-28"),
        ("@2024-02-29 + 1 year", "Date 2025-02-28"),
        ("@2024-02-29 - 4 years", "Date 2020-02-29"),
        ("@2026-01-01 + 25 hours", "Date 2026-01-02"),
        ("@2014 + 24 months", "Date 2016"),
        ("@2014 + 23 months", "Date 2015"),
        ("@2016 + 365 days", "Date 2017"),
        ("@2014 + 11 months", "Date 2014"),
        ("@2014 - 24 months", "Date 2012"),
        ("@2014 - 1 month", "Date 2014"),
        ("@2026-02 + 5 weeks", "Date 2026-03"),
        ("@2026-02 + 4 weeks", "Date 2026-02"),
        ("@2026-02 - 1 day", "Date 2026-02"),
        ("@2026-02 + 1 year", "Date 2027-02"),
        ("@2026-01-01T13:00:00 + 30 minutes", "DateTime 2026-01-01T13:30:00"),
        ("@2026-01-01T13 + 90 minutes", "DateTime 2026-01-01T14"),
        ("@2026-01-01T23:30 - 24 hours", "DateTime 2025-12-31T23:30"),
        ("@2026T + 12 months", "DateTime 2027"),
        ("@1973-12-25T00:00:00.000+10:00 + 7.7 days", "DateTime 1974-01-01T00:00:00.000+10:00"),
        ("@1973-12-25T00:00:00.000+10:00 + 42.53 seconds", "DateTime 1973-12-25T00:00:42.530+10:00"),
        ("@1973-12-25T00:00:00.000+10:00 + 0.1 's'", "DateTime 1973-12-25T00:00:00.100+10:00"),
        ("@1973-12-25T00:00:00.000+10:00 + 10 'ms'", "DateTime 1973-12-25T00:00:00.010+10:00"),
        ("@1973-12-25T00:00:00.000+10:00 - 10 milliseconds", "DateTime 1973-12-24T23:59:59.990+10:00"),
        ("@1973-12-25T00:00:00Z + 1.5 seconds", "DateTime 1973-12-25T00:00:01.500Z"),
        ("@1973-12-25T00:00:00.000+10:00 + 1 'min'", "DateTime 1973-12-25T00:01:00.000+10:00"),
        ("@1973-12-25T00:00:00.000+10:00 + 1 'h'", "DateTime 1973-12-25T01:00:00.000+10:00"),
        ("@1973-12-31T23:30:00+10:00 + 2 months", "DateTime 1974-02-28T23:30:00+10:00"),
        ("@T23:30:00 + 1 hour", "Time 00:30:00"),
        ("@T01:00:00 + 48 hour", "Time 01:00:00"),
        ("@T23:00:00 + 50 hours", "Time 01:00:00"),
        ("@T00:30:00 - 1 hour", "Time 23:30:00"),
        ("@T01:00:00 - 2 hours", "Time 23:00:00"),
        ("@T10:30 + 90 seconds", "Time 10:31"),
    ]);
}

#[test]
fn dates_and_what_does_not_go_with_them_fail() {
    for expression in [
        "@1973-12-25 + 1 'mo'",
        "@1973-12-25 + 1 'a'",
        "@1974-12-25 - 1 'cm'",
        "@1974-12-25 + 7",
        "@1974-12-25 + 'a'",
        "@1974-12-25 * 7 days",
        "@T10:00 + 1 day",
        "@T10:00 + 1 month",
        "@2026 - @2025",
        "7 days + @2026",
        "@9999-12-31 + 1 day",
        "@0001-01-01 - 1 day",
        "@9999 + 1 year",
        "@2026-01-01 + 99999999999999999999 days",
        "@2026-01-01T00:00:00 + 999999999999999 hours",
        "@2026-01-01 - 999999999999999 years",
    ] {
        assert_eq!(result(expression), "failed", "{expression}");
    }
}

#[test]
fn minus() {
    for (of, expected) in [("5", "Integer -5"), ("5.50", "Decimal -5.50"), ("5.5 'mg'", "Quantity -5.5 'mg'")] {
        assert_eq!(shown(negate(value(of))), expected);
    }
    for of in ["'a'", "true", "@2026", "@T10"] {
        assert_eq!(shown(negate(value(of))), "failed");
    }
}

/// A number as a multiple of 10^-scale, and as text.
fn fixed_numbers() -> impl Strategy<Value = (i128, u32, String)> {
    (-1_000_000_000_000_i128..1_000_000_000_000, 0_u32..7).prop_map(|(mantissa, scale)| {
        let text = format!("{}e-{scale}", mantissa);
        (mantissa, scale, text)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn results_are_those_of_whole_numbers((left, right) in (fixed_numbers(), fixed_numbers())) {
        let scale = left.1.max(right.1);
        let (a, b) = (left.0 * 10_i128.pow(scale - left.1), right.0 * 10_i128.pow(scale - right.1));
        let arena = Arena::new(1 << 24);
        let values = (Value::Decimal(decimal(&left.2)), Value::Decimal(decimal(&right.2)));
        let result = |operator| arithmetic(operator, values.0, values.1, &arena);
        let scaled = |number: i128, scale: u32| Value::from(Short::from_i128_with_scale(number, scale));
        let expected = [
            (Operator::Add, Some(scaled(a + b, scale))),
            (Operator::Subtract, Some(scaled(a - b, scale))),
            (Operator::Multiply, Some(scaled(left.0 * right.0, left.1 + right.1))),
            (Operator::WholeDivide, a.checked_div(b).map(|quotient| scaled(quotient, 0))),
            (Operator::Remainder, a.checked_rem(b).map(|rest| scaled(rest, scale))),
        ];
        for (operator, expected) in expected {
            let equal = match (result(operator), expected) {
                (Ok(Some(result)), Some(expected)) => super::super::equal(result, expected) == Some(true),
                (Ok(None), None) => true,
                _ => false,
            };
            prop_assert!(equal, "{:?} {} {}", operator, left.2, right.2);
        }
        // A quotient times the divisor is the dividend, to the last of 28 digits.
        if let Ok(Some(quotient)) = result(Operator::Divide) {
            let product = arithmetic(Operator::Multiply, quotient, values.1, &arena).ok().flatten().and_then(Value::decimal);
            let difference = product.and_then(Decimal::short).and_then(|product| product.checked_sub(decimal(&left.2).short()?));
            prop_assert!(difference.is_some_and(|difference| difference.abs() < Short::new(1, 9)));
        }
    }
}
