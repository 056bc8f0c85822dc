//! What the parts of a criterion give on one event, for people who ask why it fired or not.
//!
//! ```text
//! syntax tree -> parts worth showing (operands, receivers, arguments; of a lambda: its items)
//!                 each: its text -> general engine, on the focus or on the item -> what it gave
//! ```
//!
//! This only shows. What fires is decided by the code that runs in service; where that has a program of its own for the
//! criterion, the general engine's answer stands beside it and may differ in what docs/conformance.md tells.
//!
//! Bounded: so many parts, items and values, and one budget of steps for all of them; what is left out is said.

mod seen;
mod span;

use octofhir_fhirpath::ast::{BinaryOperator, ExpressionNode};
use octofhir_fhirpath::{Collection, EvaluationContext, FhirPathValue};

pub use self::seen::Seen;
use super::budget::{self, Budget, Terms};
use super::compiled::EventText;
use super::engine;
use super::tree::call;
use super::{Compiled, Criterion, EvaluationError, FhirPath, Subject, catalog};

/// The most parts of one criterion that are looked at.
const MAX_PARTS: usize = 200;

/// The deepest part that is looked at.
const MAX_DEPTH: usize = 24;

/// The most items of a lambda's input whose criterion is shown.
const MAX_ITEMS: usize = 4;

/// A part of a criterion, and what it gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The part as it was written, in one line.
    pub text: String,
    /// What it gave.
    pub seen: Seen,
    /// What it is made of.
    pub parts: Vec<Part>,
    /// Of a lambda (`where`, `exists`, `all`, `select`): its argument on the items of the input.
    pub items: Vec<Item>,
    /// How many more items there are.
    pub more_items: usize,
}

/// The argument of a lambda on one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The item's position in the input, from 0.
    pub index: usize,
    /// The item.
    pub value: Seen,
    /// The argument on it.
    pub part: Part,
}

impl FhirPath {
    /// What the parts of a criterion give on an event. The steps of all of them are taken from the budget.
    ///
    /// # Errors
    /// When the event cannot be converted for the general engine.
    pub fn parts(
        &self,
        criterion: &Criterion,
        event: &EventText<'_>,
        budget: &mut Budget,
    ) -> Result<Part, EvaluationError> {
        let subject = event.convert(budget.memory())?;
        let compiled = &*criterion.0;
        if compiled.findings.reads_clock {
            subject.clock.call_once(|| subject.set_clock());
        }
        let mut walk = Walk { compiled, subject: &subject, budget, parts: 0 };
        Ok(walk.part(&compiled.tree, &subject.context, 0))
    }
}

struct Walk<'w> {
    compiled: &'w Compiled,
    subject: &'w Subject,
    budget: &'w mut Budget,
    /// How many parts were looked at.
    parts: usize,
}

