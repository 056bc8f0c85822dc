//! Types and elements of the FHIR releases, from tables that are compiled in.
//!
//! `r4.tsv`, `r4b.tsv` and `r5.tsv` are generated from HL7's StructureDefinitions (their heads say how). A table is
//! parsed at its first use and stays for the life of the process; everything in it borrows the text. The tables are the
//! project's own and tested whole: a malformed line is skipped, never a panic.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::super::event::FhirRelease;

mod provider;

pub(super) use provider::{Provider, fhir_type};

/// All supported releases.
pub(super) const RELEASES: [FhirRelease; 3] = [FhirRelease::R4, FhirRelease::R4B, FhirRelease::R5];

static R4: LazyLock<Model> = LazyLock::new(|| Model::parse(FhirRelease::R4, include_str!("r4.tsv")));
static R4B: LazyLock<Model> = LazyLock::new(|| Model::parse(FhirRelease::R4B, include_str!("r4b.tsv")));
static R5: LazyLock<Model> = LazyLock::new(|| Model::parse(FhirRelease::R5, include_str!("r5.tsv")));

/// Names of the resource types of all releases, sorted.
static RESOURCE_TYPES: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let mut names: Vec<&str> = RELEASES.into_iter().flat_map(|release| model(release).names(Kind::Resource)).collect();
    names.sort_unstable();
    names.dedup();
    names
});

/// The types of a release.
pub(super) fn model(release: FhirRelease) -> &'static Model {
    match release {
        FhirRelease::R4 => &R4,
        FhirRelease::R4B => &R4B,
        FhirRelease::R5 => &R5,
    }
}

/// See [`RESOURCE_TYPES`].
pub(super) fn resource_types() -> &'static [&'static str] {
    &RESOURCE_TYPES
}

/// The types of one release by name.
#[derive(Debug)]
pub(super) struct Model {
    release: FhirRelease,
    types: HashMap<&'static str, Type>,
}

/// What a type is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `boolean`, `dateTime`, ...
    Primitive,
    /// `HumanName`, `Quantity`, ...
    Complex,
    /// An element with elements of its own, named by its path: `Patient.contact`.
    Backbone,
    /// `Resource`, `DomainResource`, ...
    Abstract,
    /// `Patient`, `Observation`, ...
    Resource,
}

/// One type.
#[derive(Debug)]
pub(super) struct Type {
    kind: Kind,
    base: &'static str,
    elements: Vec<Element>,
}

/// One element of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Element {
    /// The name, of a choice without `[x]`.
    pub(super) name: &'static str,
    /// Whether it may have one of several types, told by the end of its JSON name.
    pub(super) is_choice: bool,
    /// Whether it may repeat.
    pub(super) is_list: bool,
    /// Its types, separated by `|`.
    types: &'static str,
}

impl Element {
    /// The names of its types.
    pub(super) fn types(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.types.split('|')
    }
}

impl Model {
    fn parse(release: FhirRelease, text: &'static str) -> Self {
        let mut types: HashMap<&'static str, Type> = HashMap::with_capacity(1024);
        let mut current = None;
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            if let Some(head) = line.strip_prefix('>') {
                let mut fields = head.split('\t');
                let (Some(name), Some(kind)) = (fields.next(), fields.next().and_then(kind)) else { continue };
                let base = fields.next().unwrap_or_default();
                types.insert(name, Type { kind, base, elements: Vec::new() });
                current = Some(name);
            } else if let Some((name, element_types)) = line.split_once('\t')
                && let Some(owner) = current.and_then(|name| types.get_mut(name))
            {
                let (name, is_list) = name.strip_suffix('*').map_or((name, false), |name| (name, true));
                let (name, is_choice) = name.strip_suffix("[x]").map_or((name, false), |name| (name, true));
                owner.elements.push(Element { name, is_choice, is_list, types: element_types });
            }
        }
        Self { release, types }
    }

    /// The release.
    pub(super) fn release(&self) -> FhirRelease {
        self.release
    }

    /// The type's own spelling and kind, if the release has it.
    pub(super) fn find(&self, name: &str) -> Option<(&'static str, Kind)> {
        self.types.get_key_value(name).map(|(name, found)| (*name, found.kind))
    }

    /// Names of the types of a kind, in no order.
    pub(super) fn names(&self, kind: Kind) -> impl Iterator<Item = &'static str> {
        self.types.iter().filter(move |(_, found)| found.kind == kind).map(|(name, _)| *name)
    }

    /// Names of all types, in no order.
    pub(super) fn type_names(&self) -> impl Iterator<Item = &'static str> {
        self.types.keys().copied()
    }

    /// The elements of all types, each where it is defined, in no order.
    pub(super) fn own_elements(&self) -> impl Iterator<Item = &Element> {
        self.types.values().flat_map(|found| &found.elements)
    }

    /// The type and what it is derived from, nearest first.
    pub(super) fn lineage<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'static str, &'a Type)> {
        let find = |name: &str| self.types.get_key_value(name).map(|(name, found)| (*name, found));
        std::iter::successors(find(name), move |(_, found)| find(found.base))
    }

    /// Whether the first type is the second or derived from it.
    pub(super) fn is_derived(&self, derived: &str, base: &str) -> bool {
        self.lineage(derived).any(|(name, _)| name == base)
    }

    /// The elements of a type, inherited ones last.
    pub(super) fn elements<'a>(&'a self, type_name: &'a str) -> impl Iterator<Item = &'a Element> {
        self.lineage(type_name).flat_map(|(_, found)| found.elements.iter())
    }

    /// The element that a path step names: `value` or `valueQuantity` for the choice `value[x]`. Gives the types that
    /// the step can have.
    pub(super) fn step(&self, type_name: &str, name: &str) -> Option<(Element, Option<&'static str>)> {
        if let Some(element) = self.elements(type_name).find(|element| element.name == name) {
            return Some((*element, None));
        }
        let choices = self.elements(type_name).filter(|element| element.is_choice);
        choices
            .filter_map(|element| Some((element, name.strip_prefix(element.name)?)))
            .find_map(|(element, suffix)| Some((*element, Some(element.types().find(|name| is_suffix(suffix, name))?))))
    }
}

