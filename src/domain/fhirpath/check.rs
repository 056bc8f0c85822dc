//! What can be known of a criterion before any event: mistakes, what it reads, and which variables must be filled in.
//!
//! The engine finds unknown functions and variables only when it evaluates, so the syntax tree is walked here, with the
//! types that the model gives for the trigger's resources. Only what is wrong for sure is an error.

use std::collections::BTreeSet;
use std::ops::Range;

use octofhir_fhirpath::ast::{
    BinaryOperationNode, BinaryOperator, ExpressionNode, LiteralNode, LiteralValue, UnaryOperator, VariableNode,
};
use octofhir_fhirpath::core::{SourceLocation, TemporalPrecision};

use super::catalog::{self, BOOLEAN, Gives};
use super::engine;
use super::functions;
use super::lexical::Normalized;
use super::tree::{call, children, grows, is_path, left_operand, sorts_by_others, written_type};
use super::types::{self, Types};
use super::{CriterionProblem, Severity};
use crate::domain::event::FhirRelease;

/// The deepest syntax tree that is taken.
const MAX_DEPTH: usize = 200;

/// The longest chain of operators (`a or b or c`) that is taken.
const MAX_CHAIN: usize = 1_000;

/// Decimals come from the event as binary floating point, exact to this many digits.
const EXACT_DIGITS: u32 = 15;

/// What the walk found.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) problems: Vec<CriterionProblem>,
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

/// Walks an expression that is used with these resource types (none: any).
pub(super) fn check(source: &Normalized, tree: &ExpressionNode, resource_types: &[&str]) -> Findings {
    let focus = Types::of_resources(resource_types);
    let mut checker = Checker {
        source,
        resources: focus.clone(),
        defined: BTreeSet::new(),
        defines_any: false,
        found: Findings::default(),
    };
    checker.collect_defined(tree, 0);
    let types = checker.visit(tree, &Place { types: focus, is_item: false }, 0);
    if types.never_boolean() {
        let what = types.first().unwrap_or_default();
        let span = 0..source.text().len();
        let message = format!("the result is never a boolean, but of type {what}");
        checker.problem(
            Severity::Error,
            Some(span),
            message,
            Some("compare it, or ask with exists() or empty()".into()),
        );
    }
    checker.found.slots.sort_by_key(|(span, _)| span.start);
    checker.found
}

