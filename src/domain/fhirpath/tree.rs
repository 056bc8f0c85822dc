//! Questions to the syntax tree that need no types.

use octofhir_fhirpath::ast::{BinaryOperator, ExpressionNode};

use super::catalog::{self, Gives};

/// The left operand of an operator.
pub(super) fn left_operand(node: &ExpressionNode) -> Option<&ExpressionNode> {
    match node {
        ExpressionNode::BinaryOperation(operation) => Some(&operation.left),
        ExpressionNode::Union(union) => Some(&union.left),
        _ => None,
    }
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
