//! The tables as the FHIRPath engine asks for them.

use async_trait::async_trait;
use octofhir_fhir_model::error::{ModelError, Result};
use octofhir_fhir_model::provider::{ChoiceTypeInfo, ElementInfo, FhirVersion, ModelProvider, TypeInfo};

use super::super::budget;
use super::{Kind, Model};
use crate::domain::event::FhirRelease;

/// FHIRPath's own types, for names with the namespace `System`.
const SYSTEM_TYPES: [&str; 9] =
    ["Boolean", "String", "Integer", "Long", "Decimal", "Date", "DateTime", "Time", "Quantity"];

/// Gives the engine real element types. Answers never wait, and fail only where a budget is used up.
///
/// The engine itself gets one that makes every step of a path pay. The contexts of events get one that is free: their
/// answers are kept for the events that follow, and what an evaluation may do must not depend on what came before.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Provider {
    model: &'static Model,
    pays: bool,
}

impl Provider {
    /// The types of this release.
    pub(in super::super) fn new(model: &'static Model, pays: bool) -> Self {
        Self { model, pays }
    }

    fn element(&self, parent: &str, name: &str) -> Option<TypeInfo> {
        let (element, chosen) = self.model.step(bare(parent), name)?;
        let type_name = chosen.or_else(|| element.types().next())?;
        Some(fhir_type(type_name, !element.is_list))
    }
}

/// The type information of a FHIR type.
pub(in super::super) fn fhir_type(name: &str, singleton: bool) -> TypeInfo {
    TypeInfo {
        type_name: name.to_owned(),
        singleton: Some(singleton),
        is_empty: Some(false),
        namespace: Some("FHIR".to_owned()),
        name: Some(name.to_owned()),
    }
}

/// A type name without its namespace `FHIR`.
fn bare(name: &str) -> &str {
    name.strip_prefix("FHIR.").unwrap_or(name)
}

fn type_name(info: &TypeInfo) -> &str {
    info.name.as_deref().unwrap_or(&info.type_name)
}

#[async_trait]
impl ModelProvider for Provider {
    async fn get_type(&self, name: &str) -> Result<Option<TypeInfo>> {
        if let Some(system) = name.strip_prefix("System.") {
            let known = SYSTEM_TYPES.contains(&system);
            return Ok(known.then(|| TypeInfo::system_type(system.to_owned(), true)));
        }
        let name = bare(name);
        if let Some((name, _)) = self.model.find(name) {
            return Ok(Some(fhir_type(name, true)));
        }
        // The engine asks for `PositiveInt` when it reads `valuePositiveInt`.
        let mut decapitalized = name.to_owned();
        if let Some(first) = decapitalized.get_mut(..1) {
            first.make_ascii_lowercase();
        }
        match self.model.find(&decapitalized) {
            Some((primitive, Kind::Primitive)) => Ok(Some(fhir_type(primitive, true))),
            _ => Ok(None),
        }
    }

    async fn get_element_type(&self, parent: &TypeInfo, name: &str) -> Result<Option<TypeInfo>> {
        if self.pays {
            budget::spend_step(name).map_err(|_| ModelError::generic("the budget is used up"))?;
        }
        Ok(self.element(type_name(parent), name))
    }

    fn of_type(&self, info: &TypeInfo, target: &str) -> Option<TypeInfo> {
        self.is_type_derived_from(type_name(info), target).then(|| info.clone())
    }

    fn get_element_names(&self, parent: &TypeInfo) -> Vec<String> {
        self.model.elements(bare(type_name(parent))).map(|element| element.name.to_owned()).collect()
    }

    async fn get_children_type(&self, parent: &TypeInfo) -> Result<Option<TypeInfo>> {
        Ok((parent.singleton == Some(false)).then(|| TypeInfo { singleton: Some(true), ..parent.clone() }))
    }

    async fn get_elements(&self, name: &str) -> Result<Vec<ElementInfo>> {
        let elements = self.model.elements(bare(name));
        Ok(elements
            .map(|element| ElementInfo {
                name: element.name.to_owned(),
                element_type: element.types().collect::<Vec<_>>().join("|"),
                documentation: None,
            })
            .collect())
    }

    async fn get_resource_types(&self) -> Result<Vec<String>> {
        Ok(self.names(&[Kind::Resource, Kind::Abstract]))
    }

    async fn get_complex_types(&self) -> Result<Vec<String>> {
        Ok(self.names(&[Kind::Complex]))
    }

    async fn get_primitive_types(&self) -> Result<Vec<String>> {
        Ok(self.names(&[Kind::Primitive]))
    }

    async fn resource_type_exists(&self, name: &str) -> Result<bool> {
        Ok(matches!(self.model.find(name), Some((_, Kind::Resource))))
    }

    async fn get_fhir_version(&self) -> Result<FhirVersion> {
        Ok(match self.model.release() {
            FhirRelease::R4 => FhirVersion::R4,
            FhirRelease::R4B => FhirVersion::R4B,
            FhirRelease::R5 => FhirVersion::R5,
        })
    }

    fn is_type_derived_from(&self, derived: &str, base: &str) -> bool {
        derived == base || self.model.is_derived(bare(derived), bare(base))
    }

    async fn get_choice_types(&self, parent: &str, name: &str) -> Result<Option<Vec<ChoiceTypeInfo>>> {
        let choice = self.model.elements(bare(parent)).find(|element| element.is_choice && element.name == name);
        Ok(choice.map(|element| {
            let types = element.types();
            types.map(|name| ChoiceTypeInfo { suffix: capitalized(name), type_name: name.to_owned() }).collect()
        }))
    }
}

impl Provider {
    fn names(&self, kinds: &[Kind]) -> Vec<String> {
        let mut names: Vec<String> = kinds.iter().flat_map(|kind| self.model.names(*kind)).map(str::to_owned).collect();
        names.sort_unstable();
        names
    }
}

fn capitalized(name: &str) -> String {
    let mut text = name.to_owned();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}
