//! Literals, and the variables that stand for one.

use octofhir_fhirpath::ast::{LiteralNode, LiteralValue};

use super::super::constant::Constant;
use super::super::program::{Expr, TypeId};
use super::super::value::literal;
use super::shape::Shape;
use super::{Compiled, Compiler, Typed, system_type};

impl Compiler<'_> {
    pub(super) fn literal(&self, node: &LiteralNode) -> Compiled {
        let location = node.location.as_ref();
        // The engine's parser makes a string of a number that it cannot read.
        let is_quoted = self.text_at(location).is_some_and(|text| text.starts_with(['\'', '"']));
        if matches!(node.value, LiteralValue::Long(_)) || (matches!(node.value, LiteralValue::String(_)) && !is_quoted)
        {
            return self.unsupported(location, "the number is no Integer or Decimal");
        }
        match literal(&node.value).and_then(Constant::of) {
            Some(constant) => {
                let of = system_type::of_value(constant.value());
                Ok(Typed { expr: Expr::Constant(constant), shape: Shape::system(of) })
            }
            None => self.unsupported(location, "the literal is not exact, or no value"),
        }
    }

    pub(super) fn text_constant(text: &str) -> Typed {
        Typed { expr: Expr::Constant(Constant::Text(text.into())), shape: Shape::system(TypeId::STRING) }
    }
}

/// What `%sct`, `%loinc`, `%ucum`, `%vs-name` and `%ext-name` stand for.
pub(super) fn constant_variable(name: &str) -> Option<String> {
    Some(match name {
        "sct" => "http://snomed.info/sct".to_owned(),
        "loinc" => "http://loinc.org".to_owned(),
        "ucum" => "http://unitsofmeasure.org".to_owned(),
        _ => match (name.strip_prefix("vs-"), name.strip_prefix("ext-")) {
            (Some(id), _) => format!("http://hl7.org/fhir/ValueSet/{id}"),
            (_, Some(id)) => format!("http://hl7.org/fhir/StructureDefinition/{id}"),
            _ => return None,
        },
    })
}
