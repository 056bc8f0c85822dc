//! Calls of functions: that they exist, what they take, what they give.

use std::ops::Range;

use octofhir_fhirpath::ast::{ExpressionNode, LiteralNode, LiteralValue};

use super::kinds::{self, Kind};
use super::outcomes::{self, Outcomes};
use super::{Checker, Known, Place, span};
use crate::domain::event::FhirRelease;
use crate::domain::fhirpath::catalog::{self, BOOLEAN, Gives};
use crate::domain::fhirpath::tree::{call, extent, grows, is_path, literal, path_text, sorts_by_others, written_type};
use crate::domain::fhirpath::types::Types;
use crate::domain::fhirpath::{Severity, engine, functions, idioms};

impl Checker<'_> {
    pub(super) fn visit_call(&mut self, node: &ExpressionNode, place: &Place, depth: usize) -> Known {
        let Some((name, arguments, receiver)) = call(node) else { return Known::unknown() };
        let name_span = span(node.location()).map(|span| span.start..span.start + name.len().min(span.len()));
        let is_usable = self.check_function(name, arguments, receiver.is_some(), name_span.clone());
        let input = match receiver {
            Some(receiver) => self.visit(receiver, place, depth + 1),
            None => {
                self.found.reads_content |= !place.is_item && !catalog::ignores_input(name);
                place.known.clone()
            }
        };
        if catalog::takes_type(name) {
            return self.visit_typed(name, arguments, receiver, &input, name_span);
        }
        let inner = match receiver {
            Some(_) if catalog::is_lambda(name) => Place { known: Known::items(input.types.clone()), is_item: true },
            _ => Place { known: place.known.clone(), is_item: place.is_item },
        };
        let given: Vec<Known> = arguments.iter().map(|argument| self.visit(argument, &inner, depth + 1)).collect();
        if is_usable {
            self.check_order(name, receiver, name_span.clone());
            self.check_input(name, receiver, &input, name_span);
            self.check_arguments(name, arguments, &given);
        }
        let outcomes: Vec<Outcomes> = given.iter().map(|known| known.outcomes).collect();
        let types = match catalog::gives(name) {
            _ if name == "iif" => branches(given),
            Gives::Input => input.types,
            Gives::Type(name) => Types::one(name),
            Gives::Argument => given.into_iter().next().map_or_else(Types::unknown, |known| known.types),
            Gives::NamedType | Gives::Unknown => Types::unknown(),
        };
        let outcomes = outcomes::call(name, input.outcomes, &outcomes, &types);
        Known::new(types, outcomes)
    }

    /// `is(Type)`, `as(Type)`, `ofType(Type)`.
    fn visit_typed(
        &mut self,
        name: &str,
        arguments: &[ExpressionNode],
        receiver: Option<&ExpressionNode>,
        input: &Known,
        name_span: Option<Range<usize>>,
    ) -> Known {
        let Some(argument) = arguments.first() else { return Known::unknown() };
        let argument_span = extent(argument).or(name_span);
        let Some(type_name) = written_type(argument) else {
            let message = format!("`{name}` takes the name of a type");
            self.error(argument_span, message, Some(format!("write it without quotes, as in `{name}(Quantity)`")));
            return Known::unknown();
        };
        self.check_type_of(receiver.and_then(path_text).as_deref(), input, &type_name, argument_span);
        let types = if name == "is" { Types::one(BOOLEAN) } else { Types::named(&type_name) };
        let outcomes = outcomes::call(name, input.outcomes, &[], &types);
        Known::new(types, outcomes)
    }

    /// Whether the function is there and takes as many arguments; what may not end or cannot work is reported.
    fn check_function(
        &mut self,
        name: &str,
        arguments: &[ExpressionNode],
        has_receiver: bool,
        span: Option<Range<usize>>,
    ) -> bool {
        let registry = engine::functions();
        if let Some(reason) = catalog::refusal(name) {
            self.error(span, format!("the function `{name}` is not available"), Some(reason.into()));
            return false;
        }
        let Some(metadata) = registry.get_metadata(name) else {
            let known = registry.list_functions().into_iter().map(String::as_str);
            let allowed = known.filter(|name| catalog::refusal(name).is_none());
            let near = || catalog::nearest(name, allowed).map(|near| format!("did you mean `{near}`?"));
            let hint = idioms::function(name).map(str::to_owned).or_else(near);
            self.error(span, format!("unknown function `{name}`"), hint);
            return false;
        };
        let (least, most) = (metadata.signature.min_params, metadata.signature.max_params);
        if arguments.len() < least || most.is_some_and(|most| arguments.len() > most) {
            let message = format!("`{name}` takes {}, not {}", arguments_text(least, most), arguments.len());
            let path = arguments.first().and_then(path_text).filter(|_| !has_receiver && !arguments.is_empty());
            let hint = path.map(|path| format!("it is called on its value, as in `{path}.{name}(...)`"));
            let general = || "arguments stand between the brackets, separated by commas".to_owned();
            self.error(span, message, Some(hint.unwrap_or_else(general)));
            return false;
        }
        self.check_work(name, arguments, span);
        true
    }

    /// What may never end, need too much memory, or do nothing.
    fn check_work(&mut self, name: &str, arguments: &[ExpressionNode], span: Option<Range<usize>>) {
        match name {
            "repeat" | "repeatAll" if !arguments.first().is_some_and(is_path) => {
                let hint = "repeat over a path, as in repeat(item)".to_owned();
                self.error(span, format!("`{name}` over computed values may never end"), Some(hint));
            }
            "sort" if arguments.iter().any(sorts_by_others) => {
                let hint = "sort by what stands below the items, as in sort(date)".to_owned();
                self.error(span, "`sort` by what is not part of its items may need too much memory".into(), Some(hint));
            }
            "aggregate" if arguments.first().is_some_and(grows) => {
                self.error(span, "`aggregate` that uses `$total` twice in one sum may grow without end".into(), None);
            }
            _ if functions::TAKE_PATTERN.contains(&name) => self.check_pattern(arguments),
            "trace" => {
                let hint = "leave it out: content is patient data and is never printed".to_owned();
                self.problem(Severity::Warning, span, "`trace` prints nothing here".into(), Some(hint));
            }
            "aggregate" if arguments.len() > 1 => {
                let message = "the general engine gives empty for `aggregate` on nothing, not the initial value";
                self.defect(span, message.into(), "ask first, as in `x.exists() and x.aggregate(...) = 1`");
            }
            "lowBoundary" | "highBoundary" => {
                let message = format!("the general engine's `{name}` is wrong for times without minutes");
                self.defect(span, message, "compare with a literal of the precision that is meant");
            }
            "resolve" => {
                let message = "`resolve` finds contained resources only; other references give empty".to_owned();
                let hint = "compare the reference itself, as in `subject.reference.startsWith('Patient/')`".to_owned();
                self.problem(Severity::Warning, span, message, Some(hint));
            }
            _ => {}
        }
    }

    /// A constant regular expression is tried, so that it does not fail with every event.
    fn check_pattern(&mut self, arguments: &[ExpressionNode]) {
        let Some(ExpressionNode::Literal(pattern)) = arguments.first() else { return };
        let LiteralNode { value: LiteralValue::String(_), .. } = pattern else { return };
        let Some(span) = span(pattern.location.as_ref()) else { return };
        let probe = format!("''.matches({})", &self.source.text()[span.clone()]);
        let engine = engine::engine(FhirRelease::R4);
        let tried = engine.compile(&probe).and_then(|plan| engine.run_alone(&plan));
        if tried.is_err() {
            let hint = "its automaton may have 1 MiB at most: \\w and the like repeated often are large".to_owned();
            self.error(Some(span), "this is not a regular expression that can be used".into(), Some(hint));
        }
    }

    /// `children().skip(1)`: children come in no order that FHIRPath defines.
    fn check_order(&mut self, name: &str, receiver: Option<&ExpressionNode>, name_span: Option<Range<usize>>) {
        let unordered = receiver.and_then(call).map(|(name, ..)| name).filter(|name| is_unordered(name));
        let takes_order = matches!(name, "first" | "last" | "tail" | "skip" | "take");
        if let Some(unordered) = unordered.filter(|_| takes_order) {
            let message = format!("`{unordered}` has no order: what `{name}` gives may be anything of it");
            let hint = format!("say which are meant, as in `{unordered}().where(...)`");
            self.problem(Severity::Warning, name_span, message, Some(hint));
        }
    }

    /// What a function is called on.
    fn check_input(
        &mut self,
        name: &str,
        receiver: Option<&ExpressionNode>,
        input: &Known,
        name_span: Option<Range<usize>>,
    ) {
        if matches!(name, "not" | "allTrue" | "anyTrue" | "allFalse" | "anyFalse") {
            return receiver.map_or((), |receiver| self.check_boolean(receiver, input, None));
        }
        let (taken, what): (&[Kind], _) = match name {
            "startsWith" | "endsWith" | "contains" | "matches" | "matchesFull" | "indexOf" | "lastIndexOf"
            | "substring" | "upper" | "lower" | "trim" | "length" | "replace" | "replaceMatches" | "split"
            | "toChars" => (&[Kind::Text], "text"),
            "abs" | "ceiling" | "floor" | "truncate" | "round" | "sqrt" | "exp" | "ln" | "log" | "power" => {
                (&[Kind::Number, Kind::Quantity], "a number")
            }
            _ => return,
        };
        let Some(kinds) = kinds::of(&input.types) else { return };
        if kinds.iter().any(|kind| taken.contains(kind)) {
            return;
        }
        let message = format!("`{name}` is called on {}, and takes {what}", kinds::list(&kinds));
        let path = match receiver {
            Some(receiver) => path_text(receiver).unwrap_or_else(|| "x".to_owned()),
            None => "$this".to_owned(),
        };
        let hint = match kinds.first() {
            Some(Kind::Complex(type_name)) => match kinds::within(type_name) {
                Some(element) => format!("a {type_name} has elements: ask one, as in `{path}.{element}`"),
                None => format!("{type_name} has elements: ask one of them"),
            },
            Some(Kind::Text) => format!("make a number of it: `{path}.toDecimal()`"),
            Some(Kind::Date | Kind::DateTime) => format!("compare times, as in `{path} >= @2024`"),
            _ => format!("make text of it: `{path}.toString()`"),
        };
        self.error(name_span, message, Some(hint));
    }

    /// The kinds of a function's arguments.
    fn check_arguments(&mut self, name: &str, arguments: &[ExpressionNode], given: &[Known]) {
        if matches!(name, "where" | "exists" | "all" | "iif")
            && let (Some(argument), Some(known)) = (arguments.first(), given.first())
        {
            return self.check_boolean(argument, known, None);
        }
        let (taken, what) = match name {
            "startsWith" | "endsWith" | "contains" | "matches" | "matchesFull" | "indexOf" | "lastIndexOf"
            | "replace" | "replaceMatches" | "split" | "join" | "extension" => (Kind::Text, "text"),
            "substring" | "skip" | "take" | "round" | "power" | "log" => (Kind::Number, "a number"),
            _ => return,
        };
        for (argument, known) in arguments.iter().zip(given) {
            let Some(kinds) = kinds::of(&known.types) else { continue };
            if kinds.contains(&taken) {
                continue;
            }
            let message = format!("`{name}` takes {what} here, not {}", kinds::list(&kinds));
            let hint = match (literal(argument), taken) {
                (Some(_), Kind::Text) => format!("write it in single quotes, as in `{name}('...')`"),
                (Some(_), _) => format!("write it without quotes, as in `{name}(1)`"),
                (None, Kind::Text) => "make text of it with `toString()`".to_owned(),
                (None, _) => "make a number of it with `toInteger()`".to_owned(),
            };
            self.error(extent(argument), message, Some(hint));
        }
    }
}

/// The types of the branches of `iif`.
fn branches(given: Vec<Known>) -> Types {
    given.into_iter().skip(1).map(|known| known.types).reduce(Types::or).unwrap_or_else(Types::unknown)
}

fn is_unordered(function: &str) -> bool {
    matches!(function, "children" | "descendants")
}

fn arguments_text(least: usize, most: Option<usize>) -> String {
    let plural = |count: usize| if count == 1 { "1 argument".to_owned() } else { format!("{count} arguments") };
    match most {
        Some(most) if most == least => plural(least),
        Some(most) => format!("{least} to {}", plural(most)),
        None => format!("at least {}", plural(least)),
    }
}
