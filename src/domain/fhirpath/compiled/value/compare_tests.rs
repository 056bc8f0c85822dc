use std::cmp::Ordering;

use super::super::testing::value;
use super::*;

/// `true`, `false` or `empty` for an expression of two literals.
fn result(expression: &str) -> &'static str {
    let (left, operator, right) = split(expression);
    let (left, right) = (value(left), value(right));
    let answer = match operator {
        "=" => equal(left, right),
        "!=" => equal(left, right).map(|equal| !equal),
        "~" => Some(equivalent(left, right)),
        "!~" => Some(!equivalent(left, right)),
        _ => match compare(left, right) {
            Err(Failed) => return "failed",
            Ok(ordering) => ordering.map(|ordering| match operator {
                "<" => ordering.is_lt(),
                "<=" => ordering.is_le(),
                ">" => ordering.is_gt(),
                _ => ordering.is_ge(),
            }),
        },
    };
    answer.map_or("empty", |answer| if answer { "true" } else { "false" })
}

fn split(expression: &str) -> (&str, &str, &str) {
    let operators = [" = ", " != ", " ~ ", " !~ ", " < ", " <= ", " > ", " >= "];
    let operator = operators.iter().find(|operator| expression.contains(**operator)).expect("there is an operator");
    let (left, right) = expression.split_once(operator).expect("it is there");
    (left, operator.trim(), right)
}

fn check(cases: &[(&str, &str)]) {
    for (expression, expected) in cases {
        assert_eq!(result(expression), *expected, "{expression}");
        // What is said of a and b is said of b and a.
        let (left, operator, right) = split(expression);
        let reversed = match operator {
            "<" => ">",
            "<=" => ">=",
            ">" => "<",
            ">=" => "<=",
            symmetric => symmetric,
        };
        assert_eq!(result(&format!("{right} {reversed} {left}")), *expected, "{expression}, reversed");
    }
}

#[test]
fn equals() {
    check(&[
        ("1 = 1", "true"),
        ("1.10 = 1.1", "true"),
        ("0.0 = 0", "true"),
        ("6.50 = 6.5", "true"),
        ("1 = 2", "false"),
        ("'a' = 'A'", "false"),
        ("'1' = 1", "false"),
        ("true = 1", "false"),
        ("23 = 23 '1'", "true"),
        ("5 '%' = 0.05", "true"),
        ("1 = 1 'mg'", "empty"),
        ("@2012-04-15 = @T10:00", "false"),
        ("@2012-04-15 = '2012-04-15'", "false"),
    ]);
}

#[test]
fn date_and_time_equality() {
    check(&[
        ("@2012 = @2012", "true"),
        ("@2012 = @2013", "false"),
        ("@2012-01 = @2012", "empty"),
        ("@2012-02 = @2013", "false"),
        ("@2012T = @2012", "true"),
        ("@2012-01-01T10:30 = @2012-01-01T10:30", "true"),
        ("@2012-01-01T10:30 = @2012-01-01T10:31", "false"),
        ("@2012-01-01T10:30:31 = @2012-01-01T10:30", "empty"),
        ("@2012-01-01T10:30:31.0 = @2012-01-01T10:30:31", "true"),
        ("@2012-01-01T10:30:31.1 = @2012-01-01T10:30:31", "false"),
        ("@2012-04-15 = @2012-04-15T10:00:00", "empty"),
        ("@2012-04-15 = @2012-04-16T10:00:00", "false"),
        ("@2017-11-05T01:30:00.0-04:00 = @2017-11-05T01:15:00.0-05:00", "false"),
        ("@2017-11-05T01:30:00.0-04:00 = @2017-11-05T00:30:00.0-05:00", "true"),
        ("@2012-04-15T15:00:00+02:00 = @2012-04-15T16:00:00+03:00", "true"),
        ("@T10:30 = @T10:30:00", "empty"),
        ("@T10:30:00 = @T10:30:00.000", "true"),
        ("@T10 = @T11:00", "false"),
    ]);
}

