//! The same event written otherwise: so that a defect of the general engine does not show, or so that it shows in the
//! compiled engine, too.

use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::super::model;
use super::Event;
use super::marks::Reason;
use crate::domain::event::FhirRelease;

/// Writes a state so that a defect does not show.
pub(super) type Rewrite = fn(&mut Value);

/// What keeps the general engine from a defect.
pub(super) const AVOIDING: [(Reason, Rewrite); 10] = [
    (Reason::Null, without_null),
    (Reason::QuantityCode, with_codes),
    (Reason::NotUcum, without_units),
    (Reason::NotUcum, with_unknown_units),
    (Reason::UnitText, with_plain_units),
    (Reason::Fraction, with_milliseconds),
    (Reason::Integer64, with_numbers),
    (Reason::Annotation, without_annotations),
    (Reason::Namesake, with_empty_namesakes),
    (Reason::NotUcum, without_quantities),
];

/// Those that leave everything in its place, so that they go together.
pub(super) const TOGETHER: &[(Reason, Rewrite)] = AVOIDING.split_at(9).0;

/// What leads the compiled engine into a defect of the general one.
pub(super) const IMITATING: [(Reason, Rewrite); 3] = [
    (Reason::NoValue, without_valueless),
    (Reason::Digits, with_short_numbers),
    (Reason::PrimitiveId, without_primitive_ids),
];

/// The criterion with its literals as [`with_padding`] writes texts.
pub(super) fn padded(criterion: &str) -> String {
    // Quotes in literals are escaped; none of the literals ends with an escaped backslash.
    let escaped = criterion.replace("\\'", "\u{1}");
    let mut parts: Vec<String> = escaped.split('\'').map(str::to_owned).collect();
    for literal in parts.iter_mut().skip(1).step_by(2) {
        *literal = shown_padding(literal);
    }
    parts.join("'").replace('\u{1}', "\\'")
}

/// Texts show the white space around them, so that nothing drops it.
pub(super) fn with_padding(value: &mut Value) {
    everywhere(value, &mut |value| {
        if let Value::String(text) = value {
            *text = shown_padding(text);
        }
    });
}

fn shown_padding(text: &str) -> String {
    let (inside, shown) = (text.trim(), |count: usize| "_".repeat(count));
    let before = text.len() - text.trim_start().len();
    format!("{}{inside}{}", shown(before), shown(text.len() - before - inside.len()))
}

/// The event written so; `None` where that changes nothing.
pub(super) fn rewritten(event: &Event, rewrite: impl Fn(&mut Value)) -> Option<Event> {
    let mut is_changed = false;
    let mut state = |text: &Option<String>| {
        let value: Value = serde_json::from_str(text.as_ref()?).ok()?;
        let mut changed = value.clone();
        rewrite(&mut changed);
        is_changed |= changed != value;
        Some(changed.to_string())
    };
    let (focus, previous) = (state(&event.focus), state(&event.previous));
    is_changed.then_some(Event { focus, previous, ..*event })
}

/// Applies to the value and all below it, the innermost first.
fn everywhere(value: &mut Value, change: &mut dyn FnMut(&mut Value)) {
    match value {
        Value::Object(members) => members.values_mut().for_each(|member| everywhere(member, change)),
        Value::Array(items) => items.iter_mut().for_each(|item| everywhere(item, change)),
        _ => {}
    }
    change(value);
}

/// Members that are `null` stand there no more. Nulls in lists keep the places of their siblings.
fn without_null(value: &mut Value) {
    everywhere(value, &mut |value| {
        if let Value::Object(members) = value {
            members.retain(|_, member| !member.is_null());
        }
    });
}

/// Quantities in UCUM show their code as their unit.
fn with_codes(value: &mut Value) {
    everywhere(value, &mut |value| {
        if let Value::Object(members) = value
            && members.get("system").is_some_and(|system| system == "http://unitsofmeasure.org")
            && let Some(code) = members.get("code").cloned()
        {
            members.insert("unit".into(), code);
        }
    });
}

/// Quantities that are not in UCUM show no unit.
fn without_units(value: &mut Value) {
    beyond_ucum(value, &mut |members| drop(members.remove("unit")));
}

/// Quantities that are not in UCUM have a unit that nothing has.
fn with_unknown_units(value: &mut Value) {
    beyond_ucum(value, &mut |members| {
        for name in ["unit", "code"] {
            members.insert(name.into(), "no unit".into());
        }
    });
}

/// Quantities that are not in UCUM are not there: a comparison with them is empty, whatever with.
fn without_quantities(value: &mut Value) {
    everywhere(value, &mut |value| {
        if let Value::Object(members) = value {
            members.retain(|_, member| !is_beyond_ucum(member));
        }
    });
}

fn beyond_ucum(value: &mut Value, change: &mut dyn FnMut(&mut Map<String, Value>)) {
    everywhere(value, &mut |value| {
        if is_beyond_ucum(value)
            && let Value::Object(members) = value
        {
            change(members);
        }
    });
}

fn is_beyond_ucum(value: &Value) -> bool {
    let is_ucum = value.get("system").is_some_and(|system| system == "http://unitsofmeasure.org");
    value.get("value").is_some() && !(is_ucum && value.get("code").is_some())
}

