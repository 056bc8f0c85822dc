//! What is known of a disagreement: whether one of the general engine's defects explains it.
//!
//! A defect explains a disagreement only if the general engine gives the compiled answer once the defect is out of the
//! way: by an equivalent criterion ([`marks`](super::marks)), by the same event written so that the defect does not
//! show, or both.

use serde_json::Value;

use super::marks::{self, Reason};
use super::{Event, Outcome, general};

/// Writes a state so that a defect does not show.
type Rewrite = fn(&mut Value);

/// Why the general engine gives another answer.
pub(super) struct Explanation {
    pub(super) reasons: Vec<Reason>,
    /// Whether the general engine gives the compiled answer once the defect is out of the way. If not, the shape of the
    /// disagreement tells, and a second opinion is worth asking for.
    pub(super) is_proven: bool,
}

/// What explains that the general engine does not give the compiled answer; `None` where nothing does.
pub(super) fn explain(marked: &str, event: &Event, outcomes: (Outcome, Outcome)) -> Option<Explanation> {
    if let Some(reasons) = proven(marked, event, outcomes.0) {
        return Some(Explanation { reasons, is_proven: true });
    }
    let reason = without_equivalent(marked, event, outcomes)?;
    Some(Explanation { reasons: vec![reason], is_proven: false })
}

/// The defects without which the general engine gives this answer.
fn proven(marked: &str, event: &Event, compiled: Outcome) -> Option<Vec<Reason>> {
    let (asked, equivalent) = (marks::asked(marked), marks::equivalent(marked));
    let mut reasons: Vec<Reason> = marks::reasons(marked).into_iter().collect();
    if !reasons.is_empty() && general(&equivalent, event) == Some(compiled) {
        return Some(reasons);
    }
    let rewrites: [(Reason, Rewrite); 5] = [
        (Reason::Null, without_null),
        (Reason::QuantityCode, with_codes),
        (Reason::NotUcum, without_units),
        (Reason::UnitText, with_plain_units),
        (Reason::Fraction, with_milliseconds),
    ];
    for (reason, rewrite) in rewrites {
        let changed = rewritten(event, rewrite);
        if general(&asked, &changed) == Some(compiled) {
            return Some(vec![reason]);
        }
        if !reasons.is_empty() && general(&equivalent, &changed) == Some(compiled) {
            reasons.push(reason);
            return Some(reasons);
        }
    }
    let changed = rewritten(event, |state| rewrites.iter().for_each(|(_, rewrite)| rewrite(state)));
    if general(&equivalent, &changed) == Some(compiled) {
        reasons.extend(rewrites.map(|(reason, _)| reason));
        return Some(reasons);
    }
    let padded = padded(&equivalent);
    let may_pad = ["~", ".to", ".convertsTo"].iter().any(|word| padded.contains(word));
    if may_pad && general(&padded, &rewritten(event, with_padding)) == Some(compiled) {
        reasons.push(Reason::Padding);
        return Some(reasons);
    }
    None
}

/// Defects that nothing can be put in the place of; told by how the engines differ.
fn without_equivalent(marked: &str, event: &Event, (compiled, by_general): (Outcome, Outcome)) -> Option<Reason> {
    let (asked, marks) = (marks::asked(marked), marks::reasons(marked));
    let has = |words: &[&str]| words.iter().any(|word| asked.contains(word));
    let is_answer = |outcome: Outcome| matches!(outcome, Outcome::Answer(_));

    let flagged = [
        Reason::QuantityParts,
        Reason::DerivedQuantity,
        Reason::Zone,
        Reason::TimeText,
        Reason::Integer64,
        Reason::DerivedPrimitive,
        Reason::NestedResource,
        Reason::Rounding,
        Reason::Digits,
        Reason::TextToTime,
        Reason::PartialTime,
        Reason::DecimalToInteger,
    ];
    if let Some(reason) = flagged.into_iter().find(|reason| marks.contains(reason)) {
        return Some(reason);
    }
    let is_open = marks.contains(&Reason::OpenChoice);
    if is_open && is_answer(by_general) && (compiled == Outcome::Failed || has(&[" + ", " - "])) {
        return Some(Reason::OpenChoice);
    }
    if is_open && marks.contains(&Reason::Truth) {
        return Some(Reason::Truth);
    }
    if [&event.focus, &event.previous].into_iter().flatten().any(|text| lacks_value(text, &asked)) {
        return Some(Reason::NoValue);
    }
    if by_general != Outcome::Failed || !is_answer(compiled) {
        return None;
    }
    if has(&[" < ", " <= ", " > ", " >= "]) {
        return Some(Reason::SeveralAndNothing);
    }
    let may_fail = has(&[".single()"]) || marks.contains(&Reason::SeveralItems);
    (may_fail && has(&["True()", "False()", " and ", " or ", " implies ", "iif(", ".take("])).then_some(Reason::Lazy)
}

