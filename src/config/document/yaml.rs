//! YAML to the positioned tree, by the events of `saphyr-parser`: its own tree forgets keys that repeat.

mod advice;

use std::collections::HashMap;
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, StrInput, Tag};

use super::{Entry, Kind, MAX_DEPTH, MAX_NODES, Node, Place, Scalar, Sink, SourceFile, Span, Style, Value};
use crate::config::diagnostic::Diagnostic;

/// The one document of the file; an empty file is nothing.
pub(super) fn parse(file: &Arc<SourceFile>, sink: &Sink) -> Option<Node> {
    let mut builder = Builder { file, stack: Vec::new(), anchors: HashMap::new(), nodes: 0, root: None };
    let mut parser = Parser::new_from_str(file.text());
    match builder.run(&mut parser) {
        Ok(()) => Some(builder.root.unwrap_or_else(|| Node {
            span: Span::default(),
            mark: Span::default(),
            value: Value::Scalar(plain(String::new())),
        })),
        Err(problem) => {
            sink.push(*problem);
            None
        }
    }
}

const TEMPLATE: &str = "a key is text; where a template stands in the file, fill it in first, or use ${NAME}";

type Parsed<T> = Result<T, Box<Diagnostic>>;

/// A list or map that is not closed yet.
enum Open {
    List { anchor: usize, start: Span, items: Vec<Node> },
    Map { anchor: usize, start: Span, entries: Vec<Entry>, key: Option<(Scalar, Span)> },
}

struct Builder<'a> {
    file: &'a Arc<SourceFile>,
    stack: Vec<Open>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
    root: Option<Node>,
}

