//! Questions to the syntax tree that need no types.

use std::ops::Range;

use octofhir_fhirpath::ast::{BinaryOperator, ExpressionNode, LiteralNode, LiteralValue};

use super::catalog::{self, Gives};

/// The left operand of an operator.
fn left_operand(node: &ExpressionNode) -> Option<&ExpressionNode> {
    match node {
        ExpressionNode::BinaryOperation(operation) => Some(&operation.left),
        ExpressionNode::Union(union) => Some(&union.left),
        _ => None,
    }
}

/// A chain of operators (`a or b or c`), so that it is walked without a stack frame for each: the first operand, and the
/// operators from left to right.
pub(super) fn chain(node: &ExpressionNode) -> (&ExpressionNode, Vec<&ExpressionNode>) {
    let mut operators = Vec::new();
    let mut first = node;
    while let Some(left) = left_operand(first) {
        operators.push(first);
        first = left;
    }
    operators.reverse();
    (first, operators)
}

/// Name, arguments and receiver of a call.
pub(super) fn call(node: &ExpressionNode) -> Option<(&str, &[ExpressionNode], Option<&ExpressionNode>)> {
    match node {
        ExpressionNode::FunctionCall(call) => Some((&call.name, &call.arguments, None)),
        ExpressionNode::MethodCall(call) => Some((&call.method, &call.arguments, Some(&call.object))),
        _ => None,
    }
}

/// The nodes below a node.
pub(super) fn children(node: &ExpressionNode) -> Vec<&ExpressionNode> {
    match node {
        ExpressionNode::FunctionCall(call) => call.arguments.iter().collect(),
        ExpressionNode::MethodCall(call) => std::iter::once(&*call.object).chain(&call.arguments).collect(),
        ExpressionNode::PropertyAccess(access) => vec![&access.object],
        ExpressionNode::IndexAccess(access) => vec![&access.object, &access.index],
        ExpressionNode::BinaryOperation(operation) => vec![&operation.left, &operation.right],
        ExpressionNode::Union(union) => vec![&union.left, &union.right],
        ExpressionNode::UnaryOperation(operation) => vec![&operation.operand],
        ExpressionNode::Parenthesized(inner) => vec![inner],
        ExpressionNode::TypeCast(cast) => vec![&cast.expression],
        ExpressionNode::TypeCheck(check) => vec![&check.expression],
        ExpressionNode::Collection(collection) => collection.elements.iter().collect(),
        ExpressionNode::Lambda(lambda) => vec![&lambda.body],
        ExpressionNode::Filter(filter) => vec![&filter.base, &filter.condition],
        ExpressionNode::Path(path) => vec![&path.base],
        ExpressionNode::Literal(_)
        | ExpressionNode::Identifier(_)
        | ExpressionNode::Variable(_)
        | ExpressionNode::TypeInfo(_) => Vec::new(),
    }
}

/// The type name that an argument of is(), as() or ofType() writes.
pub(super) fn written_type(node: &ExpressionNode) -> Option<String> {
    match node {
        ExpressionNode::Identifier(identifier) => Some(identifier.name.clone()),
        ExpressionNode::PropertyAccess(access) => match &*access.object {
            ExpressionNode::Identifier(namespace) => Some(format!("{}.{}", namespace.name, access.property)),
            _ => None,
        },
        ExpressionNode::Parenthesized(inner) => written_type(inner),
        _ => None,
    }
}

/// Whether an expression only goes down into the tree of its input or is constant, so that repeating it ends.
pub(super) fn is_path(node: &ExpressionNode) -> bool {
    match node {
        ExpressionNode::Identifier(_) | ExpressionNode::Literal(_) => true,
        ExpressionNode::PropertyAccess(access) => is_path(&access.object) || is_item(&access.object),
        ExpressionNode::IndexAccess(access) => is_path(&access.object),
        ExpressionNode::Parenthesized(inner) => is_path(inner),
        ExpressionNode::Union(union) => is_path(&union.left) && is_path(&union.right),
        ExpressionNode::TypeCast(cast) => is_path(&cast.expression),
        ExpressionNode::FunctionCall(call) => matches!(call.name.as_str(), "children" | "descendants"),
        ExpressionNode::MethodCall(call) => {
            let narrows =
                matches!(catalog::gives(&call.method), Gives::Input) || matches!(call.method.as_str(), "ofType" | "as");
            let descends = matches!(call.method.as_str(), "children" | "descendants" | "extension");
            (narrows && is_path(&call.object)) || (descends && (is_path(&call.object) || is_item(&call.object)))
        }
        _ => false,
    }
}

