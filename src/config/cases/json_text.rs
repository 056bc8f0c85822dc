//! A tree as JSON text: what YAML says about a resource, digit by digit.

use super::super::document::{Cursor, Kind, Node, Scalar, Value};

/// The JSON text of a value; reports what JSON cannot say.
pub(super) fn json_text(value: &Cursor<'_>) -> Option<String> {
    let mut out = String::new();
    write(value.node(), value, &mut out).then_some(out)
}

fn write(node: &Node, at: &Cursor<'_>, out: &mut String) -> bool {
    match &node.value {
        Value::Scalar(scalar) => write_scalar(node, scalar, at, out),
        Value::List(items) => {
            out.push('[');
            let mut is_whole = true;
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                is_whole &= write(item, at, out);
            }
            out.push(']');
            is_whole
        }
        Value::Map(entries) => {
            out.push('{');
            let mut is_whole = true;
            for (index, entry) in entries.iter().enumerate() {
                out.push_str(if index > 0 { "," } else { "" });
                out.push_str(&text(&entry.key.text));
                out.push(':');
                is_whole &= write(&entry.value, at, out);
            }
            out.push('}');
            is_whole
        }
    }
}

fn write_scalar(node: &Node, scalar: &Scalar, at: &Cursor<'_>, out: &mut String) -> bool {
    match scalar.kind {
        Kind::Text => out.push_str(&text(&scalar.text)),
        Kind::Null => out.push_str("null"),
        Kind::Boolean => out.push_str(&scalar.text.to_ascii_lowercase()),
        Kind::Number if serde_json::from_str::<serde_json::Number>(&scalar.text).is_ok() => out.push_str(&scalar.text),
        Kind::Number => {
            let problem = at.place_of(node).error("this number is none in JSON");
            at.push(problem.hint("write it as JSON does, as in 0.5; or as text, in quotes"));
            return false;
        }
    }
    true
}

/// A JSON string.
fn text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
