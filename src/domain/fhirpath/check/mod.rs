//! What can be known of a criterion before any event: mistakes, what it reads, and which variables must be filled in.
//!
//! ```text
//! syntax tree -> walk: names, calls, operators -> what each part can be (types; outcomes by interaction) -> verdict
//! ```
//!
//! The engine finds unknown functions and variables only when it evaluates, so the syntax tree is walked here, with the
//! types that the model gives for the trigger's resources.
//!
//! An error is what cannot run: the engine refuses it, or FHIRPath makes it an evaluation error wherever its parts exist.
//! What has an answer is a warning at most, however surely it is a mistake: an element that no release knows may be one
//! that the author's server adds, and false and empty are answers that a trigger may have. So no criterion that works is
//! ever refused.

use std::collections::BTreeSet;
use std::ops::Range;

use octofhir_fhirpath::ast::{ExpressionNode, LiteralNode, LiteralValue, UnaryOperator, VariableNode};
use octofhir_fhirpath::core::SourceLocation;

use self::outcomes::{EMPTY, FALSE, Outcomes, TRUE};
use super::catalog::{self, BOOLEAN};
use super::functions;
use super::idioms;
use super::lexical::Normalized;
use super::tree::{call, children, looks_at_trees, path_text};
use super::types::Types;
use super::{CriterionProblem, Severity};
use crate::domain::event::Interaction;

mod calls;
mod kinds;
mod names;
mod operators;
mod outcomes;
mod verdict;

/// The deepest syntax tree that is taken.
pub(super) const MAX_DEPTH: usize = 200;

/// The longest chain of operators (`a or b or c`) that is taken.
pub(super) const MAX_CHAIN: usize = 1_000;

/// How many problems of one criterion are reported; beyond, only the first error.
const MAX_PROBLEMS: usize = 50;

/// Decimals come from the event as binary floating point, exact to this many digits.
const EXACT_DIGITS: u32 = 15;

/// What the walk found.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) problems: Vec<CriterionProblem>,
    /// Where a known defect of the general engine could bite, if that runs the criterion.
    pub(super) defects: Vec<CriterionProblem>,
    /// Parts of the normalized text that depend on the event, in their order.
    pub(super) slots: Vec<(Range<usize>, Slot)>,
    pub(super) reads_previous: bool,
    pub(super) reads_content: bool,
    /// Whether it uses defineVariable(), whose variables must not reach other criteria.
    pub(super) defines_variables: bool,
    /// Whether it asks for the event's time.
    pub(super) reads_clock: bool,
    /// How many parts the expression has.
    pub(super) parts: u64,
    /// How many of them look at whole trees without a function that would pay: unions, and descendants that are
    /// references.
    pub(super) tree_parts: u64,
}

impl Findings {
    /// The steps of one round of a lambda in this expression, for events of this many values: what its parts cost that
    /// do not pay themselves.
    pub(super) fn toll(&self, nodes: u64) -> u64 {
        1 + self.parts / 32 + self.tree_parts * nodes / 16
    }
}

/// A part of the text that is filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Slot {
    /// `%previous`: empty where there is none.
    Previous,
    /// `%current`: empty where there is none.
    Current,
    /// `%resource`, `%rootResource` and `%context`: empty where the focus is.
    Focus,
    /// The same for every event.
    Text(String),
}

/// Walks an expression that is used with these resource types (none: any) and interactions (none: all).
pub(super) fn check(
    source: &Normalized,
    tree: &ExpressionNode,
    resource_types: &[&str],
    interactions: &[Interaction],
) -> Findings {
    let resources = Types::of_resources(resource_types);
    let focus = Place { known: Known::of_focus(&resources), is_item: false };
    let mut checker =
        Checker { source, resources, defined: BTreeSet::new(), defines_any: false, found: Findings::default() };
    checker.collect_defined(tree, 0);
    checker.check_quotes();
    let known = checker.visit(tree, &focus, 0);
    checker.judge(tree, &known, if interactions.is_empty() { &Interaction::ALL } else { interactions });
    checker.found.slots.sort_by_key(|(span, _)| span.start);
    checker.found
}

/// What is known of a part of the expression.
#[derive(Debug, Clone)]
struct Known {
    types: Types,
    outcomes: Outcomes,
}

impl Known {
    fn new(types: Types, outcomes: Outcomes) -> Self {
        Self { types, outcomes }
    }

    fn unknown() -> Self {
        Self::new(Types::unknown(), Outcomes::any())
    }

    fn of_focus(types: &Types) -> Self {
        Self::new(types.clone(), Outcomes::focus())
    }

    /// Items of these types, at least one.
    fn items(types: Types) -> Self {
        let outcomes = Outcomes::items(&types);
        Self::new(types, outcomes)
    }

    /// The answer of a question.
    fn answer(outcomes: Outcomes) -> Self {
        Self::new(Types::one(BOOLEAN), outcomes)
    }
}

/// Where in the expression a node stands.
struct Place {
    /// What a path starts from.
    known: Known,
    /// Whether a path starts from an item of a lambda, not from the focus.
    is_item: bool,
}

