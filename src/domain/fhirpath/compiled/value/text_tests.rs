use proptest::prelude::*;

use super::pattern::PatternError;
use super::*;

#[test]
fn positions_are_in_characters() {
    assert_eq!(index_of("abcdefg", "bc"), 1);
    assert_eq!(index_of("abcdefg", "x"), -1);
    assert_eq!(index_of("LogicalModel-Person", ""), 0);
    assert_eq!(index_of("a🔥b", "b"), 2);
    assert_eq!(last_index_of("abc abc", "a"), 4);
    assert_eq!(last_index_of("abc", "x"), -1);
    assert_eq!(last_index_of("0123", ""), 4);
    assert_eq!(length("a🔥b"), 3);
    assert_eq!(length("e\u{301}"), 2);
}

#[test]
fn substring_takes_what_is_there() {
    for (text, start, count, expected) in [
        ("abcdefg", 3, None, Some("defg")),
        ("abcdefg", 1, Some(2), Some("bc")),
        ("abcdefg", 6, Some(2), Some("g")),
        ("abcdefg", 7, Some(1), None),
        ("abcdefg", -1, Some(1), None),
        ("abcdefg", 3, Some(0), Some("")),
        ("abcdefg", 3, Some(-1), Some("")),
        ("abcdefg", -1, Some(-1), None),
        ("", 0, None, None),
        ("12345", 25, None, None),
        ("a🔥bc", 1, Some(2), Some("🔥b")),
        ("abc", i64::MAX, Some(i64::MAX), None),
        ("abc", 0, Some(i64::MAX), Some("abc")),
        ("abc", i64::MIN, None, None),
    ] {
        assert_eq!(substring(text, start, count), expected, "{text} {start} {count:?}");
    }
}

#[test]
fn parts_and_cases() {
    let arena = Arena::new(1 << 24);
    assert!(starts_with("12345", "12") && starts_with("", "") && !starts_with("12345", "2"));
    assert!(ends_with("12345", "45") && ends_with("a", "") && !ends_with("12345", "35"));
    assert!(contains("12345", "34") && contains("a", "") && !contains("12345", "6"));
    assert_eq!(trim(" \t123 456\r\n"), "123 456");
    assert_eq!(trim("\u{a0}1"), "\u{a0}1", "only the white space of the language");
    assert_eq!(upper("AbCdé", &arena), Ok("ABCDÉ"));
    assert_eq!(upper("ß", &arena), Ok("SS"));
    assert_eq!(lower("AbCdÉ", &arena), Ok("abcdé"));
    assert_eq!(lower("ΟΔΟΣ", &arena), Ok("οδος"));
}

#[test]
fn replacement() {
    let arena = Arena::new(1 << 24);
    for (text, pattern, substitution, expected) in [
        ("abcdefg", "cde", "123", "ab123fg"),
        ("abcdefg", "cde", "", "abfg"),
        ("abc", "", "x", "xaxbxcx"),
        ("a🔥c", "", "x", "xax🔥xcx"),
        ("", "", "x", "x"),
        ("aaa", "aa", "b", "ba"),
        ("abc", "x", "y", "abc"),
    ] {
        assert_eq!(replace(text, pattern, substitution, &arena), Ok(expected), "{text} {pattern}");
    }
    let long = "a".repeat(1 << 20);
    assert_eq!(replace(&long, "a", &long, &arena), Err(Failed));
    assert!(arena.allocated() < 1 << 20, "what is too long is not made");
}

#[test]
fn splitting_and_joining() {
    let arena = Arena::new(1 << 24);
    let split = |text, separator| split(text, separator, &arena).expect("it fits");
    assert_eq!(split("A,B,C", ","), ["A", "B", "C"]);
    assert_eq!(split("ABC", ","), ["ABC"]);
    assert_eq!(split("A,,C", ","), ["A", "", "C"]);
    let stops = "[stop]ONE[stop][stop]TWO[stop][stop][stop]THREE[stop][stop]";
    assert_eq!(split(stops, "[stop]").len(), 9);
    assert_eq!(join(split(stops, "[stop]"), "[stop]", &arena), Ok(stops));
    assert_eq!(split("a🔥", ""), ["a", "🔥"]);
    assert_eq!(to_chars("t2", &arena), Ok(&["t", "2"][..]));
    assert_eq!(join(&["A", "B"], "", &arena), Ok("AB"));
    assert_eq!(join(&[], ",", &arena), Ok(""));
    assert_eq!(concatenate("a", "", &arena), Ok("a"));
    assert_eq!(concatenate("a", "b", &arena), Ok("ab"));
    let long = "a".repeat(1 << 24);
    assert_eq!(concatenate(&long, "b", &arena), Err(Failed));
    assert!(arena.is_full());
}