/// Lists have one item, so that nothing fails for having several.
pub(super) fn with_one_item(value: &mut Value) {
    everywhere(value, &mut |value| {
        if let Value::Array(items) = value {
            items.truncate(1);
        }
    });
}

/// Choices whose name begins with that of another element of the same type, with that name.
static NAMESAKES: LazyLock<Vec<(&str, &str)>> = LazyLock::new(|| {
    let mut pairs = Vec::new();
    for model in [FhirRelease::R4, FhirRelease::R4B, FhirRelease::R5].map(model::model) {
        for of in model.type_names() {
            for longer in model.elements(of).filter(|element| element.is_choice) {
                let others = model.elements(of).filter(|element| !element.is_choice);
                let shorter = others.filter(|shorter| goes_on(longer.name, shorter.name));
                pairs.extend(shorter.map(|shorter| (longer.name, shorter.name)));
            }
        }
    }
    pairs.sort_unstable();
    pairs.dedup();
    pairs
});

/// Whether a name is another one that goes on with an upper-case letter.
fn goes_on(longer: &str, shorter: &str) -> bool {
    longer.strip_prefix(shorter).is_some_and(|rest| rest.starts_with(|letter: char| letter.is_ascii_uppercase()))
}

/// An absent element is an empty list, beside a choice that it could be taken for.
fn with_empty_namesakes(value: &mut Value) {
    everywhere(value, &mut |value| {
        let Value::Object(members) = value else { return };
        for (longer, shorter) in NAMESAKES.iter() {
            if !members.contains_key(*shorter) && members.keys().any(|name| goes_on(name, longer)) {
                members.insert((*shorter).to_owned(), Value::Array(Vec::new()));
            }
        }
    });
}

/// Values have no ids.
fn without_primitive_ids(value: &mut Value) {
    everywhere(value, &mut |value| {
        let Value::Object(members) = value else { return };
        for (_, beside) in members.iter_mut().filter(|(name, _)| name.starts_with('_')) {
            let each = match beside {
                Value::Array(each) => each.as_mut_slice(),
                one => std::slice::from_mut(one),
            };
            each.iter_mut().filter_map(Value::as_object_mut).for_each(|beside| drop(beside.remove("id")));
        }
    });
}

/// A unit that is only an annotation is the unit 1.
fn without_annotations(value: &mut Value) {
    everywhere(value, &mut |value| {
        let Value::Object(members) = value else { return };
        for name in ["code", "unit"] {
            if let Some(Value::String(text)) = members.get_mut(name)
                && text.starts_with('{')
                && text.ends_with('}')
            {
                *text = "1".to_owned();
            }
        }
    });
}

/// An integer64 is a number in JSON, too.
fn with_numbers(value: &mut Value) {
    everywhere(value, &mut |value| {
        let Value::Object(members) = value else { return };
        for name in ["size", "eventNumber", "eventsSinceSubscriptionStart", "valueInteger64"] {
            let number = members.get(name).and_then(|text| text.as_str()?.parse::<i64>().ok());
            if let Some(number) = number {
                members.insert(name.into(), number.into());
            }
        }
    });
}

/// Elements that have no value, only extensions, are not there.
fn without_valueless(value: &mut Value) {
    everywhere(value, &mut |value| {
        let Value::Object(members) = value else { return };
        let names: Vec<String> = members.keys().filter(|name| name.starts_with('_')).cloned().collect();
        for beside in names {
            let name = &beside[1..];
            match members.get_mut(name) {
                None | Some(Value::Null) => drop(members.remove(&beside)),
                Some(Value::Array(values)) => {
                    let keeps: Vec<bool> = values.iter().map(|value| !value.is_null()).collect();
                    values.retain(|value| !value.is_null());
                    if let Some(Value::Array(others)) = members.get_mut(&beside) {
                        let mut keep = keeps.into_iter();
                        others.retain(|_| keep.next().unwrap_or_default());
                    }
                }
                Some(_) => {}
            }
        }
    });
}

/// Numbers have the digits that binary floating point needs.
fn with_short_numbers(value: &mut Value) {
    everywhere(value, &mut |value| {
        // Reading the text has made a binary number of it already; what is left is `6.0`.
        if let Some(number) = value.as_f64().filter(|number| number.fract() == 0.0 && number.abs() < 1e15) {
            *value = (number as i64).into();
        }
    });
}

/// Codes and units are ASCII.
fn with_plain_units(value: &mut Value) {
    everywhere(value, &mut |value| {
        let Value::Object(members) = value else { return };
        for name in ["code", "unit"] {
            if let Some(Value::String(text)) = members.get_mut(name) {
                *text = text.replace(|letter: char| !letter.is_ascii(), "x");
            }
        }
    });
}

/// Times have three decimals at most.
fn with_milliseconds(value: &mut Value) {
    everywhere(value, &mut |value| {
        let Value::String(text) = value else { return };
        let fraction = text.find('.').filter(|at| *at == 19 && text.as_bytes().get(10) == Some(&b'T'));
        if let Some(start) = fraction {
            let digits = text[start + 1..].bytes().take_while(u8::is_ascii_digit).count();
            if digits > 3 {
                text.replace_range(start + 4..start + 1 + digits, "");
            }
        }
    });
}
