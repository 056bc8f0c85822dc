//! Functions over collections, and where the others are found.

use octofhir_fhirpath::ast::{ExpressionNode, LiteralNode, LiteralValue, UnaryOperator};
use octofhir_fhirpath::core::SourceLocation;

use super::super::program::{Expr, If, Scalar, Test, TypeId};
use super::shape::Shape;
use super::{Compiled, Compiler, Context, Typed, into_test, scalar, test};
use crate::domain::fhirpath::tree::{call, written_type};

mod values;

/// A call of a function.
pub(super) struct Call<'n> {
    pub(super) name: &'n str,
    pub(super) arguments: &'n [ExpressionNode],
    pub(super) location: Option<&'n SourceLocation>,
    /// Whether it is called on something, not on `$this`.
    pub(super) has_receiver: bool,
    pub(super) depth: usize,
}

impl Compiler<'_> {
    pub(super) fn call(&mut self, node: &ExpressionNode, context: &Context<'_>, depth: usize) -> Compiled {
        let Some((name, arguments, receiver)) = call(node) else {
            return self.unsupported(node.location(), "it is no FHIRPath that is known here");
        };
        let input = match receiver {
            Some(receiver) => self.node(receiver, context, depth + 1)?,
            None => Typed { expr: Expr::This, shape: context.this.clone() },
        };
        let call =
            Call { name, arguments, location: node.location(), has_receiver: receiver.is_some(), depth: depth + 1 };
        match arguments {
            _ if name == "sort" => self.sort(input, &call),
            [] => self.call_alone(input, &call),
            [argument] => self.call_with_one(input, argument, &call, context),
            _ => self.call_with_more(input, &call, context),
        }
    }

    fn call_alone(&mut self, input: Typed, call: &Call<'_>) -> Compiled {
        let Typed { expr, shape } = input;
        let boxed = |expr| Box::new(expr);
        let same = |expr| Ok(Typed { expr, shape: shape.clone() });
        match call.name {
            "exists" => Ok(test(Test::Exists(expr))),
            "empty" => Ok(test(Test::Empty(expr))),
            "not" => Ok(test(Test::Not(boxed_test(expr)))),
            "count" => Ok(scalar(Scalar::Count(expr), TypeId::INTEGER)),
            "first" => same(Expr::First(boxed(expr))),
            "last" => same(Expr::Last(boxed(expr))),
            "single" => same(Expr::Single(boxed(expr))),
            "tail" => {
                let count = boxed(Expr::Constant(1.into()));
                same(Expr::Skip { input: boxed(expr), count })
            }
            "distinct" => {
                self.read_compared(&shape, &shape);
                same(Expr::Distinct(boxed(expr)))
            }
            "isDistinct" => {
                self.read_compared(&shape, &shape);
                Ok(test(Test::IsDistinct(expr)))
            }
            "allTrue" | "allFalse" | "anyTrue" | "anyFalse" => {
                if !self.is_boolean(&shape) {
                    return self.unsupported(call.location, "its items may be something else than booleans");
                }
                let (all, expected) = (call.name.starts_with("all"), call.name.ends_with("True"));
                Ok(test(Test::Booleans { input: expr, all, expected }))
            }
            _ => self.value_call(Typed { expr, shape }, Vec::new(), call),
        }
    }

    fn call_with_one(
        &mut self,
        input: Typed,
        argument: &ExpressionNode,
        call: &Call<'_>,
        context: &Context<'_>,
    ) -> Compiled {
        let location = call.location;
        match call.name {
            "where" | "exists" | "all" => {
                let inner = Context { this: &input.shape, is_item: true };
                let argument = self.node(argument, &inner, call.depth)?;
                let criterion = Box::new(self.criterion(argument, location)?);
                let Typed { expr: input, shape } = input;
                return Ok(match call.name {
                    "where" => Typed { expr: Expr::Where { input: Box::new(input), criterion }, shape },
                    "exists" => test(Test::Any { input, criterion }),
                    _ => test(Test::All { input, criterion }),
                });
            }
            "select" => {
                let inner = Context { this: &input.shape, is_item: true };
                let Typed { expr, shape } = self.node(argument, &inner, call.depth)?;
                let expr = Expr::Select { input: Box::new(input.expr), projection: Box::new(expr) };
                return Ok(Typed { expr, shape });
            }
            "is" | "as" | "ofType" => {
                let Some(name) = written_type(argument) else {
                    return self.unsupported(location, "the type is not written as a name");
                };
                return match call.name {
                    "is" => self.is(input, &name, location),
                    name_of => self.cast(input, &name, name_of == "as", location),
                };
            }
            "trace" => return self.trace(input, call),
            _ => {}
        }
        // All other arguments are evaluated where the call stands, not on its input.
        let argument = self.node(argument, context, call.depth)?;
        let boxed = |typed: Typed| Box::new(typed.expr);
        match call.name {
            "skip" | "take" => {
                self.require(&argument, TypeId::INTEGER, location)?;
                let shape = input.shape.clone();
                let (input, count) = (boxed(input), boxed(argument));
                let is_skip = call.name == "skip";
                let expr = if is_skip { Expr::Skip { input, count } } else { Expr::Take { input, count } };
                Ok(Typed { expr, shape })
            }
            "union" => self.union(input, argument, location),
            "combine" => {
                let shape = input.shape.clone().or(&argument.shape);
                Ok(Typed { expr: Expr::Combine(boxed(input), boxed(argument)), shape })
            }
            "intersect" | "exclude" => {
                self.read_compared(&input.shape, &argument.shape);
                self.read_compared(&input.shape, &input.shape);
                let shape = input.shape.clone();
                let make = if call.name == "intersect" { Expr::Intersect } else { Expr::Exclude };
                Ok(Typed { expr: make(boxed(input), boxed(argument)), shape })
            }
            "subsetOf" | "supersetOf" => {
                self.read_compared(&input.shape, &argument.shape);
                let (input, argument) = (input.expr, argument.expr);
                let is_subset = call.name == "subsetOf";
                Ok(test(if is_subset { Test::Subset(input, argument) } else { Test::Subset(argument, input) }))
            }
            "extension" => self.extension(input, argument, location),
            _ => self.value_call(input, vec![argument], call),
        }
    }

    fn call_with_more(&mut self, input: Typed, call: &Call<'_>, context: &Context<'_>) -> Compiled {
        match (call.name, call.arguments) {
            ("iif", [criterion, then]) => self.iif(input, [criterion, then], None, call, context),
            ("iif", [criterion, then, otherwise]) => self.iif(input, [criterion, then], Some(otherwise), call, context),
            ("trace", [_, _]) => self.trace(input, call),
            _ => {
                let arguments = call.arguments.iter().map(|argument| self.node(argument, context, call.depth));
                let arguments = arguments.collect::<Compiled<Vec<_>>>()?;
                self.value_call(input, arguments, call)
            }
        }
    }

    /// `iif`: on at most one item, which is `$this` inside.
    fn iif(
        &mut self,
        input: Typed,
        [criterion, then]: [&ExpressionNode; 2],
        otherwise: Option<&ExpressionNode>,
        call: &Call<'_>,
        context: &Context<'_>,
    ) -> Compiled {
        let inner = Context { this: &input.shape, is_item: context.is_item };
        let criterion = self.node(criterion, &inner, call.depth)?;
        // Anything but a boolean is an error when it comes, by the official suites.
        let criterion =
            if self.is_boolean(&criterion.shape) { into_test(criterion.expr) } else { Test::Strict(criterion.expr) };
        let then = self.node(then, &inner, call.depth)?;
        let otherwise = match otherwise {
            Some(otherwise) => self.node(otherwise, &inner, call.depth)?,
            None => Typed { expr: Expr::Nothing, shape: Shape::default() },
        };
        let shape = then.shape.or(&otherwise.shape);
        let input = call.has_receiver.then_some(input.expr);
        let choice = If { input, criterion, then: then.expr, otherwise: otherwise.expr };
        Ok(Typed { expr: Expr::If(Box::new(choice)), shape })
    }

    /// `sort` by the items themselves: where items without a key belong is not settled.
    fn sort(&mut self, input: Typed, call: &Call<'_>) -> Compiled {
        let is_this =
            |node: &ExpressionNode| matches!(node, ExpressionNode::Variable(variable) if variable.name == "this");
        let descending = match call.arguments {
            [] => false,
            [key] if is_this(key) => false,
            [ExpressionNode::UnaryOperation(sign)] if is_this(&sign.operand) => sign.operator == UnaryOperator::Negate,
            _ => return self.unsupported(call.location, "it sorts by something else than its items"),
        };
        let is_text = input.shape.all(|of| self.types.system_type(of) == Some(TypeId::STRING));
        let is_number = |of| of == TypeId::INTEGER || of == TypeId::DECIMAL;
        if !is_text && !input.shape.all(|of| self.types.system_type(of).is_some_and(is_number)) {
            return self.unsupported(call.location, "it sorts something else than texts or numbers");
        }
        Ok(Typed { expr: Expr::Sort { input: Box::new(input.expr), descending }, shape: input.shape })
    }

    /// `trace` gives its input and prints nothing: content is patient data.
    fn trace(&mut self, input: Typed, call: &Call<'_>) -> Compiled {
        match call.arguments.first() {
            Some(ExpressionNode::Literal(LiteralNode { value: LiteralValue::String(_), .. })) => Ok(input),
            _ => self.unsupported(call.location, "the name is computed"),
        }
    }
}

fn boxed_test(expr: Expr) -> Box<Test> {
    Box::new(into_test(expr))
}
