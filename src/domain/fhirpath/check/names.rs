//! Names: elements that a type has, and types that a value can have.

use std::ops::Range;

use octofhir_fhirpath::ast::ExpressionNode;

use super::outcomes::{EMPTY, Outcomes};
use super::{Checker, Known, Place};
use crate::domain::fhirpath::tree::path_text;
use crate::domain::fhirpath::types::{self, Missing, Types};
use crate::domain::fhirpath::{Severity, catalog, engine, idioms, is_resource_type};

/// How many type names a hint lists.
const MAX_LISTED: usize = 12;

impl Checker<'_> {
    /// The first step of a path: the name of the resource type itself, or an element.
    pub(super) fn visit_start(&mut self, name: &str, span: Option<Range<usize>>, place: &Place) -> Known {
        if !is_resource_type(name) && !matches!(name, "Resource" | "DomainResource") {
            return self.visit_step(&place.known, name, span, true);
        }
        if place.known.types.may_be(name) || !is_resource_type(name) {
            return Known::new(Types::named(name), place.known.outcomes);
        }
        let other = place.known.types.first().unwrap_or_default();
        let message = format!("`{name}` is empty here: the criterion is evaluated on {other}");
        let hint = "begin the path with the element itself, or give this resource type a trigger of its own".to_owned();
        self.problem(Severity::Warning, span, message, Some(hint));
        Known::new(Types::named(name), Outcomes::all(EMPTY))
    }

    /// Follows an element; `is_start` where nothing stands before it.
    pub(super) fn visit_step(
        &mut self,
        object: &Known,
        name: &str,
        span: Option<Range<usize>>,
        is_start: bool,
    ) -> Known {
        let step = object.types.step(name);
        if let Some((element, chosen)) = step.json_name {
            let message = format!("`{name}` is the name in JSON: FHIRPath calls the element `{element}`");
            self.problem(Severity::Warning, span, message, Some(format!("write `{element}.ofType({chosen})`")));
        } else if let Some(missing) = step.missing_on
            && !self.has_enough()
        {
            self.report_missing(&object.types, missing, name, span, is_start);
        }
        let outcomes = object.outcomes.below(&step.types);
        Known::new(step.types, outcomes)
    }

    fn report_missing(
        &mut self,
        types: &Types,
        missing: Missing,
        name: &str,
        span: Option<Range<usize>>,
        is_start: bool,
    ) {
        if is_start && idioms::is_null(name) {
            let hint = "ask whether there is a value with `.exists()` or `.empty()`".to_owned();
            let message = format!("FHIRPath has no `{name}`: this is an element that is never there");
            return self.problem(Severity::Warning, span, message, Some(hint));
        }
        let message = match missing {
            Missing::On(type_name) if types.names().is_some_and(|names| names.len() > 1) => {
                format!("{type_name} and the other types here have no element `{name}`")
            }
            Missing::On(type_name) => format!("{type_name} has no element `{name}`"),
            Missing::Everywhere => format!("no resource type has an element `{name}`"),
        };
        let before = span.as_ref().and_then(|span| self.source.text().get(..span.start)).unwrap_or_default();
        let is_compared = before.trim_end().ends_with(['=', '~', '|']) || before.trim_end().ends_with("in (");
        let hint = missing_hint(types, name, is_start, is_start && is_compared);
        self.problem(Severity::Warning, span, message, hint);
    }

    /// Checks the type of `is`, `as` and `ofType`.
    pub(super) fn check_type(
        &mut self,
        expression: &ExpressionNode,
        input: &Known,
        name: &str,
        span: Option<Range<usize>>,
    ) {
        let path = path_text(expression);
        self.check_type_of(path.as_deref(), input, name, span);
    }

    /// As [`Checker::check_type`], for the path that is asked; `None` where it is none.
    pub(super) fn check_type_of(&mut self, path: Option<&str>, input: &Known, name: &str, span: Option<Range<usize>>) {
        if !types::is_type(name) {
            let near = || catalog::nearest(name, types::type_names()).map(|near| format!("did you mean `{near}`?"));
            let null = || "FHIRPath has no null: ask with `.empty()` or `.exists()`".to_owned();
            let hint = if idioms::is_null(name) { Some(null()) } else { near() };
            return self.error(span, format!("unknown type `{name}`"), hint);
        }
        if types::is_misplaced(name) {
            let message = format!("`{name}` is never the type of anything: FHIRPath itself has no such type");
            return self.problem(Severity::Warning, span, message, Some(format!("write `{}`", types::bare(name))));
        }
        let (Some(path), Some(possible)) = (path, input.types.names()) else { return };
        let bare = types::bare(name);
        if let Some(of_fhir) = types::fhir_name(name) {
            let message = format!("`{name}` is FHIRPath's own type, and `{path}` is never one of those");
            self.problem(Severity::Warning, span, message, Some(format!("write FHIR's `{of_fhir}`")));
        } else if !input.types.may_become(bare) {
            let listed: Vec<&str> = possible.iter().copied().take(MAX_LISTED).collect();
            let more = if possible.len() > MAX_LISTED { ", ..." } else { "" };
            let message = format!("`{path}` is never of type {bare}");
            self.problem(Severity::Warning, span, message, Some(format!("it can be {}{more}", listed.join(", "))));
        }
    }
}