impl<'a> Builder<'a> {
    fn run(&mut self, parser: &mut Parser<'a, StrInput<'a>>) -> Parsed<()> {
        while let Some(event) = parser.next_event() {
            let (event, span) = event.map_err(|error| Box::new(advice::scan_error(self.file, &error)))?;
            let span = self.span(&span);
            match event {
                Event::DocumentStart(_) if self.root.is_some() => {
                    return Err(self.error(
                        span,
                        "a second YAML document begins here",
                        "keep everything in one document",
                    ));
                }
                Event::Scalar(text, style, anchor, tag) => {
                    let scalar = self.scalar(text.into_owned(), style, tag.as_deref(), span)?;
                    self.add(Node { span, mark: span, value: Value::Scalar(scalar) }, anchor)?;
                }
                Event::SequenceStart(anchor, tag) => {
                    self.no_tag(tag.as_deref(), span)?;
                    self.open(Open::List { anchor, start: span, items: Vec::new() }, span)?;
                }
                Event::MappingStart(anchor, tag) => {
                    self.no_tag(tag.as_deref(), span)?;
                    self.open(Open::Map { anchor, start: span, entries: Vec::new(), key: None }, span)?;
                }
                Event::SequenceEnd | Event::MappingEnd => self.close(span)?,
                Event::Alias(anchor) => {
                    let Some(node) = self.anchors.get(&anchor).cloned() else {
                        return Err(self.error(span, "an alias inside of what it names", "write the value out"));
                    };
                    self.add(node, 0)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn open(&mut self, open: Open, span: Span) -> Parsed<()> {
        if self.stack.len() >= MAX_DEPTH {
            return Err(self.error(span, format!("more than {MAX_DEPTH} levels"), "flatten the document"));
        }
        self.stack.push(open);
        Ok(())
    }

    fn close(&mut self, end: Span) -> Parsed<()> {
        match self.stack.pop() {
            Some(Open::List { anchor, start, items }) => {
                let span = Span { start: start.start, end: end.end };
                let mark = beginning(start, items.first().map(|item| item.mark));
                self.add(Node { span, mark, value: Value::List(items) }, anchor)
            }
            Some(Open::Map { anchor, start, entries, .. }) => {
                let span = Span { start: start.start, end: end.end };
                let mark = beginning(start, entries.first().map(|entry| entry.key_span));
                self.add(Node { span, mark, value: Value::Map(entries) }, anchor)
            }
            None => Ok(()),
        }
    }

    /// Puts a finished node where it belongs.
    fn add(&mut self, node: Node, anchor: usize) -> Parsed<()> {
        self.nodes += size(&node);
        if self.nodes > MAX_NODES {
            let hint = "aliases of aliases grow fast: write the values out";
            return Err(self.error(node.mark, format!("more than {MAX_NODES} values"), hint));
        }
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        match self.stack.last_mut() {
            None => self.root = Some(node),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { entries, key, .. }) => match key.take() {
                Some((key, key_span)) => {
                    // a value that is not there is best shown by its key
                    let is_absent = matches!(&node.value, Value::Scalar(scalar) if scalar.text.is_empty())
                        && node.span.start == node.span.end;
                    let mark = if is_absent { key_span } else { node.mark };
                    entries.push(Entry { key, key_span, value: Node { mark, ..node } });
                }
                None => {
                    let Value::Scalar(scalar) = node.value else {
                        return Err(self.error(node.mark, "a list or map as a key", TEMPLATE));
                    };
                    *key = Some((scalar, node.span));
                }
            },
        }
        Ok(())
    }

    fn scalar(&self, text: String, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Parsed<Scalar> {
        let as_text = match tag {
            Some(tag) if tag.is_yaml_core_schema() && tag.suffix == "str" => true,
            other => {
                self.no_tag(other, span)?;
                style != ScalarStyle::Plain
            }
        };
        let style = match style {
            ScalarStyle::Plain => Style::Plain,
            ScalarStyle::SingleQuoted => Style::Single,
            ScalarStyle::DoubleQuoted => Style::Double,
            ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
        };
        let kind = if as_text { Kind::Text } else { plain_kind(&text) };
        Ok(Scalar { text, written: None, kind, style, is_reported: false })
    }

    fn no_tag(&self, tag: Option<&Tag>, span: Span) -> Parsed<()> {
        match tag {
            Some(tag) => Err(self.error(span, format!("YAML tag `{tag}` has no meaning here"), "leave the tag out")),
            None => Ok(()),
        }
    }

    fn span(&self, span: &saphyr_parser::Span) -> Span {
        let start = self.file.offset(span.start.line(), span.start.col());
        let end = self.file.offset(span.end.line(), span.end.col());
        // the scanner counts the blanks after a quoted scalar in
        let length = self.file.text().get(start..end).unwrap_or_default().trim_end().len();
        Span { start, end: start + length }
    }

    fn error(&self, span: Span, message: impl Into<String>, hint: &str) -> Box<Diagnostic> {
        Box::new(Place::in_file(self.file, span, "").error(message).hint(hint))
    }
}

/// What a problem with a list or map points at: its bracket, or in block style its first key or item.
fn beginning(start: Span, first: Option<Span>) -> Span {
    match first {
        Some(first) if start.start >= first.start => first,
        _ => start,
    }
}

fn size(node: &Node) -> usize {
    match &node.value {
        Value::Scalar(_) => 1,
        Value::List(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Map(entries) => 1 + entries.iter().map(|entry| 1 + size(&entry.value)).sum::<usize>(),
    }
}

fn plain(text: String) -> Scalar {
    let kind = plain_kind(&text);
    Scalar { text, written: None, kind, style: Style::Plain, is_reported: false }
}

/// YAML's core schema, and the words that YAML 1.1 tools read as booleans.
fn plain_kind(text: &str) -> Kind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Kind::Null,
        "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => return Kind::Boolean,
        "yes" | "Yes" | "YES" | "no" | "No" | "NO" | "on" | "On" | "ON" | "off" | "Off" | "OFF" => {
            return Kind::Boolean;
        }
        ".inf" | "-.inf" | "+.inf" | ".nan" | ".NaN" | ".NAN" => return Kind::Number,
        _ => {}
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let radix = |prefix: &str, radix: u32| {
        digits
            .strip_prefix(prefix)
            .is_some_and(|rest| !rest.is_empty() && rest.chars().all(|digit| digit.is_digit(radix)))
    };
    let decimal = digits.starts_with(|first: char| first.is_ascii_digit() || first == '.')
        && digits.contains(|digit: char| digit.is_ascii_digit())
        && digits.parse::<f64>().is_ok();
    if decimal || radix("0x", 16) || radix("0o", 8) { Kind::Number } else { Kind::Text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> (Arc<SourceFile>, Option<Node>, Vec<Diagnostic>) {
        let file = SourceFile::new("test.yaml", text.to_owned());
        let sink = Sink::default();
        let node = parse(&file, &sink);
        (file, node, sink.into_inner())
    }

    fn entries(node: &Node) -> &[Entry] {
        match &node.value {
            Value::Map(entries) => entries,
            other => panic!("no map: {other:?}"),
        }
    }

    #[test]
    fn spans_cover_exactly_the_scalar() {
        for (text, expected) in [
            ("é: ünïcode # comment\r\nb: 1\r\n", "ünïcode"),
            ("b: 'it''s'\n", "'it''s'"),
            ("b: \"a\\u00e9\" \n", "\"a\\u00e9\""),
            ("b: { c: d }", "{ c: d }"),
        ] {
            let (file, node, problems) = parsed(text);
            assert!(problems.is_empty(), "{problems:?}");
            let span = entries(&node.expect("parses"))[0].value.span;
            assert_eq!(&file.text()[span.start..span.end], expected);
        }
    }

    #[test]
    fn a_repeated_key_stays_visible() {
        let (_, node, _) = parsed("a: 1\na: 2\n");
        assert_eq!(entries(&node.expect("parses")).len(), 2);
    }

    #[test]
    fn tells_what_plain_scalars_are() {
        for (text, kind) in [
            ("12", Kind::Number),
            ("-1.5e3", Kind::Number),
            ("0x1F", Kind::Number),
            (".5", Kind::Number),
            ("yes", Kind::Boolean),
            ("~", Kind::Null),
            ("2026-01-01T00:00:00Z", Kind::Text),
            ("inf", Kind::Text),
            ("1.2.3", Kind::Text),
            ("e5", Kind::Text),
        ] {
            assert_eq!(plain_kind(text), kind, "{text}");
        }
    }

    #[test]
    fn aliases_are_copies_and_cannot_explode() {
        let (_, node, problems) = parsed("a: &x [1, 2]\nb: *x\n");
        assert!(problems.is_empty());
        assert!(matches!(&entries(&node.expect("parses"))[1].value.value, Value::List(items) if items.len() == 2));
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..8 {
            let alias = format!("*a{}", level - 1);
            bomb += &format!("a{level}: &a{level} [{}]\n", vec![alias; 10].join(", "));
        }
        let (_, node, problems) = parsed(&bomb);
        assert!(node.is_none());
        assert!(problems[0].message.contains("more than 200000 values"), "{}", problems[0]);
    }

    #[test]
    fn refuses_what_the_tree_cannot_hold() {
        for text in ["a: [1", "a: 1\n---\nb: 2\n", "? [a]\n: b\n", "a: !secret x\n", "a: &x [*x]\n", "a: 1\n  b: 2"] {
            let (_, node, problems) = parsed(text);
            assert!(node.is_none() && problems.len() == 1 && problems[0].line.is_some(), "{text:?}: {problems:?}");
        }
        let (_, node, _) = parsed(&"[".repeat(100_000));
        assert!(node.is_none());
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "[ \\n\\r\\t\\-:\\[\\]{},&*!|>'\"\\\\#%a0é~?@`$]{0,60}") {
            let (_, node, problems) = parsed(&text);
            proptest::prop_assert_eq!(node.is_none(), !problems.is_empty());
        }
    }
}
