//! The types that an expression can have, as far as the model tells, in every FHIR release at once.
//!
//! Used to find mistakes when a criterion is compiled, so it only claims what holds for sure: anything doubtful is
//! unknown.

use std::sync::LazyLock;

use super::catalog::BOOLEAN;
use super::model::{Kind, RELEASES, model};

/// The possible types by release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Types {
    /// In the order of [`RELEASES`]. `None`: anything. Empty: the release cannot occur here.
    by_release: [Option<Vec<&'static str>>; RELEASES.len()],
    /// Whether it is a resource, of whatever type.
    is_any_resource: bool,
}

/// What following an element gives.
pub(super) struct Step {
    /// The types it leads to.
    pub(super) types: Types,
    /// What has no such element in any release, if all that is possible lacks it.
    pub(super) missing_on: Option<Missing>,
    /// The element and the type, where the step is written as in JSON: `valueQuantity`.
    pub(super) json_name: Option<(&'static str, &'static str)>,
}

/// What has no such element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// This type.
    On(&'static str),
    /// All resource types.
    Everywhere,
}

impl Types {
    fn of(by_release: [Option<Vec<&'static str>>; RELEASES.len()]) -> Self {
        Self { by_release, is_any_resource: false }
    }

    /// Anything.
    pub(super) fn unknown() -> Self {
        Self::of([const { None }; RELEASES.len()])
    }

    /// A resource of any type.
    pub(super) fn any_resource() -> Self {
        Self { is_any_resource: true, ..Self::unknown() }
    }

    /// Whether it is a resource, of whatever type.
    pub(super) fn is_any_resource(&self) -> bool {
        self.is_any_resource
    }

    /// One type, the same in every release.
    pub(super) fn one(name: &'static str) -> Self {
        Self::of(std::array::from_fn(|_| Some(vec![name])))
    }

    /// The resource types that a criterion is used with; any if there are none, or one stands for several.
    pub(super) fn of_resources(names: &[&str]) -> Self {
        let stands_for_several = |name: &&str| matches!(*name, "Resource" | "DomainResource");
        if names.is_empty() || names.iter().any(stands_for_several) {
            return Self::any_resource();
        }
        Self::of(RELEASES.map(|release| {
            let found = names.iter().filter_map(|name| model(release).find(name));
            Some(found.filter(|(_, kind)| *kind == Kind::Resource).map(|(name, _)| name).collect())
        }))
    }

    /// The type of this name, in the releases that have it.
    pub(super) fn named(name: &str) -> Self {
        let bare = bare(name);
        match bare {
            "Boolean" => return Self::one(BOOLEAN),
            "Resource" | "DomainResource" => return Self::any_resource(),
            _ => {}
        }
        Self::of(RELEASES.map(|release| match model(release).find(bare) {
            Some((_, Kind::Abstract)) => None,
            Some((name, _)) if !matches!(name, "Element" | "Base" | "DataType" | "PrimitiveType") => Some(vec![name]),
            _ => None,
        }))
    }

    /// Either of both.
    pub(super) fn or(self, other: Self) -> Self {
        let is_any_resource = self.is_any_resource && other.is_any_resource;
        let mut others = other.by_release.into_iter();
        let by_release = self.by_release.map(|left| {
            let mut both = left?;
            for name in others.next().flatten()? {
                if !both.contains(&name) {
                    both.push(name);
                }
            }
            Some(both)
        });
        Self { by_release, is_any_resource }
    }

    /// All possible types of all releases; nothing where one of them is unknown.
    pub(super) fn names(&self) -> Option<Vec<&'static str>> {
        let mut all = Vec::new();
        for names in &self.by_release {
            for name in names.as_ref()? {
                if !all.contains(name) {
                    all.push(*name);
                }
            }
        }
        (!all.is_empty()).then_some(all)
    }

