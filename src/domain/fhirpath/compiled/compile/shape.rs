//! What is known of a collection before any event: the types that its items can have, and where they stand in the
//! resource.

use std::collections::HashMap;

use super::super::program::{Content, TypeEntry, TypeId};
use super::super::projection::Branch;
use super::super::value::Primitive;
use super::system_type;
use crate::domain::fhirpath::model::{Kind, Model};

/// Which tree an item stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Side {
    /// The focus: the current version, or a delete's last known state.
    Focus,
    Previous,
}

/// Where items stand: what is read of them is told to the projection here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) side: Side,
    pub(super) branch: Branch,
    /// The branch of `_name`, of a primitive.
    pub(super) companion: Option<Branch>,
}

/// A possible type of an item, and its place if it is an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) of: TypeId,
    pub(super) place: Option<Place>,
}

/// The possible items of a collection; none of them: it is always empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Shape(pub(super) Vec<Origin>);

impl Shape {
    /// Values of one of FHIRPath's own types.
    pub(super) fn system(of: TypeId) -> Self {
        Self(vec![Origin { of, place: None }])
    }

    /// Adds a possible item.
    pub(super) fn add(&mut self, origin: Origin) {
        if !self.0.contains(&origin) {
            self.0.push(origin);
        }
    }

    /// Either of both.
    pub(super) fn or(mut self, other: &Self) -> Self {
        other.0.iter().for_each(|origin| self.add(*origin));
        self
    }

    /// Whether every item is of a type with this property.
    pub(super) fn all(&self, mut has: impl FnMut(TypeId) -> bool) -> bool {
        self.0.iter().all(|origin| has(origin.of))
    }

    /// Whether some item may be of a type with this property.
    pub(super) fn any(&self, mut has: impl FnMut(TypeId) -> bool) -> bool {
        self.0.iter().any(|origin| has(origin.of))
    }
}

/// The name of the type of [`TypeTable::element_type`]'s identifiers; no type of FHIR has it.
pub(super) const IDENTIFIER: &str = "System.String";

/// The types that a program meets.
pub(super) struct TypeTable {
    pub(super) model: &'static Model,
    pub(super) entries: Vec<TypeEntry>,
    by_name: HashMap<&'static str, TypeId>,
}

impl TypeTable {
    pub(super) fn new(model: &'static Model) -> Self {
        // In the order of the constants of `TypeId`.
        let system = ["Boolean", "Integer", "Decimal", "String", "Date", "DateTime", "Time", "Quantity"];
        let entries = system.map(|name| TypeEntry { name, content: Content::System }).into();
        Self { model, entries, by_name: HashMap::new() }
    }

    pub(super) fn entry(&self, of: TypeId) -> &TypeEntry {
        &self.entries[usize::from(of.0)]
    }

    pub(super) fn content(&self, of: TypeId) -> Content {
        self.entry(of).content
    }

    /// The FHIR type of this name, unless items of it could be anything.
    pub(super) fn fhir(&mut self, name: &str) -> Option<TypeId> {
        let (name, kind) = self.model.find(name)?;
        if let Some(known) = self.by_name.get(name) {
            return Some(*known);
        }
        let content = match kind {
            Kind::Primitive => Content::Primitive(Primitive::of(name)?),
            Kind::Abstract if name == "Resource" => Content::AnyResource,
            Kind::Abstract => return None,
            Kind::Complex if matches!(name, "Element" | "BackboneElement" | "Base" | "DataType" | "BackboneType") => {
                return None;
            }
            Kind::Complex if self.model.is_derived(name, "Quantity") => Content::Quantity,
            Kind::Complex | Kind::Backbone | Kind::Resource => Content::Complex,
        };
        self.add(name, content)
    }

    /// The type of an element of a type. Identifiers of elements and resources, and the URL of an extension, are
    /// FHIRPath strings in the definitions, which the tables do not tell.
    pub(super) fn element_type(&mut self, owner: TypeId, name: &str, type_name: &str) -> Option<TypeId> {
        let is_system = name == "id" || (name == "url" && self.entry(owner).name == "Extension");
        if !is_system {
            return self.fhir(type_name);
        }
        if let Some(known) = self.by_name.get(IDENTIFIER) {
            return Some(*known);
        }
        self.add(IDENTIFIER, Content::Primitive(Primitive::String))
    }

    fn add(&mut self, name: &'static str, content: Content) -> Option<TypeId> {
        let id = TypeId(u16::try_from(self.entries.len()).ok()?);
        self.entries.push(TypeEntry { name, content });
        self.by_name.insert(name, id);
        Some(id)
    }

    /// Whether items of this type are values: comparable, with arithmetic.
    pub(super) fn is_value(&self, of: TypeId) -> bool {
        matches!(self.content(of), Content::System | Content::Primitive(_) | Content::Quantity)
    }

    /// The type of FHIRPath's own that the values of a type have.
    pub(super) fn system_type(&self, of: TypeId) -> Option<TypeId> {
        match self.content(of) {
            Content::System => Some(of),
            Content::Primitive(primitive) => Some(system_type::of_primitive(primitive)),
            Content::Quantity => Some(TypeId::QUANTITY),
            Content::Complex | Content::AnyResource => None,
        }
    }
}
