//! What a program gives, in a form that the official suites can compare.

use super::items::{Item, Node};
use super::{Evaluation, Halt, Scope, Scratch, View};
use crate::domain::fhirpath::EvaluationError;
use crate::domain::fhirpath::budget::Budget;
use crate::domain::fhirpath::compiled::program::{Program, Root};
use crate::domain::fhirpath::compiled::value::{Value, convert};

/// An item of a result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super::super) struct Shown {
    /// `Boolean`, `String` ... of FHIRPath, or the FHIR type of an element.
    pub(in super::super::super) type_name: &'static str,
    /// FHIRPath's own type of its value, if it is one.
    pub(in super::super::super) system_type: Option<&'static str>,
    /// The value as toString() gives it; the JSON text of an element that is no value.
    pub(in super::super::super) text: Option<String>,
}

impl Program {
    /// All items that the program gives.
    pub(in super::super::super) fn values(
        &self,
        view: &View<'_>,
        scratch: &mut Scratch,
        budget: &mut Budget,
    ) -> Result<Vec<Shown>, EvaluationError> {
        self.run(view, scratch, budget, |evaluation, scope| evaluation.shown(scope))
    }
}

impl<'e> Evaluation<'e> {
    fn shown(&self, scope: &Scope<'e>) -> Result<Vec<Shown>, Halt> {
        let mut all = Vec::new();
        match &self.program.root {
            Root::Test(test) => {
                if let Some(value) = self.test(test, scope)? {
                    all.push(self.show(Item::Value(Value::Boolean(value)))?);
                }
            }
            Root::Collection(expr) => self.each(expr, scope, &mut |item| {
                all.push(self.show(item)?);
                Ok(())
            })?,
        }
        Ok(all)
    }

    fn show(&self, item: Item<'e>) -> Result<Shown, Halt> {
        let name = |of: crate::domain::fhirpath::compiled::program::TypeId| self.program.types[usize::from(of.0)].name;
        let system_type = self.system_type(item).map(name);
        let value = if system_type.is_some() { self.value_of(item)? } else { None };
        let text = match (value, item) {
            (Some(value), _) => convert::to_string(value, self.arena).map(str::to_owned),
            (None, Item::Node(Node { side, value: Some(at), .. })) => {
                self.tree(side).map(|tree| tree.text(at).to_owned())
            }
            (None, _) => None,
        };
        Ok(Shown { type_name: name(self.type_of(item)), system_type, text })
    }
}
