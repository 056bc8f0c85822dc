use super::super::testing::{decimal, shown, value};
use super::super::{Primitive, Scalar, equal, literal, read};
use super::*;

fn check<'t, T>(convert: impl Fn(Value<'t>) -> Option<T>, wrap: impl Fn(T) -> Value<'t>, cases: &[(&str, &str)]) {
    for (from, expected) in cases {
        assert_eq!(shown(Ok(convert(value(from)).map(&wrap))), *expected, "{from}");
    }
}

#[test]
fn boolean_conversion() {
    check(
        to_boolean,
        Value::Boolean,
        &[
            ("1", "Boolean true"),
            ("0", "Boolean false"),
            ("2", "empty"),
            ("-1", "empty"),
            ("1.0", "Boolean true"),
            ("0.0", "Boolean false"),
            ("0.1", "empty"),
            ("'true'", "Boolean true"),
            ("'False'", "Boolean false"),
            ("'T'", "Boolean true"),
            ("'yes'", "Boolean true"),
            ("'n'", "Boolean false"),
            ("'1.0'", "Boolean true"),
            ("'0'", "Boolean false"),
            ("'2'", "empty"),
            ("''", "empty"),
            ("true", "Boolean true"),
            ("@2024", "empty"),
        ],
    );
}

#[test]
fn integer_conversion() {
    check(
        to_integer,
        Value::Integer,
        &[
            ("1", "Integer 1"),
            ("'1'", "Integer 1"),
            ("'-1'", "Integer -1"),
            ("'+1'", "Integer 1"),
            ("'0'", "Integer 0"),
            ("'1.1'", "empty"),
            ("'0.0'", "empty"),
            ("1.0", "empty"),
            ("'st'", "empty"),
            ("''", "empty"),
            ("' 1'", "empty"),
            ("true", "Integer 1"),
            ("false", "Integer 0"),
            ("@2013-04-05", "empty"),
            ("'2147483647'", "Integer 2147483647"),
            ("'2147483648'", "empty"),
        ],
    );
    check(to_long, Value::Integer, &[("'2147483648'", "Integer 2147483648"), ("'9223372036854775808'", "empty")]);
}

#[test]
fn decimal_conversion() {
    check(
        to_decimal,
        Value::Decimal,
        &[
            ("1", "Decimal 1"),
            ("'1'", "Decimal 1"),
            ("'1.10'", "Decimal 1.10"),
            ("'-0.5'", "Decimal -0.5"),
            ("'1.a'", "empty"),
            ("'1e5'", "empty"),
            ("'.5'", "empty"),
            ("'5.'", "empty"),
            ("true", "Decimal 1.0"),
            ("false", "Decimal 0.0"),
            ("1.0", "Decimal 1.0"),
            ("@2024", "empty"),
            ("'0.1234567890123456789012345678901234567890'", "Decimal 0.123456789012345678901234567890123456789"),
        ],
    );
}

#[test]
fn date_and_time_conversion() {
    check(
        to_date,
        Value::Date,
        &[
            ("'2015'", "Date 2015"),
            ("'2015-02'", "Date 2015-02"),
            ("'2015-02-04'", "Date 2015-02-04"),
            ("'not-a-date'", "empty"),
            ("@2024-01-15T23:30:00-05:00", "Date 2024-01-15"),
            ("@2024-01T", "Date 2024-01"),
            ("'2015-02-04T10:00'", "empty"),
            ("20150204", "empty"),
        ],
    );
    check(
        to_date_time,
        Value::DateTime,
        &[
            ("'2015'", "DateTime 2015"),
            ("'2015-02-04T14'", "DateTime 2015-02-04T14"),
            ("@2015-02-04", "DateTime 2015-02-04"),
            ("'2015-02-04T14:34:28.123+10:00'", "DateTime 2015-02-04T14:34:28.123+10:00"),
            ("'x'", "empty"),
            ("1", "empty"),
        ],
    );
    check(
        to_time,
        Value::Time,
        &[
            ("'14:34:28'", "Time 14:34:28"),
            ("'14:34:28.123'", "Time 14:34:28.123"),
            ("'10:00'", "Time 10:00"),
            ("'14'", "Time 14"),
            ("'not a time'", "empty"),
            ("@T10:30", "Time 10:30"),
            ("@2015", "empty"),
        ],
    );
}