/// Whether this is the item itself.
fn is_item(node: &ExpressionNode) -> bool {
    matches!(node, ExpressionNode::Variable(variable) if variable.name == "this")
}

/// Whether a key of sort() reads anything but its item: all keys are kept until the end.
pub(super) fn sorts_by_others(node: &ExpressionNode) -> bool {
    let reads_others =
        matches!(node, ExpressionNode::Variable(variable) if !["this", "index"].contains(&variable.name.as_str()));
    reads_others || children(node).into_iter().any(sorts_by_others)
}

/// Whether an aggregate may double with each item.
pub(super) fn grows(node: &ExpressionNode) -> bool {
    let (mut totals, mut joins) = (0, false);
    let mut pending = vec![node];
    while let Some(node) = pending.pop() {
        match node {
            ExpressionNode::Variable(variable) => totals += usize::from(variable.name == "total"),
            ExpressionNode::BinaryOperation(operation) => {
                joins |= matches!(operation.operator, BinaryOperator::Add | BinaryOperator::Concatenate);
            }
            ExpressionNode::MethodCall(call) => {
                joins |= matches!(call.method.as_str(), "combine" | "replace" | "replaceMatches" | "join" | "select");
            }
            _ => {}
        }
        pending.extend(children(node));
    }
    totals > 1 && joins
}

/// Whether the engine walks or hashes whole trees here without calling a function or an operator of the registry.
pub(super) fn looks_at_trees(node: &ExpressionNode) -> bool {
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

/// The longest path that is written out, in steps.
const MAX_WRITTEN_STEPS: usize = 32;

/// The path that a node is, as it would be written: elements, variables, indexes, and functions of a type or a literal.
pub(super) fn path_text(node: &ExpressionNode) -> Option<String> {
    written_path(node, MAX_WRITTEN_STEPS)
}

fn written_path(node: &ExpressionNode, steps: usize) -> Option<String> {
    let before = |node| written_path(node, steps.checked_sub(1)?);
    match node {
        ExpressionNode::Identifier(identifier) => Some(identifier.name.clone()),
        ExpressionNode::Variable(variable) => {
            let sigil = if matches!(variable.name.as_str(), "this" | "index" | "total") { '$' } else { '%' };
            Some(format!("{sigil}{}", variable.name))
        }
        ExpressionNode::PropertyAccess(access) => Some(format!("{}.{}", before(&access.object)?, access.property)),
        ExpressionNode::IndexAccess(access) => match &*access.index {
            ExpressionNode::Literal(LiteralNode { value: LiteralValue::Integer(index), .. }) => {
                Some(format!("{}[{index}]", before(&access.object)?))
            }
            _ => None,
        },
        ExpressionNode::MethodCall(call) => {
            let argument = |node| match literal(node) {
                Some(literal) => Some(literal.value.to_string()),
                None => written_type(node).filter(|_| catalog::takes_type(&call.method)),
            };
            let arguments: Option<Vec<String>> = call.arguments.iter().map(argument).collect();
            Some(format!("{}.{}({})", before(&call.object)?, call.method, arguments?.join(", ")))
        }
        ExpressionNode::Parenthesized(inner) => before(inner),
        _ => None,
    }
}

/// The literal that a node is.
pub(super) fn literal(node: &ExpressionNode) -> Option<&LiteralNode> {
    match node {
        ExpressionNode::Literal(literal) => Some(literal),
        ExpressionNode::Parenthesized(inner) => literal(inner),
        _ => None,
    }
}

/// Whether this is `{}`.
pub(super) fn is_empty_collection(node: &ExpressionNode) -> bool {
    match node {
        ExpressionNode::Collection(collection) => collection.elements.is_empty(),
        ExpressionNode::Parenthesized(inner) => is_empty_collection(inner),
        _ => false,
    }
}

/// From the first to the last byte of a node that the parser tells of; brackets at its ends are none of it.
pub(super) fn extent(node: &ExpressionNode) -> Option<Range<usize>> {
    let mut whole: Option<Range<usize>> = None;
    let mut pending = Some(node);
    // Down the left side, without a stack frame for each: paths are long, arguments are not.
    while let Some(node) = pending {
        let children = children(node);
        let own = [Some(node), children.last().copied()].into_iter().flatten().filter_map(ExpressionNode::location);
        for location in own {
            let found = location.offset..location.offset + location.length;
            let seen = whole.get_or_insert(found.clone());
            *seen = seen.start.min(found.start)..seen.end.max(found.end);
        }
        pending = children.first().copied();
    }
    whole
}