/// Whether this is how the JSON name of a choice ends for this type: the name with its first letter in upper case.
pub(super) fn is_suffix(suffix: &str, type_name: &str) -> bool {
    let (mut left, mut right) = (suffix.chars(), type_name.chars());
    left.next().is_some_and(|first| Some(first) == right.next().map(|letter| letter.to_ascii_uppercase()))
        && left.as_str() == right.as_str()
}

fn kind(name: &str) -> Option<Kind> {
    match name {
        "primitive" => Some(Kind::Primitive),
        "complex" => Some(Kind::Complex),
        "backbone" => Some(Kind::Backbone),
        "abstract" => Some(Kind::Abstract),
        "resource" => Some(Kind::Resource),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn types(release: FhirRelease, type_name: &str, step: &str) -> Vec<&'static str> {
        let (element, chosen) = model(release).step(type_name, step).expect("the element is in the table");
        chosen.map_or_else(|| element.types().collect(), |name| vec![name])
    }

    #[test]
    fn tables_hold_every_resource_type_and_no_dangling_name() {
        for (release, count) in RELEASES.into_iter().zip([146, 141, 158]) {
            let model = model(release);
            assert_eq!(model.names(Kind::Resource).count(), count, "{release:?}");
            for (name, found) in &model.types {
                assert!(found.base.is_empty() || model.types.contains_key(found.base), "{release:?} {name}");
                for element in &found.elements {
                    for type_name in element.types() {
                        assert!(
                            model.types.contains_key(type_name),
                            "{release:?} {name}.{}: {type_name}",
                            element.name
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn steps_find_own_inherited_choice_and_referenced_elements() {
        assert_eq!(types(FhirRelease::R4, "Patient", "birthDate"), ["date"]);
        assert_eq!(types(FhirRelease::R4, "Patient", "meta"), ["Meta"]);
        assert_eq!(types(FhirRelease::R4, "Patient", "id"), ["id"]);
        assert_eq!(types(FhirRelease::R4, "Patient", "contact"), ["Patient.contact"]);
        assert_eq!(types(FhirRelease::R4, "Patient.contact", "extension"), ["Extension"]);
        assert_eq!(types(FhirRelease::R4, "Patient", "deceased"), ["boolean", "dateTime"]);
        assert_eq!(types(FhirRelease::R4, "Observation", "valueQuantity"), ["Quantity"]);
        assert_eq!(types(FhirRelease::R4, "Observation", "valueDateTime"), ["dateTime"]);
        assert_eq!(types(FhirRelease::R4, "Questionnaire.item", "item"), ["Questionnaire.item"]);
        assert_eq!(types(FhirRelease::R4, "Encounter", "class"), ["Coding"]);
        assert_eq!(types(FhirRelease::R5, "Encounter", "class"), ["CodeableConcept"]);
        assert_eq!(types(FhirRelease::R5, "SubscriptionStatus.notificationEvent", "focus"), ["Reference"]);
        assert!(model(FhirRelease::R4).step("Patient", "birthdate").is_none());
        assert!(model(FhirRelease::R4).step("Observation", "valuequantity").is_none());
    }

    #[test]
    fn derivation_follows_the_base_types() {
        let r4 = model(FhirRelease::R4);
        assert!(r4.is_derived("Patient", "DomainResource"));
        assert!(r4.is_derived("Patient", "Resource"));
        assert!(r4.is_derived("code", "string"));
        assert!(r4.is_derived("Age", "Quantity"));
        assert!(r4.is_derived("Patient.contact", "BackboneElement"));
        assert!(!r4.is_derived("Patient", "Observation"));
        assert!(!r4.is_derived("string", "code"));
    }
}