/// What to write for an element that there is not; `is_compared` where something is compared with it.
fn missing_hint(types: &Types, name: &str, is_start: bool, is_compared: bool) -> Option<String> {
    let elements = types.element_names();
    if let Some(element) = name.strip_prefix('_').filter(|element| elements.contains(element)) {
        return Some(format!(
            "what JSON keeps in `{name}` is below the element: `{element}.extension`, `{element}.id`"
        ));
    }
    let variable = catalog::VARIABLES.iter().find(|variable| variable[1..] == *name);
    if let Some(variable) = variable.filter(|_| is_start) {
        return Some(format!("did you mean `{variable}`?"));
    }
    if name == "resourceType" {
        return Some("ask the type with `is`, as in `$this is Patient`; a trigger names its own in `resource`".into());
    }
    if engine::functions().get_metadata(name).is_some() && catalog::refusal(name).is_none() {
        return Some(format!("a function is written with brackets: `{name}()`"));
    }
    if let Some((element, type_name)) = types.choice_like(name) {
        return Some(format!("did you mean `{element}.ofType({type_name})`?"));
    }
    let possible = types.names().unwrap_or_default();
    let meant = possible.iter().find(|possible| name.to_lowercase().ends_with(&possible.to_lowercase()));
    if let Some(meant) = meant.filter(|_| possible.len() > 1) {
        return Some(format!("a type is asked for with `ofType({meant})`"));
    }
    if let Some(near) = catalog::nearest(name, elements.iter().copied()) {
        return Some(format!("did you mean `{near}`?"));
    }
    let listed = listed(types, elements);
    let is_word = name.chars().all(char::is_alphanumeric);
    let quoted = (is_compared && is_word).then(|| format!("if text is meant, write `'{name}'`"));
    match (quoted, listed) {
        (Some(quoted), Some(listed)) => Some(format!("{quoted}; {listed}")),
        (quoted, listed) => quoted.or(listed),
    }
}

/// The elements that there are.
fn listed(types: &Types, elements: Vec<&str>) -> Option<String> {
    let mut listed: Vec<&str> = Vec::new();
    for element in elements {
        if !listed.contains(&element) {
            listed.push(element);
        }
    }
    let more = if listed.len() > MAX_LISTED { ", ..." } else { "" };
    listed.truncate(MAX_LISTED);
    (!types.is_any_resource() && !listed.is_empty()).then(|| format!("it has {}{more}", listed.join(", ")))
}
