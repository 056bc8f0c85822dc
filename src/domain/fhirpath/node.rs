//! A resource as the engine's tree.
//!
//! Where an element is absent, the engine takes any member whose name goes on with an upper-case letter for a choice of
//! it: `conclusion.exists()` is true for a DiagnosticReport that has only `conclusionCode`. An absent element that has
//! such a namesake is therefore given to the engine as an empty list, which is what it is.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use octofhir_fhirpath::core::node::FhirNode;
use serde_json::Value;

use super::budget::Shape;
use super::model::{Model, is_suffix};

/// Element names by the longer names that the engine would take for a choice of them.
#[derive(Debug)]
pub(super) struct Namesakes(HashMap<&'static str, Vec<&'static str>>);

impl Namesakes {
    /// Finds them among the elements of every type.
    pub(super) fn of(model: &'static Model) -> Self {
        let mut pairs = BTreeSet::new();
        let mut choices = BTreeSet::new();
        for type_name in model.type_names() {
            let elements: HashMap<&str, _> = model.elements(type_name).map(|element| (element.name, element)).collect();
            for longer in elements.keys().copied() {
                for shorter in beginnings(longer).filter_map(|name| elements.get(name)) {
                    let found = if shorter.is_choice { &mut choices } else { &mut pairs };
                    found.insert((longer, shorter.name));
                }
            }
            for choice in elements.values().filter(|element| element.is_choice) {
                choices.insert(("", choice.name));
            }
        }
        // A name that is a true choice somewhere stays one everywhere.
        let is_choice = |longer: &str, shorter: &'static str| {
            choices.contains(&(longer, shorter))
                || (choices.contains(&("", shorter)) && is_choice_of(model, longer, shorter))
        };
        let mut namesakes: HashMap<_, Vec<_>> = HashMap::new();
        for (longer, shorter) in pairs {
            if !is_choice(longer, shorter) {
                namesakes.entry(longer).or_default().push(shorter);
            }
        }
        Self(namesakes)
    }

    /// The tree of a resource; its measures are added to the shape.
    pub(super) fn tree(&self, value: &Value, shape: &mut Shape) -> FhirNode {
        shape.nodes += 1;
        match value {
            Value::Array(items) => FhirNode::Array(items.iter().map(|item| self.tree(item, shape)).collect()),
            Value::Object(members) => {
                shape.widest = shape.widest.max(members.len() as u64);
                let mut entries: Vec<(Arc<str>, FhirNode)> = Vec::with_capacity(members.len() + 1);
                for (name, value) in members {
                    let (name, value) = (Arc::from(name.as_str()), self.tree(value, shape));
                    shape.member(&name, &value);
                    entries.push((name, value));
                }
                for shorter in members.keys().filter_map(|name| self.0.get(name.as_str())).flatten() {
                    if !entries.iter().any(|(name, _)| &**name == *shorter) {
                        entries.push((Arc::from(*shorter), FhirNode::Array(Arc::default())));
                    }
                }
                FhirNode::Object(entries.into())
            }
            scalar => FhirNode::from_json(scalar),
        }
    }
}

/// The beginnings of a name that end before an upper-case letter.
fn beginnings(name: &str) -> impl Iterator<Item = &str> {
    name.char_indices().skip(1).filter(|(_, letter)| letter.is_ascii_uppercase()).map(|(at, _)| &name[..at])
}

/// Whether the longer name is what the JSON of a choice is called in some type.
fn is_choice_of(model: &'static Model, longer: &str, shorter: &str) -> bool {
    let Some(suffix) = longer.strip_prefix(shorter) else { return false };
    model
        .own_elements()
        .filter(|element| element.is_choice && element.name == shorter)
        .any(|element| element.types().any(|type_name| is_suffix(suffix, type_name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::event::FhirRelease;
    use crate::domain::fhirpath::model::model;

    #[test]
    fn namesakes_are_elements_and_never_choices() {
        let namesakes = Namesakes::of(model(FhirRelease::R4));
        assert_eq!(namesakes.0.get("conclusionCode"), Some(&vec!["conclusion"]));
        assert_eq!(namesakes.0.get("statusReason"), Some(&vec!["status"]));
        for choice in ["valueQuantity", "valueSet", "deceasedBoolean", "effectiveDateTime", "amountType"] {
            assert_eq!(namesakes.0.get(choice), None, "{choice}");
        }
    }
}
