//! Paths that the model has, with the values that a sample has there.

use fastrand::Rng;
use serde_json::Value;

use super::super::model::{Element, Kind, Model};
use super::marks::{self, Reason};

/// A path of a criterion: its text, the type that it leads to, and what stands there in the sample.
#[derive(Clone)]
pub(super) struct Path<'v> {
    pub(super) text: String,
    /// The name of the type in the model; of a choice that is left open, one of the types.
    pub(super) type_name: &'static str,
    pub(super) kind: Kind,
    /// The values, lists flattened.
    pub(super) values: Vec<&'v Value>,
}

/// Follows elements at random.
pub(super) struct Walker<'m> {
    pub(super) model: &'m Model,
    pub(super) root: &'static str,
}

/// How deep a path goes.
const MAX_STEPS: usize = 5;

impl Walker<'_> {
    /// A path from the resource, written `start` (empty: from the focus itself).
    pub(super) fn walk<'v>(&self, rng: &mut Rng, start: &str, resource: &'v Value) -> Path<'v> {
        let root = Path { text: start.to_owned(), type_name: self.root, kind: Kind::Resource, values: vec![resource] };
        let first = self.step(rng, &root).unwrap_or_else(|| root.clone());
        self.onwards(rng, first)
    }

    /// Follows some more elements.
    pub(super) fn onwards<'v>(&self, rng: &mut Rng, mut path: Path<'v>) -> Path<'v> {
        for _ in 0..MAX_STEPS {
            let is_leaf = path.kind == Kind::Primitive;
            if rng.u8(..100) < if is_leaf { 96 } else { 18 } {
                break;
            }
            match self.step(rng, &path) {
                Some(next) => path = next,
                None => break,
            }
        }
        path
    }

    /// Follows one element, in most cases one that the sample has.
    pub(super) fn step<'v>(&self, rng: &mut Rng, path: &Path<'v>) -> Option<Path<'v>> {
        let elements: Vec<&Element> = self.model.elements(path.type_name).collect();
        let present: Vec<&Element> =
            elements.iter().copied().filter(|element| !occurrences(element, &path.values).is_empty()).collect();
        let among = if rng.u8(..100) < 85 && !present.is_empty() { present } else { elements };
        let element = *rng.choice(&among)?;
        let found = occurrences(element, &path.values);
        let (type_name, values) = match rng.choice(&found) {
            Some((name, _)) => {
                let of_type = found.iter().filter(|(other, _)| other == name);
                (*name, of_type.flat_map(|(_, value)| flattened(value)).collect())
            }
            None => (*rng.choice(&element.types().collect::<Vec<_>>())?, Vec::new()),
        };
        let (type_name, values) = self.concrete(rng, type_name, values)?;
        let mut text = joined(&path.text, &quoted(element.name));
        if let Some(imitation) = part_of_quantity(element.name).filter(|_| path.type_name == "Quantity") {
            let imitation = match &*path.text {
                "" => imitation.to_owned(),
                quantity => format!("{quantity}.select({imitation})"),
            };
            text = marks::imitated(Reason::QuantityParts, &text, &imitation);
        }
        let is_resource = self.model.find(type_name).is_some_and(|(_, kind)| kind == Kind::Resource);
        if is_resource {
            text = marks::flag(Reason::NestedResource, &text);
        }
        let names_type = rng.u8(..100) < 60;
        if element.is_choice && !names_type {
            text = marks::named(Reason::OpenChoice, &text, &format!("{text}.ofType({type_name})"));
        }
        if element.is_choice && names_type || is_resource {
            text = typed(rng, &text, type_name, element.is_list);
        }
        let mut text = if element.is_list || rng.u8(..100) < 4 { picked(rng, &text) } else { text };
        if type_name != "Quantity" && self.model.is_derived(type_name, "Quantity") {
            text = marks::mark(Reason::DerivedQuantity, &text, &format!("{text}.select({AS_QUANTITY})"));
        }
        Some(Path { text, type_name, kind: self.model.find(type_name)?.1, values })
    }

    /// A resource's own type, where any may stand.
    fn concrete<'v>(
        &self,
        rng: &mut Rng,
        type_name: &'static str,
        values: Vec<&'v Value>,
    ) -> Option<(&'static str, Vec<&'v Value>)> {
        let (name, kind) = self.model.find(type_name)?;
        if kind != Kind::Abstract || !matches!(name, "Resource" | "DomainResource") {
            return Some((name, values));
        }
        let own = values.iter().find_map(|value| self.model.find(value.get("resourceType")?.as_str()?));
        let name =
            own.map_or_else(|| *rng.choice(&["Patient", "Observation", "Basic"]).unwrap_or(&"Basic"), |(name, _)| name);
        Some((name, values.into_iter().filter(|value| value["resourceType"] == name).collect()))
    }
}