#[test]
fn a_time_zone_that_is_not_said_leaves_equality_open_while_it_matters() {
    check(&[
        ("@2012-04-15T15:00:00Z = @2012-04-15T10:00:00", "empty"),
        ("@2012-04-15T15:00:00Z != @2012-04-15T10:00:00", "empty"),
        ("@2012-04-15T15:00:00Z = @2012-04-15T15:00:00", "empty"),
        ("@2012-04-15T15:00:00Z = @2012-04-20T15:00:00", "false"),
        ("@2012-04-15T15:00:00Z = @2012-04-14T23:59:59", "false"),
        ("@2012-04-15T15:00:00Z = @2012-04-15T01:00:00", "empty"),
        ("@2012-04-15T15:00:00Z ~ @2012-04-15T15:00:00", "false"),
        // For the order it is UTC.
        ("@2012-04-15T15:00:00Z >= @2012-04-15T15:00:00", "true"),
        ("@2012-04-15T15:00:00Z > @2012-04-15T10:00:00", "true"),
        ("@2026-01-01T00:00:00+01:00 >= @2026-01-01", "false"),
    ]);
}

#[test]
fn equivalence() {
    check(&[
        ("1.10 ~ 1.1", "true"),
        ("0.66666666666666666667 ~ 0.67", "true"),
        ("0.66666666666666666667 !~ 0.6", "true"),
        ("0.0 ~ 0", "true"),
        ("23 ~ 23 '1'", "true"),
        ("'a' ~ 'A'", "true"),
        ("'a b' ~ 'A\\tB'", "true"),
        ("'Straße' ~ 'STRASSE'", "true"),
        ("'ΌΣΟΣ' ~ 'όσος'", "true"),
        ("'a' ~ 'b'", "false"),
        ("'1' ~ 1", "false"),
        ("@2012 ~ @2012", "true"),
        ("@2012-01 ~ @2012", "false"),
        ("@2012-01-01T10:30:31.0 ~ @2012-01-01T10:30:31", "true"),
        ("@2012-01-01T10:30:31.1 ~ @2012-01-01T10:30:31", "false"),
        ("@2012-04-15 ~ @2012-04-15T10:00:00", "false"),
    ]);
}

#[test]
fn white_space_is_all_alike_but_not_collapsed() {
    for (left, right, expected) in [
        ("a b", "a\tb", true),
        ("a b", "A\u{a0}B", true),
        ("a     b", "a b", false),
        (" a", "a", false),
        ("é ", "É\n", true),
    ] {
        assert_eq!(equivalent(Value::String(left), Value::String(right)), expected, "{left:?} {right:?}");
    }
}

#[test]
fn comparison() {
    check(&[
        ("10 > 5.0", "true"),
        ("6.5 >= 6.50", "true"),
        ("'abc' > 'ABC'", "true"),
        ("'é' > 'z'", "true"),
        ("@2018-03 > @2018-03-01", "empty"),
        ("@2018-03-01T10 > @2018-03-01T10:30", "empty"),
        ("@2018-03-01T10:30:00 > @2018-03-01T10:30:00.0", "false"),
        ("@2018-03-01T10:30:00 <= @2018-03-01T10:30:00.0", "true"),
        ("@2018-03 < @2018-04-01", "true"),
        ("@2018-01-01T16:00:00+11:00 < @2018-01-01T15:00:00.0+10:00", "false"),
        ("@2018-01-01T16:00:00+12:00 < @2018-01-01T15:00:00.0+10:00", "true"),
        ("@2018-01-01T16:00:00+12:00 <= @2018-01-01", "empty"),
        ("@2018-01-02T16:00:00+12:00 >= @2018-01-01", "true"),
        ("@T10 > @T10:30", "empty"),
        ("@T10:30:00 >= @T10:30:00.0", "true"),
        ("@T10:30:00 < @T10:31", "true"),
        ("@1974-12-25 < @2015T", "true"),
    ]);
}

#[test]
fn what_has_no_order_together_fails() {
    for expression in ["1 < 'a'", "true < false", "@T10 < @2012", "1 'mg' < 'a'", "@2012 < 2012", "'2012' < @2012"] {
        assert_eq!(result(expression), "failed", "{expression}");
    }
}

#[test]
fn order_agrees_with_equality_where_both_answer() {
    assert_eq!(compare(value("1.0"), value("1")), Ok(Some(Ordering::Equal)));
    assert_eq!(compare(value("1 'cm'"), value("1 's'")), Ok(None));
    assert_eq!(equal(value("1 'cm'"), value("1 's'")), None);
}