/// Whether an element that the criterion names has extensions, but no value.
fn lacks_value(state: &str, criterion: &str) -> bool {
    let state: Value = serde_json::from_str(state).unwrap_or_default();
    let mut open = vec![&state];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(members) => {
                let lacks = |name: &str| members.get(name).is_none_or(Value::is_null) && criterion.contains(name);
                if members.keys().filter_map(|name| name.strip_prefix('_')).any(lacks) {
                    return true;
                }
                open.extend(members.values());
            }
            Value::Array(items) => open.extend(items),
            _ => {}
        }
    }
    false
}

/// The criterion with its literals as [`with_padding`] writes texts.
fn padded(criterion: &str) -> String {
    // Quotes in literals are escaped; none of the literals ends with an escaped backslash.
    let escaped = criterion.replace("\\'", "\u{1}");
    let mut parts: Vec<String> = escaped.split('\'').map(str::to_owned).collect();
    for literal in parts.iter_mut().skip(1).step_by(2) {
        *literal = shown_padding(literal);
    }
    parts.join("'").replace('\u{1}', "\\'")
}

/// Texts show the white space around them, so that nothing drops it.
fn with_padding(value: &mut Value) {
    match value {
        Value::String(text) => *text = shown_padding(text),
        Value::Object(members) => members.values_mut().for_each(with_padding),
        Value::Array(items) => items.iter_mut().for_each(with_padding),
        _ => {}
    }
}

fn shown_padding(text: &str) -> String {
    let (inside, shown) = (text.trim(), |count: usize| "_".repeat(count));
    let before = text.len() - text.trim_start().len();
    format!("{}{inside}{}", shown(before), shown(text.len() - before - inside.len()))
}

fn rewritten(event: &Event, rewrite: impl Fn(&mut Value)) -> Event {
    let state = |text: &Option<String>| {
        let mut value: Value = serde_json::from_str(text.as_ref()?).ok()?;
        rewrite(&mut value);
        Some(value.to_string())
    };
    Event { focus: state(&event.focus), previous: state(&event.previous), ..*event }
}

/// Members that are `null` stand there no more. Nulls in lists keep the places of their siblings.
fn without_null(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, member| !member.is_null());
            members.values_mut().for_each(without_null);
        }
        Value::Array(items) => items.iter_mut().for_each(without_null),
        _ => {}
    }
}

/// Quantities in UCUM show their code as their unit.
fn with_codes(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.values_mut().for_each(with_codes);
            if members.get("system").is_some_and(|system| system == "http://unitsofmeasure.org")
                && let Some(code) = members.get("code").cloned()
            {
                members.insert("unit".into(), code);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(with_codes),
        _ => {}
    }
}

/// Quantities that are not in UCUM show no unit.
fn without_units(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.values_mut().for_each(without_units);
            if members.contains_key("value")
                && members.get("system").is_none_or(|system| system != "http://unitsofmeasure.org")
            {
                members.remove("unit");
            }
        }
        Value::Array(items) => items.iter_mut().for_each(without_units),
        _ => {}
    }
}

/// Codes and units are ASCII.
fn with_plain_units(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                match member {
                    Value::String(text) if name == "code" || name == "unit" => {
                        *text = text.replace(|letter: char| !letter.is_ascii(), "x");
                    }
                    member => with_plain_units(member),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(with_plain_units),
        _ => {}
    }
}

/// Times have three decimals at most.
fn with_milliseconds(value: &mut Value) {
    match value {
        Value::String(text) => {
            let fraction = text.find('.').filter(|at| *at == 19 && text.as_bytes().get(10) == Some(&b'T'));
            if let Some(start) = fraction {
                let digits = text[start + 1..].bytes().take_while(u8::is_ascii_digit).count();
                if digits > 3 {
                    text.replace_range(start + 4..start + 1 + digits, "");
                }
            }
        }
        Value::Object(members) => members.values_mut().for_each(with_milliseconds),
        Value::Array(items) => items.iter_mut().for_each(with_milliseconds),
        _ => {}
    }
}