struct Checker<'a> {
    source: &'a Normalized,
    resources: Types,
    defined: BTreeSet<String>,
    /// Whether a defineVariable() computes the name, so that any may exist.
    defines_any: bool,
    found: Findings,
}

impl Checker<'_> {
    fn problem(&mut self, severity: Severity, span: Option<Range<usize>>, message: String, hint: Option<String>) {
        let span = span.map(|span| self.original(span));
        let problem = CriterionProblem { severity, span, message, hint };
        let is_new = self.found.problems.len() < MAX_PROBLEMS && !self.found.problems.contains(&problem);
        let is_first_error = severity == Severity::Error && !self.has_error();
        if is_new || is_first_error {
            self.found.problems.push(problem);
        }
    }

    fn has_error(&self) -> bool {
        self.found.problems.iter().any(|problem| problem.severity == Severity::Error)
    }

    /// Whether so much was reported that further warnings are not worth looking for.
    fn has_enough(&self) -> bool {
        self.found.problems.len() >= MAX_PROBLEMS
    }

    /// The span of the author's text, without a blank that the parser counts to a part before it.
    fn original(&self, span: Range<usize>) -> Range<usize> {
        let blanks = self.source.text().get(span.clone()).map_or(0, |text| text.len() - text.trim_end().len());
        self.source.original(span.start..span.end - blanks)
    }

    /// A defect of the general engine that this part of the expression could meet.
    fn defect(&mut self, span: Option<Range<usize>>, message: String, hint: &str) {
        let span = span.map(|span| self.original(span));
        let hint = Some(hint.to_owned());
        self.found.defects.push(CriterionProblem { severity: Severity::Warning, span, message, hint });
    }

    fn error(&mut self, span: Option<Range<usize>>, message: String, hint: Option<String>) {
        self.problem(Severity::Error, span, message, hint);
    }

    /// Names that defineVariable() gives, wherever it stands.
    fn collect_defined(&mut self, node: &ExpressionNode, depth: usize) {
        if depth > MAX_DEPTH + MAX_CHAIN {
            return;
        }
        self.found.parts += 1;
        self.found.tree_parts += u64::from(looks_at_trees(node));
        if call(node).is_some_and(|(name, ..)| functions::CLOCK.iter().any(|(function, _)| name == *function)) {
            self.found.reads_clock = true;
        }
        if let Some((name, arguments, _)) = call(node)
            && name == "defineVariable"
        {
            self.found.defines_variables = true;
            match arguments.first() {
                Some(ExpressionNode::Literal(LiteralNode { value: LiteralValue::String(name), .. })) => {
                    self.defined.insert(name.clone());
                }
                _ => self.defines_any = true,
            }
        }
        for child in children(node) {
            self.collect_defined(child, depth + 1);
        }
    }

    fn visit(&mut self, node: &ExpressionNode, place: &Place, depth: usize) -> Known {
        if depth > MAX_DEPTH {
            self.error(
                None,
                "the expression is nested too deeply".into(),
                Some("split the trigger into several".into()),
            );
            return Known::unknown();
        }
        match node {
            ExpressionNode::Literal(literal) => self.visit_literal(literal),
            ExpressionNode::Identifier(identifier) => {
                self.found.reads_content |= !place.is_item;
                self.visit_start(&identifier.name, span(identifier.location.as_ref()), place)
            }
            ExpressionNode::Variable(variable) => self.visit_variable(variable, place),
            ExpressionNode::Parenthesized(inner) => self.visit(inner, place, depth + 1),
            ExpressionNode::PropertyAccess(access) => {
                let object = self.visit(&access.object, place, depth + 1);
                self.visit_step(&object, &access.property, span(access.location.as_ref()), false)
            }
            ExpressionNode::IndexAccess(access) => {
                let index = self.visit(&access.index, place, depth + 1);
                self.check_index(access, &index);
                let object = self.visit(&access.object, place, depth + 1);
                Known::new(object.types, object.outcomes.map(|set| set | EMPTY))
            }
            ExpressionNode::FunctionCall(_) | ExpressionNode::MethodCall(_) => self.visit_call(node, place, depth),
            ExpressionNode::BinaryOperation(_) | ExpressionNode::Union(_) => self.visit_chain(node, place, depth),
            ExpressionNode::UnaryOperation(operation) => {
                let operand = self.visit(&operation.operand, place, depth + 1);
                if operation.operator == UnaryOperator::Not {
                    let path = path_text(&operation.operand).unwrap_or_else(|| "(...)".to_owned());
                    let hint = format!("write the function: {path}.not()");
                    self.error(span(operation.location.as_ref()), "FHIRPath has no operator `not`".into(), Some(hint));
                    return Known::answer(Outcomes::any());
                }
                operand
            }
            ExpressionNode::TypeCheck(check) => {
                let input = self.visit(&check.expression, place, depth + 1);
                self.check_type(&check.expression, &input, &check.target_type, span(check.location.as_ref()));
                Known::answer(outcomes::call("is", input.outcomes, &[], &input.types))
            }
            ExpressionNode::TypeCast(cast) => {
                let input = self.visit(&cast.expression, place, depth + 1);
                self.check_type(&cast.expression, &input, &cast.target_type, span(cast.location.as_ref()));
                let types = Types::named(&cast.target_type);
                let outcomes = input.outcomes.below(&types);
                Known::new(types, outcomes)
            }
            ExpressionNode::Collection(collection) => {
                let items = collection.elements.iter().map(|element| self.visit(element, place, depth + 1));
                let union = |left: Known, right: Known| {
                    Known::new(left.types.or(right.types), outcomes::union(left.outcomes, right.outcomes))
                };
                items.reduce(union).unwrap_or_else(|| Known::new(Types::unknown(), Outcomes::all(EMPTY)))
            }
            ExpressionNode::Lambda(_)
            | ExpressionNode::Filter(_)
            | ExpressionNode::Path(_)
            | ExpressionNode::TypeInfo(_) => {
                self.found.reads_content = true;
                Known::unknown()
            }
        }
    }

    fn visit_literal(&mut self, literal: &LiteralNode) -> Known {
        let name = match &literal.value {
            LiteralValue::Boolean(value) => return Known::answer(Outcomes::all(if *value { TRUE } else { FALSE })),
            LiteralValue::String(_) => "string",
            LiteralValue::Integer(_) | LiteralValue::Long(_) => "integer",
            LiteralValue::Decimal(_) => "decimal",
            LiteralValue::Date(_) => "date",
            LiteralValue::DateTime(_) => "dateTime",
            LiteralValue::Time(_) => "time",
            LiteralValue::Quantity { .. } => "Quantity",
        };
        if let LiteralValue::Decimal(value) | LiteralValue::Quantity { value, .. } = &literal.value
            && value.normalize().mantissa().unsigned_abs() >= 10_u128.pow(EXACT_DIGITS)
        {
            let message = format!("the general engine knows decimals of the event to {EXACT_DIGITS} digits only");
            self.defect(span(literal.location.as_ref()), message, "compare with fewer digits");
        }
        Known::items(Types::one(name))
    }

    fn visit_variable(&mut self, variable: &VariableNode, place: &Place) -> Known {
        let span = span(variable.location.as_ref());
        let sigil = span.as_ref().and_then(|span| self.source.text()[span.start..].chars().next()).unwrap_or('%');
        let name = variable.name.as_str();
        let (slot, outcomes) = match (sigil, name) {
            ('$', "this") => {
                self.found.reads_content |= !place.is_item;
                return place.known.clone();
            }
            ('$', "index") => return Known::items(Types::one("integer")),
            ('$', "total") => {
                self.pay_for(span);
                return Known::unknown();
            }
            ('%', "previous") => {
                self.found.reads_previous = true;
                (Slot::Previous, Outcomes::previous())
            }
            ('%', "current") => (Slot::Current, Outcomes::current()),
            ('%', "resource" | "rootResource" | "context") => (Slot::Focus, Outcomes::focus()),
            ('%', "sct" | "loinc" | "ucum") => return Known::items(Types::one("string")),
            ('%', _) if self.defines_any || self.defined.contains(name) => {
                self.pay_for(span);
                return Known::unknown();
            }
            ('%', _) if is_url_variable(name) => {
                self.found.slots.extend(span.map(|span| (span, Slot::Text(url_literal(name)))));
                return Known::items(Types::one("string"));
            }
            _ => {
                self.refuse_variable(&format!("{sigil}{name}"), name, span);
                return Known::unknown();
            }
        };
        self.found.reads_content = true;
        self.found.slots.extend(span.map(|span| (span, slot)));
        Known::new(self.resources.clone(), outcomes)
    }

    /// Variables may hold large collections, which the engine hands out for nothing.
    fn pay_for(&mut self, span: Option<Range<usize>>) {
        if let Some(span) = span {
            let text = format!("{}.{}()", &self.source.text()[span.clone()], functions::TOLL);
            self.found.slots.push((span, Slot::Text(text)));
        }
    }

    fn refuse_variable(&mut self, written: &str, name: &str, span: Option<Range<usize>>) {
        if let Some(reason) = catalog::variable_refusal(name) {
            return self.error(span, format!("`{written}` is not available"), Some(reason.into()));
        }
        let near = idioms::variable(name).or_else(|| catalog::nearest(written, catalog::VARIABLES));
        let hint = near.map(|near| format!("did you mean `{near}`?"));
        self.error(span, format!("unknown variable `{written}`"), hint);
    }
}

fn span(location: Option<&SourceLocation>) -> Option<Range<usize>> {
    location.map(|location| location.offset..location.offset + location.length)
}

fn is_url_variable(name: &str) -> bool {
    name.starts_with("vs-") || name.starts_with("ext-")
}

/// The URL that `%vs-name` or `%ext-name` stands for, as a literal.
fn url_literal(name: &str) -> String {
    let (folder, id) = match name.strip_prefix("vs-") {
        Some(id) => ("ValueSet", id),
        None => ("StructureDefinition", name.strip_prefix("ext-").unwrap_or(name)),
    };
    let id = id.replace('\\', "\\\\");
    format!("'http://hl7.org/fhir/{folder}/{id}'")
}