#[test]
fn quantity_conversion() {
    check(
        |value| to_quantity(value, None),
        Value::Quantity,
        &[
            ("1", "Quantity 1 '1'"),
            ("1.0", "Quantity 1.0 '1'"),
            ("'1'", "Quantity 1 '1'"),
            ("'1 day'", "Quantity 1 day"),
            ("'4 days'", "Quantity 4 days"),
            ("'1 wk'", "empty"),
            ("'1.a'", "empty"),
            ("'-1.5'", "Quantity -1.5 '1'"),
            ("true", "Quantity 1.0 '1'"),
            ("'st'", "empty"),
            ("''", "empty"),
            ("1 'mg'", "Quantity 1 'mg'"),
            ("@2015", "empty"),
            ("'1 lightyear'", "empty"),
        ],
    );
    for (text, expected) in [
        ("1 'wk'", "Quantity 1 'wk'"),
        ("10 'mm[Hg]'", "Quantity 10 'mm[Hg]'"),
        ("10'mg'", "Quantity 10 'mg'"),
        ("10 ''", "empty"),
        ("10 'mg", "empty"),
        ("10 'mg' ", "empty"),
        ("1-5 'mg'", "empty"),
    ] {
        assert_eq!(shown(Ok(to_quantity(Value::String(text), None).map(Value::Quantity))), expected, "{text}");
    }
    assert!(
        converts_to_quantity(value("2 '[in_i]'"), Some("cm"))
            && converts_to_quantity(value("10 'Cel'"), Some("[degF]"))
    );
    assert!(!converts_to_quantity(value("5 'm'"), Some("kg")));
    let week = to_quantity(Value::String("1 'wk'"), None).map(Value::Quantity).expect("it is one");
    assert_eq!(equal(week, value("1 week")), Some(true));
}

#[test]
fn string_conversion() {
    let arena = Arena::new(1 << 24);
    for (from, expected) in [
        ("1", "1"),
        ("-1", "-1"),
        ("1.0", "1.0"),
        ("0.0", "0.0"),
        ("'true'", "true"),
        ("true", "true"),
        ("@2014-12-14", "2014-12-14"),
        ("@T10:30:00.000", "10:30:00.000"),
        ("@T11:45", "11:45"),
        ("1 'wk'", "1 'wk'"),
        ("1 week", "1 week"),
        ("4 days", "4 days"),
        ("@2020-01-01T10:00:00.000+10:00", "2020-01-01T10:00:00.000+10:00"),
        ("@2020-01-01T10:00:00", "2020-01-01T10:00:00"),
        ("@2020-01-01T10:00:00Z", "2020-01-01T10:00:00Z"),
    ] {
        assert_eq!(to_string(value(from), &arena), Some(expected));
        assert!(converts_to_string(value(from)));
    }
    assert_eq!(to_string(Value::Decimal(decimal("1e999999")), &arena), None);
}

#[test]
fn primitives_are_read_by_their_type() {
    use Primitive as P;
    for (primitive, scalar, expected) in [
        (P::Boolean, Scalar::Boolean(true), "Boolean true"),
        (P::Integer, Scalar::Number("-5"), "Integer -5"),
        (P::Integer, Scalar::Number("5.0"), "Decimal 5.0"),
        (P::Integer, Scalar::Number("9223372036854775808"), "Decimal 9223372036854775808"),
        (P::Integer64, Scalar::Text("9223372036854775807"), "Integer 9223372036854775807"),
        (P::Decimal, Scalar::Number("6.50"), "Decimal 6.50"),
        (P::Decimal, Scalar::Number("1e-7"), "Decimal 0.0000001"),
        (P::String, Scalar::Text("final"), "String final"),
        (P::Date, Scalar::Text("2024-02"), "Date 2024-02"),
        (P::DateTime, Scalar::Text("2024-02-01T10:00:00.5Z"), "DateTime 2024-02-01T10:00:00.5Z"),
        (P::Time, Scalar::Text("10:00:00"), "Time 10:00:00"),
        (P::Decimal, Scalar::Text("6.5"), "empty"),
        (P::Boolean, Scalar::Text("true"), "empty"),
        (P::String, Scalar::Number("1"), "empty"),
        (P::Date, Scalar::Text("2024-02-01T10:00:00Z"), "empty"),
        (P::DateTime, Scalar::Text("yesterday"), "empty"),
        (P::Integer, Scalar::Number("1e"), "empty"),
    ] {
        assert_eq!(shown(Ok(read(primitive, scalar))), expected);
        if let Some(value) = read(primitive, scalar) {
            assert!(value.type_name() == primitive.system_type() || primitive == P::Integer);
        }
    }
    assert_eq!(P::of("positiveInt"), Some(P::Integer));
    assert_eq!(P::of("instant"), Some(P::DateTime));
    assert_eq!(P::of("Quantity"), None);
}

#[test]
fn a_literal_that_the_parser_rounded_is_refused() {
    use octofhir_fhirpath::ast::literal::LiteralValue;
    for (text, kept) in [("0.1234567890123456789012345678901234", false), ("0.12345678901234567890123456", true)] {
        let parsed = LiteralValue::parse_decimal(text).expect("it is a number");
        assert_eq!(literal(&parsed).is_some(), kept, "{text}");
    }
}

#[test]
fn a_leap_second_is_the_same_as_a_literal_and_as_an_element() {
    let element = read(Primitive::DateTime, Scalar::Text("2016-12-31T23:59:60Z")).expect("it is a time");
    assert_eq!(equal(value("@2016-12-31T23:59:60Z"), element), Some(true));
    assert_eq!(equal(value("@2017-01-01T00:00:00Z"), element), Some(true));
}
