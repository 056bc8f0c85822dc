use std::cmp::Ordering;

use proptest::prelude::*;

use super::super::testing::decimal;
use super::*;

fn written(value: Decimal<'_>) -> Option<String> {
    let mut out = String::new();
    value.write(&mut out).then_some(out)
}

#[test]
fn what_is_a_number() {
    for text in ["0", "-0", "6.5", "6.50", "1e-7", "1E+7", "-1.5e3", "+1", "007", "1e000000000000000000000000000000007"]
    {
        assert!(Decimal::parse(text).is_some(), "{text}");
    }
    let far = ["1e9999999999999999", "1e-9999999999999999"];
    for text in
        ["", "-", ".5", "5.", "1e", "1e+", "1.5.2", "--1", "1 ", " 1", "1_0", "0x1", "NaN", "Infinity", "٣", "1e1.5"]
            .into_iter()
            .chain(far)
    {
        assert!(Decimal::parse(text).is_none(), "{text}");
    }
}

#[test]
fn equal_by_value() {
    let long = "1".repeat(10_000);
    let long_fraction = format!("{long}.{}", "0".repeat(5_000));
    for (left, right) in [
        ("6.50", "6.5"),
        ("0", "-0.000"),
        ("0e99", "0"),
        ("1e2", "100"),
        ("1e-7", "0.0000001"),
        ("1.5e1", "15"),
        ("12300e-2", "123"),
        ("1e1000000", "10e999999"),
        ("1e-1000000", "0.1e-999999"),
        ("1000000000000000000000000000000000000000", "1e39"),
        ("0.1000000000000000000000000000000000000000", "0.1"),
        ("123456789012345678901234567890.5", "1234567890123456789012345678905e-1"),
        (&long, &long_fraction),
    ] {
        assert_eq!(decimal(left).compare(decimal(right)), Ordering::Equal);
        assert!(decimal(left).equivalent(decimal(right)));
    }
}

#[test]
fn order_by_value() {
    let long = "9".repeat(10_000);
    let longer = format!("{}1", "9".repeat(10_000));
    let ascending = [
        "-1e100",
        "-99999999999999999999999999999999",
        "-2",
        "-1.00000000000000000000000000000000001",
        "-1",
        "-1e-30",
        "0",
        "1e-100",
        "1e-30",
        "0.5",
        "0.50000000000000000000000000000000001",
        "2",
        "79228162514264337593543950335",
        "79228162514264337593543950336",
        "1e99",
        &long,
        &longer,
        "1e999999999",
    ];
    for (index, left) in ascending.iter().enumerate() {
        for (other, right) in ascending.iter().enumerate() {
            assert_eq!(decimal(left).compare(decimal(right)), index.cmp(&other), "{index} {other}");
        }
    }
}

#[test]
fn equivalence_rounds_to_the_less_precise() {
    let thirds = format!("0.{}", "3".repeat(50));
    for (left, right, expected) in [
        ("1.2", "1.24", true),
        ("1.2", "1.25", false),
        ("1.3", "1.25", true),
        ("-1.3", "-1.25", true),
        ("-1.2", "-1.25", false),
        ("10", "9.5", true),
        ("10", "9.49", false),
        ("1", "0.5", true),
        ("0", "0.5", false),
        ("0", "0.49", true),
        ("0", "-0.49", true),
        ("100", "99.9999999999999999999999999999999999999999", true),
        ("100", "100.4", true),
        ("104", "100", false),
        ("1.000", "1.4", true),
        ("1.000", "1", true),
        ("0.33", &thirds, true),
        ("0.34", &thirds, false),
        ("1.99", "1.9949", true),
        ("1.99", "1.995", false),
        ("2.01", "2.005", true),
        ("2.01", "2.004", false),
        ("1e30", "1000000000000000000000000000000.4", true),
        ("1e-40", "1.4e-41", false),
        ("1", "1e-99999999", false),
        ("0", "1e-99999999", true),
        ("5", "-5", false),
    ] {
        assert_eq!(decimal(left).equivalent(decimal(right)), expected, "{left} {right}");
        assert_eq!(decimal(right).equivalent(decimal(left)), expected, "{right} {left}");
    }
}

#[test]
fn digits_are_written_as_they_were_read_but_without_exponent() {
    for (text, expected) in [
        ("6.50", Some("6.50")),
        ("1.0", Some("1.0")),
        ("-0.5", Some("-0.5")),
        ("1e-7", Some("0.0000001")),
        ("1e3", Some("1000")),
        ("123456789012345678901234567890.125", Some("123456789012345678901234567890.125")),
        ("-1e-40", Some("-0.0000000000000000000000000000000000000001")),
        ("1e40", Some("10000000000000000000000000000000000000000")),
        ("1e99999999", None),
        ("1e-99999999", None),
    ] {
        assert_eq!(written(decimal(text)).as_deref(), expected, "{text}");
    }
}

#[test]
fn far_exponents_cost_nothing() {
    // Were a power of ten built, this would neither end nor fit into memory.
    for _ in 0..1000 {
        let (left, right) = (decimal("1e999999999999999"), decimal("-1e-99999999999999"));
        assert_eq!(left.compare(right), Ordering::Greater);
        assert!(!left.equivalent(right));
        assert!(written(left).is_none() && left.short().is_none());
        assert!(left.digits().divided(7, 0).is_some_and(|digits| digits.rounded().is_none()));
    }
}

/// A number as sign and as digits of a fixed place: the slow way.
#[derive(Debug, Clone)]
struct Plain {
    text: String,
    negative: bool,
    fixed: String,
}

