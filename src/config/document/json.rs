//! JSON to the positioned tree, by `jsonc-parser` with every extension of JSON switched off.
//!
//! Not by the YAML parser: JSON's surrogate pairs (`\ud83d\ude00`) are an error to it.

use std::sync::Arc;

use jsonc_parser::ast;
use jsonc_parser::common::Ranged;
use jsonc_parser::errors::{ParseError, ParseErrorKind};
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use super::{Entry, Kind, MAX_DEPTH, Node, Place, Scalar, Sink, SourceFile, Span, Style, Value};

const STRICT: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// The one value of the file.
pub(super) fn parse(file: &Arc<SourceFile>, sink: &Sink) -> Option<Node> {
    match parse_to_ast(file.text(), &CollectOptions::default(), &STRICT) {
        Ok(result) => {
            let value = result.value;
            if value.is_none() {
                sink.push(
                    Place::in_file(file, Span::default(), "")
                        .error("the file is empty")
                        .hint("the file is to hold a FHIR resource as JSON"),
                );
            }
            build(file, sink, &value?, 0)
        }
        Err(error) => {
            let range = error.range();
            let place = Place::in_file(file, Span { start: range.start, end: range.start }, "");
            let problem = place.error(format!("this is no JSON: {}", reason(&error)));
            sink.push(problem.hint("FHIR resources are read as strict JSON: names in double quotes, no comments"));
            None
        }
    }
}

/// The parser's reason; the one that quotes the file is replaced.
fn reason(error: &ParseError) -> String {
    match error.kind() {
        ParseErrorKind::String(_) => "a string is not closed, or an escape in it is none".to_owned(),
        kind => {
            let text = kind.to_string();
            let mut characters = text.chars();
            characters.next().map(|first| first.to_lowercase().chain(characters).collect()).unwrap_or_default()
        }
    }
}

fn build(file: &Arc<SourceFile>, sink: &Sink, value: &ast::Value<'_>, depth: usize) -> Option<Node> {
    let range = value.range();
    let span = Span { start: range.start, end: range.end };
    let opening = Span { start: range.start, end: range.start + 1 };
    if depth > MAX_DEPTH {
        sink.push(Place::in_file(file, opening, "").error(format!("more than {MAX_DEPTH} levels")).hint("flatten it"));
        return None;
    }
    let (mark, value) = match value {
        ast::Value::Object(object) => {
            let entry = |property: &ast::ObjectProp<'_>| {
                let key = property.name.range();
                Some(Entry {
                    key: scalar(property.name.as_str(), Kind::Text),
                    key_span: Span { start: key.start, end: key.end },
                    value: build(file, sink, &property.value, depth + 1)?,
                })
            };
            (opening, Value::Map(object.properties.iter().map(entry).collect::<Option<_>>()?))
        }
        ast::Value::Array(array) => {
            let items = array.elements.iter().map(|element| build(file, sink, element, depth + 1));
            (opening, Value::List(items.collect::<Option<_>>()?))
        }
        ast::Value::StringLit(literal) => (span, Value::Scalar(scalar(&literal.value, Kind::Text))),
        ast::Value::NumberLit(literal) => (span, Value::Scalar(scalar(literal.value, Kind::Number))),
        ast::Value::BooleanLit(literal) => {
            (span, Value::Scalar(scalar(if literal.value { "true" } else { "false" }, Kind::Boolean)))
        }
        ast::Value::NullKeyword(_) => (span, Value::Scalar(scalar("null", Kind::Null))),
    };
    Some(Node { span, mark, value })
}

fn scalar(text: &str, kind: Kind) -> Scalar {
    Scalar { text: text.to_owned(), written: None, kind, style: Style::Double, is_reported: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::diagnostic::Diagnostic;

    fn parsed(text: &str) -> (Arc<SourceFile>, Option<Node>, Vec<Diagnostic>) {
        let file = SourceFile::new("test.json", text.to_owned());
        let sink = Sink::default();
        let node = parse(&file, &sink);
        (file, node, sink.into_inner())
    }

    #[test]
    fn reads_what_json_allows() {
        let (file, node, problems) =
            parsed("\u{feff}{\r\n\t\"a\\/b\" :\t\"\\u00e9\\/\\ud83d\\ude00\\t\",\n\"n\":-1.50E+2}");
        assert!(problems.is_empty(), "{problems:?}");
        let Some(Node { value: Value::Map(entries), .. }) = node else { panic!("no map") };
        assert_eq!(entries[0].key.text, "a/b");
        let Value::Scalar(text) = &entries[0].value.value else { panic!("no scalar") };
        assert_eq!(text.text, "é/😀\t");
        let span = entries[0].value.span;
        assert_eq!(&file.text()[span.start..span.end], r#""\u00e9\/\ud83d\ude00\t""#);
        let Value::Scalar(number) = &entries[1].value.value else { panic!("no scalar") };
        assert_eq!((number.text.as_str(), number.kind), ("-1.50E+2", Kind::Number));
    }

    #[test]
    fn refuses_what_is_no_json() {
        for text in [
            "",
            "{",
            "[1,]",
            "{a:1}",
            "{'a':1}",
            "{\"a\":1}{}",
            "// x\n1",
            "{\"a\":NaN}",
            "\"\\ud83d\"",
            "\"\\q\"",
            "01",
        ] {
            let (_, node, problems) = parsed(text);
            assert!(node.is_none() && problems.len() == 1, "{text:?}: {problems:?}");
        }
        let (_, node, problems) = parsed(&"[".repeat(100_000));
        assert!(node.is_none() && problems.len() == 1);
    }

    #[test]
    fn a_reason_never_quotes_the_file() {
        let (_, _, problems) = parsed("{\"a\": \"secret\\ud83d\"}");
        assert!(!problems[0].to_string().contains("d83d"), "{}", problems[0]);
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "[ \\n{}\\[\\]:,\"\\\\u0-9a-fé./+*-]{0,60}") {
            let (_, node, problems) = parsed(&text);
            proptest::prop_assert_eq!(node.is_none(), !problems.is_empty());
        }
    }
}
