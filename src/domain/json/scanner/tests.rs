#![allow(clippy::unwrap_used, reason = "a panic is the failure of a test")]

use proptest::prelude::*;
use serde::de::IgnoredAny;

use super::*;

/// Passes over one value; the flaw that was found in it.
fn passed(text: &str) -> Result<Option<Flaw>, Malformed> {
    let mut scanner = Scanner::new(text);
    scanner.skip(0)?;
    scanner.end()?;
    Ok(scanner.take_flaw())
}

/// The same decision as the library's.
fn is_decided_as_by_serde(text: &str) {
    let by_serde = serde_json::from_str::<IgnoredAny>(text);
    assert_eq!(passed(text).is_ok(), by_serde.is_ok(), "{text:?}: {by_serde:?}");
}

fn nested(levels: usize) -> String {
    "[".repeat(levels) + &"]".repeat(levels)
}

#[test]
fn what_is_json_passes_and_nothing_else() {
    for text in [
        "",
        " ",
        "0",
        "-0",
        "00",
        "-",
        "1.",
        ".5",
        "1.5",
        "1e5",
        "1E+5",
        "1e",
        "1e-",
        "+1",
        "0x1",
        "1 2",
        "1,",
        "true",
        "truex",
        "tru",
        "false",
        "null",
        "nul",
        "\"",
        "\"a\"",
        "\"a\"b",
        "\"\\\"",
        "\"\\\"\"",
        "\"\\\\\"",
        "\"\\u00e9\"",
        "\"\\u00g9\"",
        "\"\\u00\"",
        "\"\\x\"",
        "\"\t\"",
        "\"\u{7f}\"",
        "\u{a0}1",
        "[]",
        "[ ]",
        "[1]",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[1",
        "]",
        "{}",
        "{ }",
        "{\"a\":1}",
        "{\"a\" : 1 , \"b\":[]}",
        "{\"a\":1,}",
        "{,\"a\":1}",
        "{\"a\"}",
        "{\"a\":}",
        "{a:1}",
        "{\"a\":1 \"b\":2}",
        "{1:2}",
        "[}",
        "{]",
        "[{]}",
        "{\"a\":[}",
        "{\"a\":{\"b\":[1,{\"c\":\"\"}]}}",
        "[\"a\"\"b\"]",
        "[1\"a\"]",
        "[\"a\"1]",
        "{\"a\":\"b\"\"c\"}",
        "'a'",
        "\u{feff}1",
        "1\u{0}",
        "\u{0}",
        "[\"a\u{0}\"]",
        "[1]\u{b}",
    ] {
        is_decided_as_by_serde(text);
    }
}

/// Sixty-four bytes are looked at together: whatever is special stands at every place in them once.
#[test]
fn the_bounds_of_blocks_make_no_difference() {
    for inner in ["a", "\\\"", "\\\\", "\\\\\\\"", "\\u00e9", "\\ud83d\\ude00", "\\", "\t", "\"", "\\\\\\", "\u{e9}"] {
        for before in 0..140 {
            for after in [0, 1, 62, 63, 64, 65] {
                let text = format!("[\"{}{inner}{}\",\"{inner}\"]", "x".repeat(before), "y".repeat(after));
                is_decided_as_by_serde(&text);
            }
        }
    }
}

#[test]
fn depth_is_counted_outside_of_strings_and_128_levels_pass() {
    assert_eq!(passed(&nested(MAX_DEPTH)), Ok(None));
    assert_eq!(passed(&nested(MAX_DEPTH + 1)), Ok(Some(Flaw::TooDeep)));
    assert_eq!(passed(&nested(100_000)), Ok(Some(Flaw::TooDeep)));
    assert_eq!(passed(&nested(100_000)[1..]), Err(Malformed));
    assert_eq!(passed(&format!("[{}]", vec!["[]"; 500].join(","))), Ok(None));
    assert_eq!(passed(&format!(r#"["{}\"[","\\",{}]"#, "{".repeat(500), nested(MAX_DEPTH - 1))), Ok(None));
    assert_eq!(passed(&format!(r#"["\\",{}]"#, nested(MAX_DEPTH))), Ok(Some(Flaw::TooDeep)));
    let mixed = format!("{}1{}", "[{\"a\":".repeat(64), "}]".repeat(64));
    assert_eq!(passed(&mixed), Ok(None));
    assert_eq!(passed(&format!("[{mixed}]")), Ok(Some(Flaw::TooDeep)));
    assert_eq!(passed(&mixed.replacen("}]", "]}", 1)), Err(Malformed));
}

#[test]
fn surrogates_must_come_in_pairs() {
    for text in [r#""\ud83d\ude00""#, r#""\uD83D\uDE00 \u00e9""#, r#""\\ud83d""#, r#""\\\\ude00 \n""#] {
        assert_eq!(passed(text), Ok(None), "{text}");
    }
    for text in
        [r#""\ud83d""#, r#""\ude00\ud83d""#, r#""\ud83dx""#, r#""\ud83d\u0041""#, r#"{"\udc00":1}"#, r#""\\\ud83d""#]
    {
        assert_eq!(passed(text), Ok(Some(Flaw::LoneSurrogate)), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn any_text_is_decided_as_by_serde(text in "[\\[\\]{}\",:\\\\ 0-9eE.+tnruefals\u{e9}\t-]{0,90}|.{0,90}") {
        is_decided_as_by_serde(&text);
    }

    #[test]
    fn damaged_json_is_decided_as_by_serde(
        strings in prop::collection::vec("[a-z \\\\\"\n\u{e9}\u{1F600}]{0,70}", 1..8),
        cuts in prop::collection::vec((any::<prop::sample::Index>(), "[\\[\\]{}\",:\\\\u0\n ]?"), 0..3),
        is_pretty: bool,
    ) {
        let value: Vec<_> = strings
            .iter()
            .map(|text| serde_json::json!({text.as_str(): [text, 1.5, {"a": text}], "b": {}, "c": [null, true, []]}))
            .collect();
        let text = if is_pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
        let mut letters: Vec<_> = text.unwrap().chars().map(String::from).collect();
        for (position, letter) in cuts {
            let position = position.index(letters.len());
            letters[position] = letter;
        }
        is_decided_as_by_serde(&letters.concat());
    }
}