fn numbers() -> impl Strategy<Value = Plain> {
    let digits = prop_oneof!["[0-9]{1,5}", "[0-9]{1,45}", "[09]{1,40}", "9{1,30}5?", "[1-9]0{0,35}"];
    (
        any::<bool>(),
        digits,
        prop_oneof![Just("".to_owned()), "[0-9]{1,40}", "0{1,35}[0-9]?", "9{0,30}5?[0-9]"],
        -40_i64..40,
    )
        .prop_map(|(negative, whole, fraction, exponent)| {
            let number = if fraction.is_empty() { whole.clone() } else { format!("{whole}.{fraction}") };
            let exponent = if exponent % 3 == 0 { 0 } else { exponent };
            let suffix = if exponent == 0 { String::new() } else { format!("e{exponent}") };
            let text = format!("{}{number}{suffix}", if negative { "-" } else { "" });
            // 100 places before the point and 100 behind it.
            let before = usize::try_from(100 - whole.len() as i64 - exponent).expect("it fits");
            let mut fixed = format!("{}{whole}{fraction}", "0".repeat(before));
            fixed.push_str(&"0".repeat(200 - fixed.len()));
            let negative = negative && fixed.bytes().any(|digit| digit != b'0');
            Plain { text, negative, fixed }
        })
}

impl Plain {
    fn compare(&self, other: &Self) -> Ordering {
        match (self.negative, other.negative) {
            (false, false) => self.fixed.cmp(&other.fixed),
            (true, true) => other.fixed.cmp(&self.fixed),
            (negative, _) => {
                if negative {
                    Ordering::Less
                } else {
                    Ordering::Greater
                }
            }
        }
    }

    /// Decimal places without zeros at the end.
    fn places(&self) -> usize {
        self.fixed[100..].trim_end_matches('0').len()
    }

    fn rounded(&self, places: usize) -> (bool, String) {
        let mut digits = self.fixed.as_bytes()[..100 + places].to_vec();
        let up = self.fixed.as_bytes().get(100 + places).is_some_and(|digit| *digit >= b'5');
        for digit in digits.iter_mut().rev().filter(|_| up) {
            if *digit == b'9' {
                *digit = b'0';
            } else {
                *digit += 1;
                break;
            }
        }
        let negative = self.negative && digits.iter().any(|digit| *digit != b'0');
        (negative, String::from_utf8(digits).expect("they are digits"))
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn comparison_is_that_of_fixed_digits((left, right) in (numbers(), numbers())) {
        let (a, b) = (decimal(&left.text), decimal(&right.text));
        prop_assert_eq!(a.compare(b), left.compare(&right));
        prop_assert_eq!(b.compare(a), right.compare(&left));
        prop_assert_eq!(a.digits().compare(&b.digits()), left.compare(&right));
        prop_assert_eq!(a.compare(a), Ordering::Equal);
    }

    #[test]
    fn equivalence_is_that_of_fixed_digits((left, right) in (numbers(), numbers())) {
        let places = left.places().min(right.places());
        let expected = left.rounded(places) == right.rounded(places);
        let (a, b) = (decimal(&left.text), decimal(&right.text));
        prop_assert_eq!(a.equivalent(b), expected);
        prop_assert_eq!(b.equivalent(a), expected);
    }

    #[test]
    fn numbers_that_are_near_each_other(number in numbers(), places in 0_usize..60) {
        let (negative, digits) = number.rounded(places);
        let text = format!("{}{}.{}0", if negative { "-" } else { "" }, &digits[..100], &digits[100..]);
        let rounded = Plain { text: text.clone(), negative, fixed: format!("{digits:0<200}") };
        let expected = number.places() <= places || rounded.rounded(rounded.places()) == number.rounded(rounded.places());
        prop_assert_eq!(decimal(&number.text).equivalent(decimal(&text)), expected);
        prop_assert_eq!(decimal(&number.text).compare(decimal(&text)), number.compare(&rounded));
    }

    #[test]
    fn what_is_written_reads_as_the_same(number in numbers()) {
        let value = decimal(&number.text);
        let text = written(value).expect("it is short enough");
        prop_assert_eq!(value.compare(decimal(&text)), Ordering::Equal);
        if let Some(short) = value.short() {
            prop_assert_eq!(value.compare(Decimal::from(short)), Ordering::Equal);
        }
    }

    #[test]
    fn multiplied_and_divided_it_is_the_same(number in numbers(), factor in 1_u64.., shift in -50_i32..50) {
        let digits = decimal(&number.text).digits();
        let there = digits.times(factor).shifted(shift);
        let back = there.divided(factor.into(), 0).expect("not by zero").shifted(-shift);
        prop_assert_eq!(digits.compare(&back), Ordering::Equal);
    }

    #[test]
    fn a_quotient_is_the_floor_of_the_true_one(number in 0_u64.., divisor in 1_u64..) {
        let text = number.to_string();
        let quotient = decimal(&text).digits().divided(divisor.into(), 0).expect("not by zero");
        let product = quotient.times(divisor);
        // The digit behind an endless one is 1, as the true digits are at least.
        let ends = product.compare(&decimal(&text).digits()).is_eq();
        let rounded = quotient.rounded().expect("it is small");
        let exact = rust_decimal::Decimal::from(number).checked_div(divisor.into()).expect("it is small");
        prop_assert!((rounded - exact).abs() <= rust_decimal::Decimal::new(1, exact.scale().min(rounded.scale())) || ends);
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,30}", digits in "[-+0-9.eE]{0,40}") {
        for text in [text, digits] {
            if let Some(value) = Decimal::parse(&text) {
                let _ = (value.compare(value), value.equivalent(value), written(value), value.negated());
                let _ = (value.digits().times(u64::MAX), value.digits().divided(3, 0), value.digits().rounded());
            }
        }
    }
}