/// Where in the expression a node stands.
struct Place {
    /// The types of what a path starts from.
    types: Types,
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
        let span = span.map(|span| self.source.original(span));
        let problem = CriterionProblem { severity, span, message, hint };
        if !self.found.problems.contains(&problem) {
            self.found.problems.push(problem);
        }
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
            if let Some(ExpressionNode::Literal(LiteralNode { value: LiteralValue::String(name), .. })) =
                arguments.first()
            {
                self.defined.insert(name.clone());
            }
        }
        for child in children(node) {
            self.collect_defined(child, depth + 1);
        }
    }

    fn visit(&mut self, node: &ExpressionNode, place: &Place, depth: usize) -> Types {
        if depth > MAX_DEPTH {
            self.error(
                None,
                "the expression is nested too deeply".into(),
                Some("split the trigger into several".into()),
            );
            return Types::unknown();
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
                self.visit_step(&object, &access.property, span(access.location.as_ref()))
            }
            ExpressionNode::IndexAccess(access) => {
                self.visit(&access.index, place, depth + 1);
                self.visit(&access.object, place, depth + 1)
            }
            ExpressionNode::FunctionCall(_) | ExpressionNode::MethodCall(_) => self.visit_call(node, place, depth),
            ExpressionNode::BinaryOperation(_) | ExpressionNode::Union(_) => self.visit_chain(node, place, depth),
            ExpressionNode::UnaryOperation(operation) => {
                let operand = self.visit(&operation.operand, place, depth + 1);
                if operation.operator == UnaryOperator::Not {
                    let hint = "write the function: (...).not()".to_owned();
                    self.error(span(operation.location.as_ref()), "FHIRPath has no operator `not`".into(), Some(hint));
                }
                operand
            }
            ExpressionNode::TypeCheck(check) => {
                self.visit(&check.expression, place, depth + 1);
                self.check_type_name(&check.target_type, span(check.location.as_ref()));
                Types::one(BOOLEAN)
            }
            ExpressionNode::TypeCast(cast) => {
                self.visit(&cast.expression, place, depth + 1);
                self.check_type_name(&cast.target_type, span(cast.location.as_ref()));
                Types::named(&cast.target_type)
            }
            ExpressionNode::Collection(collection) => {
                let types = collection.elements.iter().map(|element| self.visit(element, place, depth + 1));
                types.reduce(Types::or).unwrap_or_else(Types::unknown)
            }
            ExpressionNode::Lambda(_)
            | ExpressionNode::Filter(_)
            | ExpressionNode::Path(_)
            | ExpressionNode::TypeInfo(_) => {
                self.found.reads_content = true;
                Types::unknown()
            }
        }
    }

    fn visit_literal(&mut self, literal: &LiteralNode) -> Types {
        let name = match &literal.value {
            LiteralValue::Boolean(_) => BOOLEAN,
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
            let message = format!("decimals of the event are exact to {EXACT_DIGITS} digits only");
            self.problem(
                Severity::Warning,
                span(literal.location.as_ref()),
                message,
                Some("compare with fewer digits".into()),
            );
        }
        Types::one(name)
    }

    /// The first step of a path: the name of the resource type itself, or an element.
    fn visit_start(&mut self, name: &str, span: Option<Range<usize>>, place: &Place) -> Types {
        if super::is_resource_type(name) || matches!(name, "Resource" | "DomainResource") {
            if !place.types.may_be(name) && super::is_resource_type(name) {
                let other = place.types.first().unwrap_or_default();
                let message = format!("`{name}` is empty here: the criterion is evaluated on {other}");
                self.problem(Severity::Warning, span, message, None);
            }
            return Types::named(name);
        }
        self.visit_step(&place.types, name, span)
    }

    fn visit_step(&mut self, object: &Types, name: &str, span: Option<Range<usize>>) -> Types {
        let step = object.step(name);
        if let Some(type_name) = step.missing_on {
            let hint = catalog::nearest(name, object.element_names()).map(|near| format!("did you mean `{near}`?"));
            self.problem(Severity::Warning, span, format!("{type_name} has no element `{name}`"), hint);
        }
        step.types
    }

    fn visit_variable(&mut self, variable: &VariableNode, place: &Place) -> Types {
        let span = span(variable.location.as_ref());
        let sigil = span.as_ref().and_then(|span| self.source.text()[span.start..].chars().next()).unwrap_or('%');
        let name = variable.name.as_str();
        let slot = match (sigil, name) {
            ('$', "this") => {
                self.found.reads_content |= !place.is_item;
                return place.types.clone();
            }
            ('$', "index") => return Types::one("integer"),
            ('$', "total") => {
                self.pay_for(span);
                return Types::unknown();
            }
            ('%', "previous") => {
                self.found.reads_previous = true;
                Slot::Previous
            }
            ('%', "current") => Slot::Current,
            ('%', "resource" | "rootResource" | "context") => Slot::Focus,
            ('%', "sct" | "loinc" | "ucum") => return Types::one("string"),
            ('%', _) if self.defines_any || self.defined.contains(name) => {
                self.pay_for(span);
                return Types::unknown();
            }
            ('%', _) if is_url_variable(name) => Slot::Text(url_literal(name)),
            _ => {
                self.refuse_variable(&format!("{sigil}{name}"), name, span);
                return Types::unknown();
            }
        };
        let is_text = matches!(slot, Slot::Text(_));
        self.found.reads_content |= !is_text;
        if let Some(span) = span {
            self.found.slots.push((span, slot));
        }
        if is_text { Types::one("string") } else { self.resources.clone() }
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
        let hint = catalog::nearest(written, catalog::VARIABLES).map(|near| format!("did you mean `{near}`?"));
        self.error(span, format!("unknown variable `{written}`"), hint);
    }

    fn check_type_name(&mut self, name: &str, span: Option<Range<usize>>) {
        if !types::is_type(name) {
            let hint = catalog::nearest(name, types::type_names()).map(|near| format!("did you mean `{near}`?"));
            self.error(span, format!("unknown type `{name}`"), hint);
        }
    }

    /// Operators from left to right, without a stack frame for each.
    fn visit_chain(&mut self, node: &ExpressionNode, place: &Place, depth: usize) -> Types {
        let mut chain = Vec::new();
        let mut first = node;
        while let Some(left) = left_operand(first) {
            chain.push(first);
            first = left;
        }
        if chain.len() > MAX_CHAIN {
            let message = format!("more than {MAX_CHAIN} operators in a row");
            self.error(None, message, Some("split the trigger into several".into()));
            return Types::unknown();
        }
        let mut left = self.visit(first, place, depth + 1);
        for node in chain.into_iter().rev() {
            left = match node {
                ExpressionNode::Union(union) => left.or(self.visit(&union.right, place, depth + 1)),
                ExpressionNode::BinaryOperation(operation) => {
                    let right = self.visit(&operation.right, place, depth + 1);
                    self.check_dates(operation, &left, &right);
                    outcome(operation.operator, left, right)
                }
                _ => Types::unknown(),
            };
        }
        left
    }

    /// A dateTime compared with a day is empty during that day, whatever the operator (FHIRPath: different precision).
    fn check_dates(&mut self, operation: &BinaryOperationNode, left: &Types, right: &Types) {
        use BinaryOperator::{Equal, GreaterThan, GreaterThanOrEqual, LessThan, LessThanOrEqual, NotEqual};
        let comparisons = [Equal, NotEqual, LessThan, LessThanOrEqual, GreaterThan, GreaterThanOrEqual];
        if !comparisons.contains(&operation.operator) {
            return;
        }
        for (bound, types) in [(&operation.right, left), (&operation.left, right)] {
            let (is_date, is_time) = (types.includes("date"), types.includes("dateTime") || types.includes("instant"));
            let (message, hint) = match bound_of(bound) {
                Some(Bound::Day) if is_time && !is_date => (
                    "compared with a day, a time within that day gives empty, which does not fire",
                    "write a time with its zone, as in @2024-05-01T00:00:00Z",
                ),
                Some(Bound::Moment) if is_date && !is_time => (
                    "compared with a moment, the date of its day gives empty, which does not fire",
                    "write the day alone, as in @2024-05-01",
                ),
                _ => continue,
            };
            self.problem(Severity::Warning, span(bound.location()), message.into(), Some(hint.into()));
        }
    }

    fn visit_call(&mut self, node: &ExpressionNode, place: &Place, depth: usize) -> Types {
        let Some((name, arguments, receiver)) = call(node) else { return Types::unknown() };
        let name_span = span(node.location()).map(|span| span.start..span.start + name.len().min(span.len()));
        self.check_function(name, arguments, name_span.clone());
        let input = match receiver {
            Some(receiver) => self.visit(receiver, place, depth + 1),
            None => {
                self.found.reads_content |= !place.is_item && !catalog::ignores_input(name);
                place.types.clone()
            }
        };
        if catalog::takes_type(name) {
            let type_name = arguments.first().and_then(written_type);
            return match type_name {
                Some(type_name) => {
                    self.check_type_name(&type_name, name_span);
                    if name == "is" { Types::one(BOOLEAN) } else { Types::named(&type_name) }
                }
                None => Types::unknown(),
            };
        }
        let inner = match receiver {
            Some(_) if catalog::is_lambda(name) => Place { types: input.clone(), is_item: true },
            _ => Place { types: place.types.clone(), is_item: place.is_item },
        };
        let given: Vec<Types> = arguments.iter().map(|argument| self.visit(argument, &inner, depth + 1)).collect();
        match catalog::gives(name) {
            Gives::Input => input,
            Gives::Type(name) => Types::one(name),
            Gives::Argument => given.into_iter().next().unwrap_or_else(Types::unknown),
            Gives::NamedType | Gives::Unknown => Types::unknown(),
        }
    }

    /// A constant regular expression is tried, so that it does not fail with every event.
    fn check_pattern(&mut self, arguments: &[ExpressionNode]) {
        let Some(ExpressionNode::Literal(pattern)) = arguments.first() else { return };
        let Some(span) = span(pattern.location.as_ref()) else { return };
        let probe = format!("''.matches({})", &self.source.text()[span.clone()]);
        let engine = engine::engine(FhirRelease::R4);
        let tried = engine.compile(&probe).and_then(|plan| engine.run_alone(&plan));
        if tried.is_err() {
            let hint = "its automaton may have 1 MiB at most: \\w and the like repeated often are large".to_owned();
            self.error(Some(span), "this is not a regular expression that can be used".into(), Some(hint));
        }
    }

    fn check_function(&mut self, name: &str, arguments: &[ExpressionNode], span: Option<Range<usize>>) {
        let registry = engine::functions();
        if let Some(reason) = catalog::refusal(name) {
            return self.error(span, format!("the function `{name}` is not available"), Some(reason.into()));
        }
        let Some(metadata) = registry.get_metadata(name) else {
            let known = registry.list_functions().into_iter().map(String::as_str);
            let allowed = known.filter(|name| catalog::refusal(name).is_none());
            let hint = catalog::nearest(name, allowed).map(|near| format!("did you mean `{near}`?"));
            return self.error(span, format!("unknown function `{name}`"), hint);
        };
        let (least, most) = (metadata.signature.min_params, metadata.signature.max_params);
        if arguments.len() < least || most.is_some_and(|most| arguments.len() > most) {
            let message = format!("`{name}` takes {}, not {}", arguments_text(least, most), arguments.len());
            return self.error(span, message, None);
        }
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
            "resolve" => {
                let message = "`resolve` finds contained resources only; other references give empty".to_owned();
                self.problem(Severity::Warning, span, message, None);
            }
            _ => {}
        }
    }
}