    /// Whether no value of these types is a boolean.
    pub(super) fn never_boolean(&self) -> bool {
        self.is_any_resource || self.names().is_some_and(|names| !names.contains(&BOOLEAN))
    }

    /// Whether this type is among those that are known.
    pub(super) fn includes(&self, name: &str) -> bool {
        self.by_release.iter().flatten().any(|types| types.contains(&name))
    }

    /// One of the types, for messages.
    pub(super) fn first(&self) -> Option<&'static str> {
        self.by_release.iter().flatten().flatten().next().copied().or(self.is_any_resource.then_some("Resource"))
    }

    /// Whether this type is possible in some release.
    pub(super) fn may_be(&self, name: &str) -> bool {
        self.by_release.iter().any(|types| types.as_ref().is_none_or(|types| types.contains(&name)))
    }

    /// Whether a value of these types may also be of this type, which may be derived from them or they from it. True
    /// where that is not known.
    pub(super) fn may_become(&self, target: &str) -> bool {
        RELEASES.into_iter().zip(&self.by_release).any(|(release, types)| {
            let related =
                |name: &&str| model(release).is_derived(name, target) || model(release).is_derived(target, name);
            types.as_ref().is_none_or(|types| types.iter().any(related))
        })
    }

    /// Follows an element.
    pub(super) fn step(&self, name: &str) -> Step {
        let mut lacking = None;
        let mut found = false;
        let mut unknown = false;
        let mut json_name = None;
        let mut is_resource = false;
        let mut reached = [const { None }; RELEASES.len()];
        for ((release, types), reached) in RELEASES.into_iter().zip(&self.by_release).zip(&mut reached) {
            let Some(types) = types else {
                unknown = true;
                continue;
            };
            let mut next = types.is_empty().then(Vec::new);
            let mut all_known = true;
            for type_name in types {
                let Some((element, chosen)) = model(release).step(type_name, name) else {
                    lacking.get_or_insert(*type_name);
                    continue;
                };
                found = true;
                json_name = json_name.or(chosen.map(|chosen| (element.name, chosen)));
                for choice in chosen.map_or_else(|| element.types().collect(), |name| vec![name]) {
                    match model(release).find(choice) {
                        Some(("Resource" | "DomainResource", _)) => {
                            is_resource = true;
                            all_known = false;
                        }
                        Some((_, Kind::Abstract)) | None => all_known = false,
                        Some((name, _)) => next.get_or_insert_default().push(name),
                    }
                }
            }
            // Of several types, those without the element add nothing.
            *reached = next.filter(|_| all_known);
        }
        let mut missing_on = lacking.filter(|_| !found && !unknown).map(Missing::On);
        if self.is_any_resource {
            let step = any_resource_step(name);
            missing_on = step.is_none().then_some(Missing::Everywhere);
            json_name = step.flatten();
        }
        let is_resource = is_resource || (self.is_any_resource && name == "contained");
        let is_unknown = reached.iter().all(Option::is_none);
        let types = if is_resource && is_unknown { Self::any_resource() } else { Self::of(reached) };
        Step { types, missing_on, json_name }
    }

    /// The names of the elements that the possible types have, choices without their types.
    pub(super) fn element_names(&self) -> Vec<&'static str> {
        if self.is_any_resource {
            return RESOURCE_ELEMENTS.clone();
        }
        let per_release = RELEASES.into_iter().zip(&self.by_release);
        let types = per_release.flat_map(|(release, types)| types.iter().flatten().map(move |name| (release, *name)));
        types.flat_map(|(release, name)| model(release).elements(name).map(|element| element.name)).collect()
    }

    /// The choice and its type that this name of JSON was probably meant to be.
    pub(super) fn choice_like(&self, name: &str) -> Option<(&'static str, &'static str)> {
        let per_release = RELEASES.into_iter().zip(&self.by_release);
        let types = per_release.flat_map(|(release, types)| types.iter().flatten().map(move |name| (release, *name)));
        let choices = types.flat_map(|(release, owner)| model(release).elements(owner)).filter(|found| found.is_choice);
        let mut choices = choices;
        choices.find_map(|element| {
            let suffix = name.strip_prefix(element.name)?;
            let types: Vec<&'static str> = element.types().collect();
            let like = suffix.starts_with(char::is_uppercase).then(|| nearest_suffix(suffix, &types))??;
            Some((element.name, like))
        })
    }
}

