//! `is`, `as` and `ofType`: which types they accept, and which they leave.
//!
//! `is` accepts derived types. `as` and `ofType` take a primitive for its own type only (the official suites:
//! `Patient.gender.as(string)` is empty); whether they take a complex type for its base is not settled, so that such a
//! criterion is not compiled.

use octofhir_fhirpath::core::SourceLocation;

use super::super::program::{Content, Expr, Test, TypeId, TypePart, TypeTest};
use super::path::narrow;
use super::shape::{IDENTIFIER, Origin, Shape};
use super::{Compiled, Compiler, Typed, system_type, test};

/// How a type of the input stands to the type that is asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Relation {
    Same,
    Derived,
    Other,
    /// Only the data tells.
    Dynamic,
}

/// The type that is asked for.
struct Asked<'n> {
    system: Option<TypeId>,
    fhir: Option<&'n str>,
}

impl Compiler<'_> {
    /// `is`, on at most one item.
    pub(super) fn is(&mut self, input: Typed, name: &str, location: Option<&SourceLocation>) -> Compiled {
        // No item is of a FHIRPath type that does not exist (the official suites: `Patient.is(System.Patient)` is false).
        let is_none = name.strip_prefix("System.").is_some_and(|name| system_type::named(name).is_none());
        let asked = if is_none { Asked { system: None, fhir: None } } else { self.asked(name, location)? };
        let mut accepts = Vec::new();
        let mut resource = None;
        for origin in &input.shape.0 {
            match self.relation(origin.of, &asked, location)? {
                Relation::Same | Relation::Derived => accepts.push(origin.of),
                Relation::Other => {}
                Relation::Dynamic => resource = self.dynamic(*origin, &asked, location)?,
            }
        }
        Ok(test(Test::Is { input: input.expr, test: TypeTest { accepts, resource } }))
    }

    /// `as` (on at most one item) and `ofType`.
    pub(super) fn cast(
        &mut self,
        input: Typed,
        name: &str,
        single: bool,
        location: Option<&SourceLocation>,
    ) -> Compiled {
        let asked = self.asked(name, location)?;
        let mut accepts = Vec::new();
        let mut resource = None;
        let mut shape = Shape::default();
        for origin in &input.shape.0 {
            let is_element = !origin.of.is_system();
            if is_element
                && asked.system.is_some()
                && asked.system == self.types.system_type(origin.of)
                && asked.fhir.is_none()
            {
                return self.unsupported(location, "whether an element is taken for its value is not settled");
            }
            match self.relation(origin.of, &asked, location)? {
                Relation::Same => {
                    accepts.push(origin.of);
                    shape.add(*origin);
                }
                Relation::Derived if matches!(self.types.content(origin.of), Content::Primitive(_)) => {}
                Relation::Derived => {
                    return self.unsupported(location, "whether it takes derived types is not settled");
                }
                Relation::Other => {}
                Relation::Dynamic => {
                    resource = self.dynamic(*origin, &asked, location)?;
                    if let Some((_, of)) = resource {
                        shape.add(Origin { of, place: origin.place });
                    }
                }
            }
        }
        let mut expr = input.expr;
        // As at most one element has a choice's value, leaving the others out changes no count.
        if resource.is_none() && !single {
            narrow(&mut expr, |of| accepts.contains(&of));
        }
        let (input, test) = (Box::new(expr), TypeTest { accepts, resource });
        Ok(Typed { expr: if single { Expr::As { input, test } } else { Expr::OfType { input, test } }, shape })
    }

    /// `type().name` and `type().namespace`.
    pub(super) fn type_part(&mut self, input: Typed, part: &str, location: Option<&SourceLocation>) -> Compiled {
        let part = match part {
            "name" => TypePart::Name,
            "namespace" => TypePart::Namespace,
            _ => return self.unsupported(location, "there is no such element"),
        };
        let is_plain = |of| {
            let entry = self.types.entry(of);
            entry.content != Content::AnyResource && !entry.name.contains('.')
        };
        if !input.shape.all(is_plain) {
            return self.unsupported(location, "the name of the type is not settled");
        }
        let expr = Expr::TypeOf { input: Box::new(input.expr), part };
        Ok(Typed { expr, shape: Shape::system(TypeId::STRING) })
    }

    fn asked<'n>(&self, name: &'n str, location: Option<&SourceLocation>) -> Compiled<Asked<'n>> {
        let (namespace, bare) = match name.split_once('.') {
            Some((namespace, bare)) => (Some(namespace), bare),
            None => (None, name),
        };
        let system = system_type::named(bare).filter(|_| namespace != Some("FHIR"));
        let fhir = self.types.model.find(bare).map(|_| bare).filter(|_| namespace != Some("System"));
        let is_known = matches!(namespace, None | Some("FHIR" | "System")) && (system.is_some() || fhir.is_some());
        if !is_known {
            return self.unsupported(location, "the type is not known here");
        }
        Ok(Asked { system, fhir })
    }

    fn relation(&self, of: TypeId, asked: &Asked<'_>, location: Option<&SourceLocation>) -> Compiled<Relation> {
        let entry = self.types.entry(of);
        let relation = match (entry.content, asked.fhir) {
            (Content::System, fhir) => {
                if asked.system == Some(of) {
                    Relation::Same
                } else if fhir.is_some_and(|fhir| entry.name.eq_ignore_ascii_case(fhir)) {
                    return self.unsupported(location, "whether FHIRPath's own value has FHIR's type is not settled");
                } else {
                    Relation::Other
                }
            }
            (Content::Primitive(_), _) if entry.name == IDENTIFIER => {
                return self
                    .unsupported(location, "whether identifiers are FHIRPath's or FHIR's values is not settled");
            }
            (_, None) => Relation::Other,
            (Content::AnyResource, Some("Resource")) => Relation::Same,
            (Content::AnyResource, Some(_)) => Relation::Dynamic,
            (_, Some(name)) if entry.name == name => Relation::Same,
            (_, Some(name)) if self.types.model.is_derived(entry.name, name) => Relation::Derived,
            _ => Relation::Other,
        };
        Ok(relation)
    }

    /// A resource of any type may be one of this.
    fn dynamic(
        &mut self,
        origin: Origin,
        asked: &Asked<'_>,
        location: Option<&SourceLocation>,
    ) -> Compiled<Option<(&'static str, TypeId)>> {
        use crate::domain::fhirpath::model::Kind;
        let found = asked.fhir.and_then(|name| self.types.model.find(name));
        let Some((name, Kind::Resource)) = found else {
            return match found {
                Some((_, Kind::Abstract)) | None => self.unsupported(location, "only the data tells the type"),
                Some(_) => Ok(None),
            };
        };
        let Some(of) = self.types.fhir(name) else {
            return self.unsupported(location, "the type is not known here");
        };
        if let Some(place) = origin.place {
            let resource_type = self.names.intern("resourceType");
            self.reads.of(place.side).member(place.branch, resource_type);
        }
        Ok(Some((name, of)))
    }
}