#[test]
fn patterns() {
    let matches = |text: &str, pattern: &str, flags: &str| {
        Pattern::compile(pattern, flags).expect("it is a pattern").is_match(text)
    };
    let full = |text: &str, pattern: &str| Pattern::compile_full(pattern, "").expect("it is a pattern").is_match(text);
    let url = "http://fhir.org/guides/cqf/common/Library/FHIR-ModelInfo|4.0.1";
    assert!(matches(url, "Library", "") && !matches(url, "library", "") && !matches(url, "^Library$", ""));
    assert!(matches("N8000123123", "N[0-9]{8}", "") && !matches("N8000123123", "^N[0-9]{8}$", ""));
    assert!(matches("A\n\t\t\tB", "A.*B", ""), "a point takes line breaks");
    assert!(matches("first line\nsecond line", "^second", "m") && !matches("first line\nsecond line", "^second", ""));
    assert!(matches("first line\nsecond line", "^SECOND", "im"));
    assert!(!full(url, "Library") && full(url, ".*Library.*") && !full("N8000123123", "N[0-9]{8}"));
    assert!(!full("ab", "a|b") && full("b", "a|b"), "an alternative is one of the whole");
}

#[test]
fn patterns_that_are_refused() {
    let large = "(\\w{100}){100}";
    let long = "a".repeat(20_000);
    for (pattern, flags) in
        [("(", ""), ("a)|(b", ""), ("(?=a)", ""), ("(a)\\1", ""), ("a", "x"), (large, ""), (&long, "")]
    {
        assert_eq!(Pattern::compile(pattern, flags).map(|_| ()), Err(PatternError));
        assert_eq!(Pattern::compile_full(pattern, flags).map(|_| ()), Err(PatternError));
    }
}

#[test]
fn replacing_what_matches() {
    let arena = Arena::new(1 << 24);
    let replaced = |text: &'static str, pattern: &str, substitution: &str| {
        let pattern = Pattern::compile(pattern, "").expect("it is a pattern");
        pattern.replace(text, substitution, &arena).expect("it is short").to_owned()
    };
    let date = r"\b(?<month>\d{1,2})/(?<day>\d{1,2})/(?<year>\d{2,4})\b";
    assert_eq!(replaced("11/30/1972", date, "${day}-${month}-${year}"), "30-11-1972");
    assert_eq!(replaced("aaabaa", "aa", "\"aa\""), "\"aa\"ab\"aa\"");
    assert_eq!(replaced("abc123", "[0-9]", "-"), "abc---");
    assert_eq!(replaced("123456", "234", ""), "156");
    assert_eq!(replaced("abc", "", "x"), "abc");
    assert_eq!(replaced("abc", "b*", "x"), "axc");
    let (long, all) = ("a".repeat(1 << 16), Pattern::compile("a", "").expect("it is a pattern"));
    assert_eq!(all.replace(&long, &long, &arena), Err(Failed));
}

proptest! {
    #[test]
    fn every_operation_takes_every_text(text in "\\PC{0,20}", part in "\\PC{0,3}", start in -3_i64..25, count in -3_i64..25) {
        let arena = Arena::new(1 << 24);
        let at = index_of(&text, &part);
        prop_assert_eq!(at >= 0, contains(&text, &part));
        if at >= 0 && at < length(&text) {
            prop_assert!(substring(&text, at, None).is_some_and(|rest| starts_with(rest, &part)));
        }
        if let Some(found) = substring(&text, start, Some(count)) {
            prop_assert!(length(found) <= count.max(0) && contains(&text, found));
        }
        prop_assert_eq!(split(&text, &part, &arena).and_then(|parts| join(parts, &part, &arena)), Ok(if part.is_empty() { text.as_str() } else { &text }));
        prop_assert_eq!(replace(&text, &part, &part, &arena).map(length).is_ok(), true);
        let _ = (upper(&text, &arena), lower(&text, &arena), trim(&text), last_index_of(&text, &part));
        let _ = Pattern::compile(&text, "").map(|pattern| pattern.is_match(&part));
    }
}