/// The type whose name is nearest to the end of a choice's name in JSON.
fn nearest_suffix(suffix: &str, types: &[&'static str]) -> Option<&'static str> {
    let scored = types.iter().map(|name| (similarity(suffix, name), *name));
    let best = scored.max_by(|left, right| left.0.total_cmp(&right.0))?;
    (best.0 >= 0.6).then_some(best.1)
}

fn similarity(left: &str, right: &str) -> f64 {
    strsim::normalized_damerau_levenshtein(&left.to_lowercase(), &right.to_lowercase())
}

/// The names of the elements of all resource types, each once.
static RESOURCE_ELEMENTS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let of_release = |release| {
        let model = model(release);
        model.names(Kind::Resource).flat_map(move |name| model.elements(name).map(|element| element.name))
    };
    let mut names: Vec<&str> = RELEASES.into_iter().flat_map(of_release).collect();
    names.sort_unstable();
    names.dedup();
    names
});

/// The element that some resource type has, with its type where the name is one of JSON.
fn any_resource_step(name: &str) -> Option<Option<(&'static str, &'static str)>> {
    if RESOURCE_ELEMENTS.binary_search(&name).is_ok() {
        return Some(None);
    }
    let mut steps = RELEASES.into_iter().flat_map(|release| {
        let model = model(release);
        model.names(Kind::Resource).filter_map(move |type_name| model.step(type_name, name))
    });
    steps.next().map(|(element, chosen)| chosen.map(|chosen| (element.name, chosen)))
}

/// A type's name without its namespace.
pub(super) fn bare(name: &str) -> &str {
    name.strip_prefix("FHIR.").or(name.strip_prefix("System.")).unwrap_or(name)
}

/// The types of FHIRPath itself.
const SYSTEM: [&str; 9] = ["Boolean", "String", "Integer", "Long", "Decimal", "Date", "DateTime", "Time", "Quantity"];

/// Whether any release has a type of this name, or FHIRPath itself.
pub(super) fn is_type(name: &str) -> bool {
    let in_model = |name: &str| RELEASES.into_iter().any(|release| model(release).find(name).is_some());
    match name.split_once('.') {
        Some(("System", name)) => SYSTEM.contains(&name) || in_model(name),
        Some(("FHIR", name)) => in_model(name),
        Some(_) => false,
        None => SYSTEM.contains(&name) || in_model(name),
    }
}

/// The names of all types, for hints.
pub(super) fn type_names() -> Vec<&'static str> {
    let kinds = [Kind::Primitive, Kind::Complex, Kind::Resource];
    RELEASES
        .into_iter()
        .flat_map(|release| kinds.into_iter().flat_map(move |kind| model(release).names(kind)))
        .collect()
}

/// Whether this names a type of FHIR as one of FHIRPath's own, which nothing is.
pub(super) fn is_misplaced(name: &str) -> bool {
    name.strip_prefix("System.").is_some_and(|name| !SYSTEM.contains(&name))
}

/// FHIR's name for a type of FHIRPath's own that FHIR writes differently: `string` for `String`.
pub(super) fn fhir_name(name: &str) -> Option<&'static str> {
    Some(match name.strip_prefix("System.").unwrap_or(name) {
        "Boolean" => "boolean",
        "String" => "string",
        "Integer" => "integer",
        "Decimal" => "decimal",
        "Date" => "date",
        "DateTime" => "dateTime",
        "Time" => "time",
        _ => return None,
    })
}
