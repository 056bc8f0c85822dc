//! Samples with something changed: what publishers do to resources, by mistake or by right.

use fastrand::Rng;
use serde_json::{Value, json};

/// A sample with some changes.
pub(super) struct Mutated {
    pub(super) text: String,
    /// Whether every value may still stand where it stands; of others the specification says nothing.
    pub(super) is_sound: bool,
}

/// Changes a sample.
pub(super) fn mutated(rng: &mut Rng, sample: &Value) -> Mutated {
    let mut resource = sample.clone();
    let mut is_sound = true;
    for _ in 0..rng.u8(..4) {
        let places = places(&resource);
        let Some(place) = rng.choice(&places) else { break };
        is_sound &= change(rng, &mut resource, place);
    }
    let text = if rng.u8(..100) < 10 {
        serde_json::to_string_pretty(&resource).expect("a value is JSON")
    } else {
        resource.to_string()
    };
    let text = if rng.u8(..100) < 15 { respelled(rng, &text) } else { text };
    Mutated { text, is_sound }
}

/// Where the members and elements stand, except the type of the resource itself.
fn places(resource: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![(String::new(), resource)];
    while let Some((pointer, value)) = open.pop() {
        match value {
            Value::Object(members) => {
                for (name, member) in members.iter().filter(|(name, _)| *name != "resourceType") {
                    let pointer = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
                    found.push(pointer.clone());
                    open.push((pointer, member));
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    let pointer = format!("{pointer}/{index}");
                    found.push(pointer.clone());
                    open.push((pointer, item));
                }
            }
            _ => {}
        }
    }
    found
}

/// Changes what stands at the place. Whether it may still stand there.
fn change(rng: &mut Rng, resource: &mut Value, pointer: &str) -> bool {
    let (parent, name) = pointer.rsplit_once('/').unwrap_or(("", pointer));
    if rng.u8(..100) < 30 {
        return change_in_parent(rng, resource, parent, name);
    }
    let Some(value) = resource.pointer_mut(pointer) else { return true };
    match value {
        Value::Null => false,
        Value::Bool(flag) => {
            *flag = !*flag;
            true
        }
        Value::Number(number) => {
            let changed = changed_number(rng, number);
            let is_sound = changed.is_number();
            *value = changed;
            is_sound
        }
        Value::String(text) => change_text(rng, text),
        Value::Array(items) => match rng.u8(..4) {
            0 => {
                items.clear();
                false
            }
            1 => {
                items.extend(items.first().cloned());
                true
            }
            2 => {
                items.reverse();
                true
            }
            _ => {
                items.truncate(1);
                true
            }
        },
        Value::Object(members) => change_object(rng, members),
    }
}

fn changed_number(rng: &mut Rng, number: &serde_json::Number) -> Value {
    let kind = rng.u8(..6);
    if let Some(whole) = number.as_i64() {
        return match kind {
            0 => json!(whole + 1),
            1 => json!(whole - 1),
            2 => json!(whole * 10),
            3 => json!(0),
            4 => json!(1),
            _ => json!(whole.to_string()),
        };
    }
    let number = number.as_f64().unwrap_or_default();
    match kind {
        0 => json!(number + 1.0),
        1 => json!(-number),
        2 => json!(number.trunc() as i64),
        3 => json!(0),
        4 => json!(number / 10.0),
        _ => json!(number.to_string()),
    }
}

fn change_object(rng: &mut Rng, members: &mut serde_json::Map<String, Value>) -> bool {
    match rng.u8(..4) {
        0 => {
            members.clear();
            false
        }
        1 => {
            members.insert("extension".into(), json!([{"url": "urn:x", "valueString": "x"}]));
            // An extension has either a value or extensions.
            !members.contains_key("url")
        }
        2 => {
            members.insert("unknownElement".into(), json!({"a": [1, "b"]}));
            true
        }
        _ => {
            members.insert("id".into(), json!("e1"));
            true
        }
    }
}

/// Changes the member itself: away, null, without a value, as a list. Whether it may stand there like that.
fn change_in_parent(rng: &mut Rng, resource: &mut Value, parent: &str, name: &str) -> bool {
    let Some(Value::Object(members)) = resource.pointer_mut(parent) else { return true };
    let reason = json!({"extension": [{
        "url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"
    }]});
    let is_primitive = members[name].is_string() || members[name].is_number() || members[name].is_boolean();
    match rng.u8(..6) {
        0 | 1 => drop(members.remove(name)),
        2 => drop(members.insert(name.to_owned(), Value::Null)),
        3 if is_primitive && !name.starts_with('_') => {
            members.remove(name);
            members.insert(format!("_{name}"), reason);
        }
        4 if is_primitive && !name.starts_with('_') => drop(members.insert(format!("_{name}"), reason)),
        _ => {
            let value = members[name].clone();
            members.insert(name.to_owned(), if value.is_array() { value[0].clone() } else { json!([value]) });
            return false;
        }
    }
    true
}

fn change_text(rng: &mut Rng, text: &mut String) -> bool {
    let is_date = text.len() >= 10 && text.is_ascii() && text.as_bytes()[4] == b'-' && text.as_bytes()[7] == b'-';
    let has_time = is_date && text.as_bytes().get(10) == Some(&b'T');
    let (changed, is_sound) = match rng.u8(..8) {
        0..3 if is_date => (text.chars().take(*rng.choice(&[4, 7, 10]).unwrap_or(&10)).collect(), true),
        3..5 if has_time => (format!("{}T10:00:00Z", &text[..10]), true),
        5 if has_time => (format!("{}T23:30:00.500-05:00", &text[..10]), true),
        _ if is_date => (text.chars().rev().collect(), false),
        0 => (text.to_uppercase(), true),
        1 => (format!(" {text} "), true),
        2 => (String::new(), false),
        3 => ("final".to_owned(), true),
        4 => (format!("{text}\u{e9}\n\""), true),
        5 => ("2345-7".to_owned(), true),
        6 => (text.chars().rev().collect(), true),
        _ => ("completed".to_owned(), true),
    };
    // What has been cut down to a month or a year is a date no more after anything else.
    let is_part = matches!(text.len(), 4 | 7) && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    *text = changed;
    is_sound && !is_part
}

/// The same resource written otherwise: escapes, and numbers with other digits.
fn respelled(rng: &mut Rng, text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_string = false;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => {
                out.push(letter);
                out.extend(letters.next());
                continue;
            }
            '"' => in_string = !in_string,
            'a'..='z' if in_string && rng.u8(..60) == 0 => {
                out.push_str(&format!("\\u{:04x}", u32::from(letter)));
                continue;
            }
            _ => {}
        }
        out.push(letter);
        let ends_fraction = !in_string && letter.is_ascii_digit() && matches!(letters.peek(), Some(',' | '}' | ']'));
        if ends_fraction && fraction(&out) && rng.bool() {
            out.push('0');
        }
    }
    out
}

/// Whether the text ends with a number that has a fraction and no exponent.
fn fraction(text: &str) -> bool {
    let start = text.rfind([',', ':', '[', ' ', '\n']).map_or(0, |position| position + 1);
    let number = &text[start..];
    number.contains('.') && !number.contains(['e', 'E', '"'])
}
