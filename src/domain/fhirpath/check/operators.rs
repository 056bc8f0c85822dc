//! Operators: what they can compare, what they give, and uses that are certainly not meant.

use octofhir_fhirpath::ast::{
    BinaryOperationNode, BinaryOperator, ExpressionNode, IndexAccessNode, LiteralNode, LiteralValue,
};
use octofhir_fhirpath::core::TemporalPrecision;

use super::kinds::{self, Kind, Operand};
use super::outcomes::{self, EMPTY, FALSE, OTHER, Outcomes, TRUE};
use super::{Checker, Known, MAX_CHAIN, Place, span};
use crate::domain::fhirpath::Severity;
use crate::domain::fhirpath::catalog::BOOLEAN;
use crate::domain::fhirpath::tree::{chain, extent, is_empty_collection, literal, path_text};
use crate::domain::fhirpath::types::Types;

use BinaryOperator::{
    Add, And, As, Concatenate, Contains, Divide, Equal, Equivalent, GreaterThan, GreaterThanOrEqual, Implies, In,
    IntegerDivide, Is, LessThan, LessThanOrEqual, Modulo, Multiply, NotEqual, NotEquivalent, Or, Subtract, Union, Xor,
};

impl Checker<'_> {
    /// Operators from left to right, without a stack frame for each.
    pub(super) fn visit_chain(&mut self, node: &ExpressionNode, place: &Place, depth: usize) -> Known {
        let (first, rest) = chain(node);
        if rest.len() > MAX_CHAIN {
            let message = format!("more than {MAX_CHAIN} operators in a row");
            self.error(None, message, Some("split the trigger into several".into()));
            return Known::unknown();
        }
        let mut left = self.visit(first, place, depth + 1);
        let mut excluded = Exclusions::default();
        for node in rest {
            left = match node {
                ExpressionNode::Union(union) => {
                    let right = self.visit(&union.right, place, depth + 1);
                    self.check_union(&union.left, &union.right, &left, &right);
                    unite(left, right)
                }
                ExpressionNode::BinaryOperation(operation) => {
                    let right = self.visit(&operation.right, place, depth + 1);
                    let fit = self.check_operands(operation, &left, &right);
                    let mut known = outcome(operation.operator, left, right);
                    if let Some(set) = self.check_exclusion(operation, &mut excluded) {
                        known.outcomes = known.outcomes.map(|all| all & set);
                    }
                    if fit { known } else { Known::new(without_sums(known.types), known.outcomes) }
                }
                _ => Known::unknown(),
            };
        }
        left
    }

    /// Reports operands that are not meant; whether their types go together.
    fn check_operands(&mut self, operation: &BinaryOperationNode, left: &Known, right: &Known) -> bool {
        match operation.operator {
            And | Or | Xor | Implies => {
                self.check_boolean(&operation.left, left, Some(operation));
                self.check_boolean(&operation.right, right, Some(operation));
                true
            }
            Equal | NotEqual | LessThan | LessThanOrEqual | GreaterThan | GreaterThanOrEqual => {
                if self.check_degenerate(operation) {
                    return true;
                }
                self.check_dates(operation, &left.types, &right.types);
                self.check_kinds(operation, &left.types, &right.types)
            }
            In | Contains => {
                self.check_member(operation);
                self.check_kinds(operation, &left.types, &right.types)
            }
            Equivalent | NotEquivalent | Add | Subtract | Multiply | Divide | IntegerDivide | Modulo => {
                self.check_kinds(operation, &left.types, &right.types)
            }
            Is | As => {
                if let Some(value) = literal(&operation.right) {
                    let path = path_text(&operation.left).unwrap_or_else(|| "x".to_owned());
                    let message = "`is` and `as` take the name of a type".to_owned();
                    let hint = format!("write `{path} = {}`", value.value);
                    self.error(extent(&operation.right), message, Some(hint));
                }
                true
            }
            Union => {
                self.check_union(&operation.left, &operation.right, left, right);
                true
            }
            Concatenate => true,
        }
    }

    /// `a.exists() | b.exists()`: HL7's own example of a trigger has it.
    fn check_union(&mut self, one: &ExpressionNode, other: &ExpressionNode, left: &Known, right: &Known) {
        let is_answer = |node: &ExpressionNode, known: &Known| {
            literal(node).is_none()
                && path_text(node).is_none_or(|path| path.ends_with(')'))
                && is_boolean(&known.types)
        };
        if is_answer(one, left) && is_answer(other, right) {
            let message = "`|` makes a list of both answers, and a list of true and false is an evaluation error";
            self.problem(Severity::Warning, extent(other), message.into(), Some("write `or`".into()));
        }
    }

    /// `list contains ('a' | 'b')`: membership is asked of one item.
    fn check_member(&mut self, operation: &BinaryOperationNode) {
        let (item, list) = match operation.operator {
            In => (&operation.left, &operation.right),
            _ => (&operation.right, &operation.left),
        };
        let (Some(texts), Some(path)) = (united_literals(item), path_text(list)) else { return };
        let message = "membership is asked of one item: several are an evaluation error".to_owned();
        self.problem(
            Severity::Warning,
            extent(item),
            message,
            Some(format!("write `{path}.exists($this in ({texts}))`")),
        );
    }

    /// `list[criterion]`.
    pub(super) fn check_index(&mut self, access: &IndexAccessNode, index: &Known) {
        let Some(kinds) = kinds::of(&index.types).filter(|kinds| !kinds.contains(&Kind::Number)) else { return };
        let path = path_text(&access.object).unwrap_or_else(|| "x".to_owned());
        let hint = match kinds.as_slice() {
            [Kind::Boolean] => format!("write `{path}.where(...)` to filter"),
            _ => format!("write `{path}[0]`, or `{path}.where(...)` to filter"),
        };
        let message = format!("an index is a number, not {}", kinds::list(&kinds));
        self.error(extent(&access.index), message, Some(hint));
    }

    /// What stands for true or false although it is no boolean.
    pub(super) fn check_boolean(
        &mut self,
        node: &ExpressionNode,
        known: &Known,
        operation: Option<&BinaryOperationNode>,
    ) {
        if !known.types.never_boolean() {
            return;
        }
        let what = known.types.first().unwrap_or_default();
        if united_literals(node).is_some() {
            let message = "several values stand where one boolean must".to_owned();
            return self.error(extent(node), message, Some("compare with them: `x in ('a' | 'b')`".into()));
        }
        let Some(value) = literal(node) else {
            let path = path_text(node).unwrap_or_else(|| "it".to_owned());
            let message = format!("a boolean is asked for here, and this is of type {what}");
            let hint = format!("compare it, or write `{path}.exists()`");
            return self.problem(Severity::Warning, extent(node), message, Some(hint));
        };
        let repeated = operation.filter(|operation| operation.operator == Or).and_then(|operation| {
            let compared = last_comparison(&operation.left)?;
            let (path, first) = (path_text(&compared.left)?, &literal(&compared.right)?.value);
            Some(format!("write `{path} = {0}`, or `{path} in ({first} | {0})`", value.value))
        });
        let hint = repeated.unwrap_or_else(|| "an operator binds what stands next to it only: compare this too".into());
        self.problem(Severity::Warning, extent(node), format!("this {what} stands where a boolean must"), Some(hint));
    }

    /// Comparisons that come to the same whatever the event is; whether this is one.
    fn check_degenerate(&mut self, operation: &BinaryOperationNode) -> bool {
        let (left, right) = (&*operation.left, &*operation.right);
        for (side, other) in [(right, left), (left, right)] {
            if is_empty_collection(side) {
                let path = path_text(other).unwrap_or_else(|| "x".to_owned());
                let function = if operation.operator == NotEqual { "exists" } else { "empty" };
                let message = "a comparison with `{}` is always empty, which does not fire".to_owned();
                self.problem(Severity::Warning, extent(side), message, Some(format!("write `{path}.{function}()`")));
                return true;
            }
            if matches!(operation.operator, Equal | NotEqual)
                && let Some(texts) = united_literals(side)
                && !is_list_of_literals(other)
            {
                let path = path_text(other).unwrap_or_else(|| "x".to_owned());
                let is_equal = operation.operator == Equal;
                // `in` takes one item on its left
                let hint = match (path.contains('.'), is_equal) {
                    (false, true) => format!("write `{path} in ({texts})`"),
                    (false, false) => format!("write `({path} in ({texts})).not()`"),
                    (true, true) => format!("write `{path}.exists($this in ({texts}))`"),
                    (true, false) => format!("write `{path}.exists($this in ({texts})).not()`"),
                };
                let message = "`=` and `!=` compare with all of these at once, not with each".to_owned();
                self.problem(Severity::Warning, extent(side), message, Some(hint));
                return true;
            }
        }
        let same = path_text(left).is_some_and(|path| path_text(right).is_some_and(|other| path == other));
        if same {
            let message = "both sides are the same".to_owned();
            let hint = "one of them may be meant to be `%previous` or `%current`".to_owned();
            self.problem(Severity::Warning, extent_of(operation), message, Some(hint));
        }
        same
    }

    /// `x = 'a' and x = 'b'` is never true, `x != 'a' or x != 'b'` is always: what the chain can come to then.
    fn check_exclusion(&mut self, operation: &BinaryOperationNode, seen: &mut Exclusions) -> Option<outcomes::Set> {
        let (comparison, message, other, set) = match operation.operator {
            And => (Equal, "is never true: it cannot be equal to both", "or", FALSE | EMPTY),
            Or => (NotEqual, "is always true where there is a value: it cannot be equal to both", "and", TRUE | EMPTY),
            _ => return None,
        };
        if seen.operator != Some(operation.operator) {
            *seen = Exclusions { operator: Some(operation.operator), tests: Vec::new() };
            seen.tests.extend(test(&operation.left, comparison));
        }
        let (path, text) = test(&operation.right, comparison)?;
        let clash = seen.tests.iter().any(|(known, earlier)| *known == path && *earlier != text);
        if !clash {
            seen.tests.push((path, text));
            return None;
        }
        let operator = if operation.operator == And { "and" } else { "or" };
        let message = format!("`{path}` with both of these, joined by `{operator}`, {message}");
        self.problem(Severity::Warning, extent(&operation.right), message, Some(format!("write `{other}`")));
        Some(set)
    }

    /// Operands whose types do not go together; whether they do.
    fn check_kinds(&mut self, operation: &BinaryOperationNode, left: &Types, right: &Types) -> bool {
        let (Some(lefts), Some(rights)) = (kinds::of(left), kinds::of(right)) else { return true };
        let operator = operation.operator;
        let (left, right) =
            (Operand { node: &operation.left, kinds: &lefts }, Operand { node: &operation.right, kinds: &rights });
        let is_left = literal(left.node).is_some() && literal(right.node).is_none();
        let (value, other) = if is_left { (&right, &left) } else { (&left, &right) };
        let hint = || kinds::hint(sign(operator), value, other);
        let (one, two) = (kinds::list(&lefts), kinds::list(&rights));
        if !lefts.iter().any(|one| rights.iter().any(|other| kinds::fit(operator, one, other))) {
            let (severity, message) = match operator {
                Equal | NotEqual | Equivalent | NotEquivalent | In | Contains => {
                    (Severity::Warning, format!("{one} is never equal to {two}"))
                }
                LessThan | LessThanOrEqual | GreaterThan | GreaterThanOrEqual => {
                    (Severity::Error, format!("{one} and {two} have no order"))
                }
                _ => (Severity::Error, format!("`{}` does not take {one} and {two}", sign(operator))),
            };
            self.problem(severity, extent(other.node), message, hint());
            return false;
        }
        if let Some(reason) = kinds::doubt(operator, value.kinds, other.kinds) {
            self.problem(Severity::Warning, extent(other.node), reason.into(), hint());
        }
        true
    }

    /// A dateTime compared with a day is empty during that day, whatever the operator (FHIRPath: different precision).
    fn check_dates(&mut self, operation: &BinaryOperationNode, left: &Types, right: &Types) {
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
}

