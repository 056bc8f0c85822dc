//! Two JSON values, path by path.
//!
//! Unless they have to be the same: of an object the expected members count and others may be there; of a list the expected
//! items count, each at its place, and more may follow.

use serde_json::Value;

/// The longest value that is shown, in characters.
const MAX_SHOWN: usize = 80;

/// Where `found` is not what is expected, one line each.
pub(super) fn between(expected: &Value, found: &Value, exactly: bool) -> Vec<String> {
    let mut out = Vec::new();
    compare("", expected, found, exactly, &mut out);
    out
}

fn compare(path: &str, expected: &Value, found: &Value, exactly: bool, out: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            for (name, value) in expected {
                let path = join(path, name);
                match found.get(name) {
                    Some(found) => compare(&path, value, found, exactly, out),
                    None => out.push(format!("{path}: expected {}, not there", shown(value))),
                }
            }
            for (name, value) in found.iter().filter(|(name, _)| exactly && !expected.contains_key(*name)) {
                out.push(format!("{}: not expected, found {}", join(path, name), shown(value)));
            }
        }
        (Value::Array(expected), Value::Array(found)) => {
            for (index, value) in expected.iter().enumerate() {
                let path = format!("{path}[{index}]");
                match found.get(index) {
                    Some(found) => compare(&path, value, found, exactly, out),
                    None => out.push(format!("{path}: expected {}, not there", shown(value))),
                }
            }
            for (index, value) in found.iter().enumerate().skip(expected.len()).filter(|_| exactly) {
                out.push(format!("{path}[{index}]: not expected, found {}", shown(value)));
            }
        }
        _ if same(expected, found) => {}
        _ => {
            let path = if path.is_empty() { "bundle" } else { path };
            out.push(format!("{path}: expected {}, found {}", shown(expected), shown(found)));
        }
    }
}

/// Numbers are the same whatever their digits: 5.0 is 5.
fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one == other || one.as_f64() == other.as_f64(),
        _ => one == other,
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() <= MAX_SHOWN {
        return text;
    }
    let mut short: String = text.chars().take(MAX_SHOWN - 1).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_part_is_enough_unless_it_has_to_be_all() {
        let found = json!({ "a": 1, "list": [{ "b": 2, "c": 3 }, 4] });
        let part = json!({ "list": [{ "b": 2 }] });
        assert_eq!(between(&part, &found, false), Vec::<String>::new());
        assert_eq!(
            between(&part, &found, true),
            ["list[0].c: not expected, found 3", "list[1]: not expected, found 4", "a: not expected, found 1"]
        );
        assert_eq!(between(&found, &found, true), Vec::<String>::new());
    }

    #[test]
    fn each_difference_has_its_path() {
        let found = json!({ "entry": [{ "resource": { "status": "final", "n": 5.0 } }] });
        let expected = json!({ "entry": [{ "resource": { "status": "amended", "n": 5, "id": "x" } }, {}], "type": [] });
        assert_eq!(
            between(&expected, &found, false),
            [
                "entry[0].resource.id: expected \"x\", not there",
                "entry[0].resource.status: expected \"amended\", found \"final\"",
                "entry[1]: expected {}, not there",
                "type: expected [], not there",
            ]
        );
        assert_eq!(between(&json!({}), &json!([]), false), ["bundle: expected {}, found []"]);
    }

    #[test]
    fn long_values_are_cut() {
        let [line] = &between(&json!({ "a": "x".repeat(200) }), &json!({ "a": 1 }), false)[..] else {
            panic!("one line")
        };
        assert!(line.contains('…') && line.len() < 120, "{line}");
    }
}
