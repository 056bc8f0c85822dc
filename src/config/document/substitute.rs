//! `${VAR}` and `${VAR:-default}` in the scalars of a tree, after parsing: a value can never change the structure.

use std::sync::Arc;

use super::{Kind, Node, Place, Scalar, Sink, SourceFile, Span, Value};
use crate::config::environment::Environment;

/// Replaces variables in every scalar and key; `$${` stands for `${`. A variable that is unset is an error and left as it
/// is. What was substituted is text, whatever it looks like.
pub(in crate::config) fn substitute(node: &mut Node, file: &Arc<SourceFile>, environment: &Environment, sink: &Sink) {
    let substitution = Substitution { file, environment, sink };
    substitution.node(node, "");
}

struct Substitution<'a> {
    file: &'a Arc<SourceFile>,
    environment: &'a Environment,
    sink: &'a Sink,
}

impl Substitution<'_> {
    fn node(&self, node: &mut Node, path: &str) {
        match &mut node.value {
            Value::Scalar(scalar) => self.scalar(scalar, node.span, path),
            Value::List(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.node(item, &format!("{path}[{index}]"));
                }
            }
            Value::Map(entries) => {
                for entry in entries {
                    let path = super::cursor::join(path, entry.key.shown());
                    self.scalar(&mut entry.key, entry.key_span, &path);
                    self.node(&mut entry.value, &path);
                }
            }
        }
    }

    fn scalar(&self, scalar: &mut Scalar, span: Span, path: &str) {
        if !scalar.text.contains("${") {
            return;
        }
        let place = Place::in_file(self.file, span, path);
        let mut out = String::with_capacity(scalar.text.len());
        let mut rest = scalar.text.as_str();
        while let Some(at) = rest.find("${") {
            if let Some(before) = rest[..at].strip_suffix('$') {
                out += before;
                out += "${";
                rest = &rest[at + 2..];
                continue;
            }
            out += &rest[..at];
            let Some(length) = rest[at..].find('}') else {
                self.sink.push(place.error("`${` without `}`").hint("close it, or write `$${` for a literal `${`"));
                scalar.is_reported = true;
                return;
            };
            let inside = &rest[at + 2..at + length];
            match self.value(inside) {
                Ok(value) => out += &value,
                Err(problem) => {
                    let is_unset = problem.ends_with("not set");
                    let problem = place.error(problem);
                    self.sink.push(match is_unset {
                        true => problem
                            .hint("set it, give a default by `${NAME:-default}`, or write `$${` for a literal `${`"),
                        false => problem.hint("a default is written `${NAME:-default}`, and a literal `${` as `$${`"),
                    });
                    scalar.is_reported = true;
                    return;
                }
            }
            rest = &rest[at + length + 1..];
        }
        out += rest;
        scalar.written = Some(std::mem::replace(&mut scalar.text, out));
        scalar.kind = Kind::Text;
    }

    fn value(&self, inside: &str) -> Result<String, String> {
        let (name, default) = match inside.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (inside, None),
        };
        let starts_well = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
        if !starts_well || !name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_') {
            return Err(format!("`{name}` is no name of an environment variable"));
        }
        // as in a shell, an empty variable takes the default too
        match (self.environment.get(name), default) {
            (None | Some(""), Some(default)) => Ok(default.to_owned()),
            (Some(value), _) => Ok(value.to_owned()),
            (None, None) => Err(format!("environment variable `{name}` is not set")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::document::parse_yaml;

    fn value_of(text: &str) -> (String, Vec<String>) {
        let environment: Environment = [("A", "one"), ("EMPTY", ""), ("TRICKY", "x: [${A}]")].into_iter().collect();
        let file = SourceFile::new("test.yaml", text.to_owned());
        let sink = Sink::default();
        let mut node = parse_yaml(&file, &sink).expect("parses");
        substitute(&mut node, &file, &environment, &sink);
        let Value::Scalar(scalar) = node.value else { panic!("no scalar") };
        (scalar.text, sink.into_inner().into_iter().map(|problem| problem.message).collect())
    }

    #[test]
    fn substitutes_after_parsing() {
        for (text, expected) in [
            ("${A}", "one"),
            ("x-${A}-${A}", "x-one-one"),
            ("${EMPTY}", ""),
            ("${EMPTY:-two}", "two"),
            ("${NONE:-}", ""),
            ("${NONE:-a:-b}", "a:-b"),
            ("$${A}", "${A}"),
            ("$A $$ $", "$A $$ $"),
            ("${TRICKY}", "x: [${A}]"),
        ] {
            assert_eq!(value_of(text), (expected.to_owned(), vec![]), "{text}");
        }
    }

    #[test]
    fn reports_what_cannot_be_substituted() {
        for (text, expected) in [
            ("${NONE}", "environment variable `NONE` is not set"),
            ("'${A'", "`${` without `}`"),
            ("${1}", "`1` is no name of an environment variable"),
            ("'${}'", "`` is no name of an environment variable"),
        ] {
            assert_eq!(value_of(text).1, [expected], "{text}");
        }
    }
}