/// A type derived from Quantity as the value that it is, to who knows Quantities only.
const AS_QUANTITY: &str = "iif(system = 'http://unitsofmeasure.org' and code.exists() and comparator.empty(), \
                           (value.toString() & ' \\'' & code & '\\'').toQuantity(), {})";

/// What the general engine takes for this element of a Quantity that has a value.
fn part_of_quantity(element: &str) -> Option<&'static str> {
    Some(match element {
        "system" => "iif(value.exists(), system.where(false), system)",
        "code" => "iif(value.exists() and unit.exists(), unit, code)",
        "unit" => "iif(value.exists() and unit.empty(), code, unit)",
        _ => return None,
    })
}

/// What stands in the values under an element, with its type.
fn occurrences<'v>(element: &Element, values: &[&'v Value]) -> Vec<(&'static str, &'v Value)> {
    let mut found = Vec::new();
    for object in values.iter().filter_map(|value| value.as_object()) {
        if !element.is_choice {
            let type_name = element.types().next();
            found.extend(type_name.zip(object.get(element.name)));
            continue;
        }
        for type_name in element.types() {
            found.extend(object.get(&json_name(element.name, type_name)).map(|value| (type_name, value)));
        }
    }
    found
}

/// The JSON name of a choice with this type.
pub(super) fn json_name(element: &str, type_name: &str) -> String {
    let mut letters = type_name.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    element.chars().chain(first).chain(letters).collect()
}

fn flattened(value: &Value) -> Vec<&Value> {
    value.as_array().map_or_else(|| vec![value], |items| items.iter().collect())
}

/// Element names that are FHIRPath's own words stand in backticks.
fn quoted(name: &str) -> String {
    match name {
        "div" | "mod" | "in" | "and" | "or" | "xor" | "implies" | "is" | "as" | "contains" | "true" | "false"
        | "day" | "year" | "month" | "week" | "hour" | "minute" | "second" | "millisecond" | "days" | "years" => {
            format!("`{name}`")
        }
        _ => name.to_owned(),
    }
}

pub(super) fn joined(start: &str, step: &str) -> String {
    if start.is_empty() { step.to_owned() } else { format!("{start}.{step}") }
}

fn typed(rng: &mut Rng, text: &str, type_name: &str, is_list: bool) -> String {
    let prefix = if rng.u8(..100) < 10 { "FHIR." } else { "" };
    let cast = match rng.u8(..100) {
        0..20 if !is_list => format!("({text} as {prefix}{type_name})"),
        20..30 if !is_list => format!("{text}.as({prefix}{type_name})"),
        _ => return format!("{text}.ofType({prefix}{type_name})"),
    };
    marks::mark(Reason::As, &cast, &format!("{text}.single().ofType({prefix}{type_name})"))
}

/// Some items of a list, or all.
fn picked(rng: &mut Rng, text: &str) -> String {
    match rng.u8(..100) {
        0..12 => format!("{text}.first()"),
        12..24 => format!("{text}[{}]", rng.u8(..3)),
        24..28 => format!("{text}.last()"),
        28..30 => format!("{text}.tail()"),
        30..32 => format!("{text}.skip({})", rng.u8(..3)),
        32..34 => format!("{text}.take({})", rng.u8(..3)),
        34..37 => format!("{text}.single()"),
        37..40 => format!("{text}.distinct()"),
        40..43 => format!("{text}.where($index < {})", rng.u8(..3)),
        _ => text.to_owned(),
    }
}