/// Whether the engine walks or hashes whole trees here without calling a function or an operator of the registry.
fn looks_at_trees(node: &ExpressionNode) -> bool {
    // What stands below an item is met once for each of its levels at most.
    let is_union = match node {
        ExpressionNode::Union(union) => !is_path(&union.left) || !is_path(&union.right),
        ExpressionNode::BinaryOperation(operation) => operation.operator == BinaryOperator::Union,
        _ => false,
    };
    let filters_descendants = call(node).is_some_and(|(name, _, receiver)| {
        name == "where" && receiver.and_then(call).is_some_and(|(inner, ..)| inner == "descendants")
    });
    is_union || filters_descendants
}

/// How precise the bound of a comparison is.
enum Bound {
    Day,
    Moment,
}

fn bound_of(node: &ExpressionNode) -> Option<Bound> {
    match node {
        ExpressionNode::Parenthesized(inner) => bound_of(inner),
        ExpressionNode::Literal(LiteralNode { value: LiteralValue::Date(_), .. }) => Some(Bound::Day),
        ExpressionNode::Literal(LiteralNode { value: LiteralValue::DateTime(time), .. }) => {
            Some(if time.precision <= TemporalPrecision::Day { Bound::Day } else { Bound::Moment })
        }
        ExpressionNode::FunctionCall(call) if call.name == "today" => Some(Bound::Day),
        ExpressionNode::FunctionCall(call) if call.name == "now" => Some(Bound::Moment),
        ExpressionNode::BinaryOperation(BinaryOperationNode {
            left,
            operator: BinaryOperator::Add | BinaryOperator::Subtract,
            ..
        }) => bound_of(left),
        _ => None,
    }
}

/// The types that an operator gives.
fn outcome(operator: BinaryOperator, left: Types, right: Types) -> Types {
    match operator {
        BinaryOperator::Concatenate => Types::one("string"),
        BinaryOperator::Add | BinaryOperator::Subtract if left.first().is_some() => left,
        BinaryOperator::Add
        | BinaryOperator::Subtract
        | BinaryOperator::Multiply
        | BinaryOperator::Divide
        | BinaryOperator::Modulo
        | BinaryOperator::IntegerDivide => Types::one("decimal"),
        BinaryOperator::Union => left.or(right),
        BinaryOperator::As => Types::unknown(),
        _ => Types::one(BOOLEAN),
    }
}

fn arguments_text(least: usize, most: Option<usize>) -> String {
    let plural = |count: usize| if count == 1 { "1 argument".to_owned() } else { format!("{count} arguments") };
    match most {
        Some(most) if most == least => plural(least),
        Some(most) => format!("{least} to {}", plural(most)),
        None => format!("at least {}", plural(least)),
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