/// Tests of paths against texts in a chain of one operator.
#[derive(Default)]
struct Exclusions {
    operator: Option<BinaryOperator>,
    tests: Vec<(String, String)>,
}

/// The path and the text that a comparison tests.
fn test(node: &ExpressionNode, operator: BinaryOperator) -> Option<(String, String)> {
    match node {
        ExpressionNode::Parenthesized(inner) => test(inner, operator),
        ExpressionNode::BinaryOperation(operation) if operation.operator == operator => {
            match &literal(&operation.right)?.value {
                LiteralValue::String(text) => Some((path_text(&operation.left)?, text.clone())),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The comparison at the end of a chain of `or`.
fn last_comparison(node: &ExpressionNode) -> Option<&BinaryOperationNode> {
    match node {
        ExpressionNode::BinaryOperation(operation) if operation.operator == Equal => Some(operation),
        ExpressionNode::BinaryOperation(operation) if operation.operator == Or => last_comparison(&operation.right),
        ExpressionNode::Parenthesized(inner) => last_comparison(inner),
        _ => None,
    }
}

/// How many literals of a list a hint repeats.
const MAX_LISTED: usize = 4;

/// `'a' | 'b'` as it was written, shortened.
fn united_literals(node: &ExpressionNode) -> Option<String> {
    let mut node = node;
    while let ExpressionNode::Parenthesized(inner) = node {
        node = inner;
    }
    let mut texts = Vec::new();
    while let Some((left, right)) = union_of(node) {
        texts.push(literal(right)?.value.to_string());
        node = left;
    }
    texts.push(literal(node)?.value.to_string());
    texts.reverse();
    let more = if texts.len() > MAX_LISTED { " | ..." } else { "" };
    (texts.len() > 1).then(|| format!("{}{more}", texts[..texts.len().min(MAX_LISTED)].join(" | ")))
}

fn union_of(node: &ExpressionNode) -> Option<(&ExpressionNode, &ExpressionNode)> {
    match node {
        ExpressionNode::Union(union) => Some((&union.left, &union.right)),
        ExpressionNode::BinaryOperation(operation) if operation.operator == Union => {
            Some((&operation.left, &operation.right))
        }
        _ => None,
    }
}

fn is_list_of_literals(node: &ExpressionNode) -> bool {
    literal(node).is_some() || united_literals(node).is_some()
}

fn extent_of(operation: &BinaryOperationNode) -> Option<std::ops::Range<usize>> {
    span(operation.location.as_ref())
}

fn is_boolean(types: &Types) -> bool {
    types.names().is_some_and(|names| names == [BOOLEAN])
}

fn unite(left: Known, right: Known) -> Known {
    Known::new(left.types.or(right.types), outcomes::union(left.outcomes, right.outcomes))
}

/// What an operator gives.
fn outcome(operator: BinaryOperator, left: Known, right: Known) -> Known {
    let (one, other) = (left.outcomes, right.outcomes);
    let types = match operator {
        Union => return unite(left, right),
        As => return Known::unknown(),
        Concatenate => Types::one("string"),
        Add | Subtract | Multiply | Divide | Modulo | IntegerDivide => sum(operator, left.types, right.types),
        _ => Types::one(BOOLEAN),
    };
    let outcomes = match operator {
        Concatenate => Outcomes::all(OTHER),
        Add | Subtract | Multiply | Divide | Modulo | IntegerDivide => outcomes::strict(one, other, OTHER | EMPTY),
        And => outcomes::logic(one, other, outcomes::and),
        Or => outcomes::logic(one, other, outcomes::or),
        Xor => outcomes::logic(one, other, outcomes::xor),
        Implies => outcomes::logic(one, other, outcomes::implies),
        In => outcomes::member(one, other),
        Contains => outcomes::member(other, one),
        Equivalent => outcomes::equivalent(one, other),
        NotEquivalent => outcomes::call("not", outcomes::equivalent(one, other), &[], &types),
        _ => outcomes::strict(one, other, TRUE | FALSE | EMPTY),
    };
    Known::new(types, outcomes)
}

/// What arithmetic gives. A number may become a quantity by its other operand.
fn sum(operator: BinaryOperator, left: Types, right: Types) -> Types {
    let is_number = |types: &Types| kinds::of(types).is_some_and(|kinds| kinds == [Kind::Number]);
    match kinds::of(&left) {
        Some(kinds) if matches!(operator, Add | Subtract) && (kinds != [Kind::Number] || is_number(&right)) => left,
        Some(_) if is_number(&left) && is_number(&right) => Types::one("decimal"),
        _ => Types::unknown(),
    }
}

/// After a sum that cannot be, nothing is known.
fn without_sums(types: Types) -> Types {
    if types.first() == Some(BOOLEAN) { types } else { Types::unknown() }
}

fn sign(operator: BinaryOperator) -> &'static str {
    match operator {
        Add => "+",
        Subtract => "-",
        Multiply => "*",
        Divide => "/",
        IntegerDivide => "div",
        Modulo => "mod",
        Equal => "=",
        NotEqual => "!=",
        Equivalent => "~",
        NotEquivalent => "!~",
        LessThan => "<",
        LessThanOrEqual => "<=",
        GreaterThan => ">",
        GreaterThanOrEqual => ">=",
        In => "in",
        Contains => "contains",
        _ => "",
    }
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
        ExpressionNode::BinaryOperation(BinaryOperationNode { left, operator: Add | Subtract, .. }) => bound_of(left),
        _ => None,
    }
}
