//! The types that an expression can have, as far as the model tells, in every FHIR release at once.
//!
//! Used to find mistakes when a criterion is compiled, so it only claims what holds for sure: anything doubtful is
//! unknown.

use super::catalog::BOOLEAN;
use super::model::{Kind, RELEASES, model};

/// The possible types by release, in the order of [`RELEASES`]. `None`: anything. Empty: the release cannot occur here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Types([Option<Vec<&'static str>>; RELEASES.len()]);

/// What following an element gives.
pub(super) struct Step {
    /// The types it leads to.
    pub(super) types: Types,
    /// The types that have no such element in any release, if all that are possible lack it.
    pub(super) missing_on: Option<&'static str>,
}

impl Types {
    /// Anything.
    pub(super) fn unknown() -> Self {
        Self([const { None }; RELEASES.len()])
    }

    /// One type, the same in every release.
    pub(super) fn one(name: &'static str) -> Self {
        Self(std::array::from_fn(|_| Some(vec![name])))
    }

    /// The resource types that a criterion is used with; anything if there are none, or one stands for several.
    pub(super) fn of_resources(names: &[&str]) -> Self {
        if names.is_empty() {
            return Self::unknown();
        }
        Self(RELEASES.map(|release| {
            let mut found = Vec::new();
            for name in names {
                match model(release).find(name) {
                    Some((name, Kind::Resource)) => found.push(name),
                    Some(_) => return None,
                    None => {}
                }
            }
            Some(found)
        }))
    }

    /// The type of this name, in the releases that have it.
    pub(super) fn named(name: &str) -> Self {
        let bare = name.strip_prefix("FHIR.").or(name.strip_prefix("System.")).unwrap_or(name);
        if bare == "Boolean" {
            return Self::one(BOOLEAN);
        }
        Self(RELEASES.map(|release| match model(release).find(bare) {
            Some((_, Kind::Abstract)) => None,
            Some((name, _)) if !matches!(name, "Element" | "Base" | "DataType" | "PrimitiveType") => Some(vec![name]),
            _ => None,
        }))
    }

    /// Either of both.
    pub(super) fn or(self, other: Self) -> Self {
        let mut others = other.0.into_iter();
        Self(self.0.map(|left| {
            let mut both = left?;
            both.extend(others.next().flatten()?);
            both.dedup();
            Some(both)
        }))
    }

    /// Whether no value of these types is a boolean.
    pub(super) fn never_boolean(&self) -> bool {
        let known = self.0.iter().all(|types| types.as_ref().is_some_and(|types| !types.contains(&BOOLEAN)));
        known && self.first().is_some()
    }

    /// Whether this type is among those that are known.
    pub(super) fn includes(&self, name: &str) -> bool {
        self.0.iter().flatten().any(|types| types.contains(&name))
    }

    /// One of the types, for messages.
    pub(super) fn first(&self) -> Option<&'static str> {
        self.0.iter().flatten().flatten().next().copied()
    }

    /// Whether this type is possible in some release.
    pub(super) fn may_be(&self, name: &str) -> bool {
        self.0.iter().any(|types| types.as_ref().is_none_or(|types| types.contains(&name)))
    }

    /// Follows an element.
    pub(super) fn step(&self, name: &str) -> Step {
        let mut lacking = None;
        let mut found = false;
        let mut unknown = false;
        let mut reached = [const { None }; RELEASES.len()];
        for ((release, types), reached) in RELEASES.into_iter().zip(&self.0).zip(&mut reached) {
            let Some(types) = types else {
                unknown = true;
                continue;
            };
            let mut next = Some(Vec::new());
            for type_name in types {
                if let Some((element, chosen)) = model(release).step(type_name, name) {
                    found = true;
                    let choices = chosen.map_or_else(|| element.types().collect(), |name| vec![name]);
                    for choice in choices {
                        match model(release).find(choice) {
                            Some((_, Kind::Abstract)) | None => next = None,
                            Some((name, _)) => next.iter_mut().for_each(|next: &mut Vec<_>| next.push(name)),
                        }
                    }
                } else {
                    lacking.get_or_insert(*type_name);
                    next = None;
                }
            }
            *reached = next;
        }
        let missing_on = lacking.filter(|_| !found && !unknown);
        Step { types: Self(reached), missing_on }
    }

    /// The names of the elements that the possible types have.
    pub(super) fn element_names(&self) -> Vec<&'static str> {
        let per_release = RELEASES.into_iter().zip(&self.0);
        let types = per_release.flat_map(|(release, types)| types.iter().flatten().map(move |name| (release, *name)));
        types.flat_map(|(release, name)| model(release).elements(name).map(|element| element.name)).collect()
    }
}

/// Whether any release has a type of this name, or FHIRPath itself.
pub(super) fn is_type(name: &str) -> bool {
    const SYSTEM: [&str; 9] =
        ["Boolean", "String", "Integer", "Long", "Decimal", "Date", "DateTime", "Time", "Quantity"];
    let in_model = |name: &str| RELEASES.into_iter().any(|release| model(release).find(name).is_some());
    match name.split_once('.') {
        Some(("System", name)) => SYSTEM.contains(&name),
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