impl Walk<'_> {
    /// A part and all below it, in this context.
    fn part(&mut self, node: &ExpressionNode, context: &EvaluationContext, depth: usize) -> Part {
        let node = without_brackets(node);
        self.parts += 1;
        let result = self.evaluate(node, context);
        let mut part = Part {
            text: self.text_of(node),
            seen: Seen::of(&result),
            parts: Vec::new(),
            items: Vec::new(),
            more_items: 0,
        };
        if depth < MAX_DEPTH && !self.compiled.findings.defines_variables {
            self.descend(&mut part, node, result.as_ref().ok(), context, depth);
        }
        part
    }

    fn descend(
        &mut self,
        part: &mut Part,
        node: &ExpressionNode,
        result: Option<&Collection>,
        context: &EvaluationContext,
        depth: usize,
    ) {
        if is_plain_path(node) {
            if result.is_none_or(Collection::is_empty) {
                part.parts.extend(self.last_that_gives(node, context, depth));
            }
            return;
        }
        for operand in operands(node) {
            if self.parts < MAX_PARTS && tells_something(operand) {
                part.parts.push(self.part(operand, context, depth + 1));
            }
        }
        if let Some((input, argument)) = lambda(node) {
            let input = match input {
                Some(input) => self.evaluate(input, context).unwrap_or_else(|_| Collection::empty()),
                None => context.input_collection().clone(),
            };
            self.items(part, &input, argument, context, depth);
        }
    }

    /// Of a path that gives nothing: the longest beginning that gives something.
    fn last_that_gives(&mut self, node: &ExpressionNode, context: &EvaluationContext, depth: usize) -> Option<Part> {
        let mut before = step_before(node);
        while let Some(node) = before.filter(|_| self.parts < MAX_PARTS) {
            self.parts += 1;
            let result = self.evaluate(node, context);
            if result.as_ref().is_ok_and(|found| !found.is_empty()) {
                return tells_something(node).then(|| self.part(node, context, depth + 1));
            }
            before = step_before(node);
        }
        None
    }

    fn items(
        &mut self,
        part: &mut Part,
        input: &Collection,
        argument: &ExpressionNode,
        context: &EvaluationContext,
        depth: usize,
    ) {
        for (index, item) in input.iter().enumerate().take(MAX_ITEMS) {
            if self.parts >= MAX_PARTS {
                break;
            }
            let of_item = context.create_child_context(Collection::single(item.clone()));
            of_item.set_this(item.clone());
            of_item.set_index(index);
            let value = Seen::of(&Ok(Collection::single(item.clone())));
            part.items.push(Item { index, value, part: self.part(argument, &of_item, depth + 1) });
        }
        part.more_items = input.len() - part.items.len();
    }

    /// What a part gives, compiled and paid for as the whole criterion is.
    fn evaluate(&mut self, node: &ExpressionNode, context: &EvaluationContext) -> Result<Collection, EvaluationError> {
        let Walk { compiled, subject, .. } = self;
        let span = span::written(compiled.normalized.text(), node).ok_or(EvaluationError::Failed)?;
        let engine = engine::engine(subject.release);
        let plan = engine.compile(&compiled.part_for(span, subject.states)).map_err(|_| EvaluationError::Failed)?;
        let toll = compiled.findings.toll(subject.shape.nodes);
        let terms = Terms { toll, shape: &subject.shape, trees: subject.size };
        // Nested: what a part defines is none of the others'.
        let result = budget::metered(self.budget, &terms, || engine.run(&plan, &context.nest()));
        result?.map_err(|engine::EngineFailed| EvaluationError::Failed)
    }

    /// The part as its author wrote it; white space, which may be line breaks, as one blank.
    fn text_of(&self, node: &ExpressionNode) -> String {
        let normalized = &self.compiled.normalized;
        let Some(span) = span::written(normalized.text(), node) else { return String::new() };
        let written = self.compiled.text.get(normalized.original(span)).unwrap_or_default();
        written.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// What stands inside of brackets.
fn without_brackets(mut node: &ExpressionNode) -> &ExpressionNode {
    while let ExpressionNode::Parenthesized(inner) = node {
        node = inner;
    }
    node
}

/// Whether a part is nothing but steps from element to element, whose values between tell little.
fn is_plain_path(node: &ExpressionNode) -> bool {
    match node {
        ExpressionNode::Identifier(_) | ExpressionNode::Variable(_) => true,
        ExpressionNode::PropertyAccess(access) => is_plain_path(&access.object),
        ExpressionNode::IndexAccess(access) => {
            is_plain_path(&access.object) && matches!(*access.index, ExpressionNode::Literal(_))
        }
        _ => false,
    }
}

/// A path without its last step.
fn step_before(node: &ExpressionNode) -> Option<&ExpressionNode> {
    match node {
        ExpressionNode::PropertyAccess(access) => Some(&access.object),
        ExpressionNode::IndexAccess(access) => Some(&access.object),
        _ => None,
    }
}

/// Whether the value of a part is anything but its own text, or the item that is shown already.
fn tells_something(node: &ExpressionNode) -> bool {
    match without_brackets(node) {
        ExpressionNode::Literal(_) | ExpressionNode::TypeInfo(_) => false,
        ExpressionNode::Variable(variable) => !matches!(variable.name.as_str(), "this" | "index" | "total"),
        ExpressionNode::Collection(collection) => collection.elements.iter().any(tells_something),
        ExpressionNode::Union(union) => tells_something(&union.left) || tells_something(&union.right),
        ExpressionNode::UnaryOperation(operation) => tells_something(&operation.operand),
        _ => true,
    }
}

/// The parts that a part is made of and that are evaluated where it is. A chain of one operator is one list.
fn operands(node: &ExpressionNode) -> Vec<&ExpressionNode> {
    match node {
        ExpressionNode::BinaryOperation(operation) => {
            let mut operands = vec![&*operation.right];
            let mut left = &*operation.left;
            while let ExpressionNode::BinaryOperation(inner) = left
                && inner.operator == operation.operator
                && matches!(operation.operator, BinaryOperator::And | BinaryOperator::Or)
            {
                operands.push(&inner.right);
                left = &inner.left;
            }
            operands.push(left);
            operands.reverse();
            operands
        }
        ExpressionNode::Union(union) => vec![&union.left, &union.right],
        ExpressionNode::UnaryOperation(operation) => vec![&operation.operand],
        ExpressionNode::PropertyAccess(access) => vec![&access.object],
        ExpressionNode::IndexAccess(access) => vec![&access.object, &access.index],
        ExpressionNode::TypeCast(cast) => vec![&cast.expression],
        ExpressionNode::TypeCheck(check) => vec![&check.expression],
        ExpressionNode::Collection(collection) => collection.elements.iter().collect(),
        _ => call(node).map(|(name, arguments, receiver)| of_call(name, arguments, receiver)).unwrap_or_default(),
    }
}

fn of_call<'n>(
    name: &str,
    arguments: &'n [ExpressionNode],
    receiver: Option<&'n ExpressionNode>,
) -> Vec<&'n ExpressionNode> {
    let here = match name {
        // Evaluated on the input, which is the focus where nothing is in front of it.
        "iif" => receiver.is_none(),
        _ => !catalog::is_lambda(name) && !catalog::takes_type(name),
    };
    receiver.into_iter().chain(arguments.iter().filter(|_| here)).collect()
}

/// Input and argument of a call whose argument is evaluated for each item.
fn lambda(node: &ExpressionNode) -> Option<(Option<&ExpressionNode>, &ExpressionNode)> {
    let (name, arguments, receiver) = call(node)?;
    let argument = arguments.first()?;
    matches!(name, "where" | "select" | "all" | "exists").then_some((receiver, argument))
}

/// The values of a result, without the engine's collections in collections.
fn values(result: &Collection) -> Vec<&FhirPathValue> {
    let mut found = Vec::new();
    for value in result.iter() {
        match value {
            FhirPathValue::Empty => {}
            FhirPathValue::Collection(inner) => found.extend(values(inner)),
            value => found.push(value),
        }
    }
    found
}

#[cfg(test)]
mod tests;
