//! From the engine's syntax tree to a [`Program`].
//!
//! Everything that can be decided without an event is decided here: which JSON members a step reads, which types a test
//! accepts, what the regular expressions are. Whatever is not known for sure, or not expressible, makes the whole
//! criterion [`Unsupported`]: the general engine evaluates it.

use std::ops::Range;

use octofhir_fhirpath::ast::{BinaryOperator, ExpressionNode, UnaryOperator, VariableNode};
use octofhir_fhirpath::core::SourceLocation;

use self::shape::{Origin, Place, Shape, Side, TypeTable};
use super::program::{Content, Expr, Members, Program, Root, Scalar, State, Test, TypeId};
use super::projection::Projection;
use super::symbols::{Symbol, Symbols};
use crate::domain::event::FhirRelease;
use crate::domain::fhirpath::check::{MAX_CHAIN, MAX_DEPTH};
use crate::domain::fhirpath::lexical::Normalized;
use crate::domain::fhirpath::model;
use crate::domain::fhirpath::tree::{call, chain};

mod functions;
mod literal;
mod operators;
mod path;
pub(super) mod shape;
pub(super) mod system_type;
mod types;

/// How many operators in a row may nest in the program; those of boolean logic, arithmetic and `|` do not.
const MAX_NESTED_OPERATORS: usize = 100;

/// How many JSON members the steps of one program read at most, each type of a choice counted: those of extensions of
/// extensions multiply.
const MAX_TARGETS: usize = 10_000;

/// How many possible places a collection's items have at most.
const MAX_ORIGINS: usize = 1_000;

/// Why a criterion has no program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Unsupported {
    /// Where, in bytes of the author's text, if known.
    pub(in super::super) span: Option<Range<usize>>,
    /// What it is; lower case, no full stop.
    pub(in super::super) reason: &'static str,
}

/// What the programs of a plan read of the states of an event.
#[derive(Debug, Clone)]
pub(super) struct Reads {
    /// Of the focus: the current version, or a delete's last known state.
    pub(super) focus: Projection,
    /// Of `%previous`.
    pub(super) previous: Projection,
}

impl Reads {
    /// Nothing is read.
    pub(super) fn new() -> Self {
        Self { focus: Projection::new(), previous: Projection::new() }
    }

    fn of(&mut self, side: Side) -> &mut Projection {
        match side {
            Side::Focus => &mut self.focus,
            Side::Previous => &mut self.previous,
        }
    }
}

/// Compiles an expression for resources of one type. What it reads is added to `names` and `reads`, also when it turns
/// out to be unsupported.
pub(super) fn compile(
    source: &Normalized,
    tree: &ExpressionNode,
    release: FhirRelease,
    focus_type: &str,
    names: &mut Symbols,
    reads: &mut Reads,
) -> Result<Program, Unsupported> {
    let members = Members {
        resource_type: names.intern("resourceType"),
        value: names.intern("value"),
        comparator: names.intern("comparator"),
        system: names.intern("system"),
        code: names.intern("code"),
    };
    let mut types = TypeTable::new(model::model(release));
    let focus = types.fhir(focus_type).filter(|of| types.content(*of) == Content::Complex);
    let focus = focus.ok_or(Unsupported { span: None, reason: "the resource type is not known" })?;
    let mut compiler = Compiler { source, types, names, reads, focus, targets: 0 };
    let this = compiler.root(Side::Focus);
    let root = compiler.node(tree, &Context { this: &this, is_item: false }, 0)?;
    if compiler.names.is_full() {
        return Err(Unsupported { span: None, reason: "the criteria read too many names" });
    }
    let root = match root.expr {
        Expr::Test(test) => Root::Test(*test),
        other => Root::Collection(other),
    };
    Ok(Program { root, focus, types: compiler.types.entries, members })
}

/// A compiled part and what is known of its result.
struct Typed {
    expr: Expr,
    shape: Shape,
}

/// Where in the expression a part stands.
#[derive(Clone, Copy)]
struct Context<'s> {
    /// What `$this` may be.
    this: &'s Shape,
    /// Whether `$this` is an item of a lambda, so that there is a `$index`.
    is_item: bool,
}

struct Compiler<'a> {
    source: &'a Normalized,
    types: TypeTable,
    names: &'a mut Symbols,
    reads: &'a mut Reads,
    focus: TypeId,
    /// How many members the steps read.
    targets: usize,
}

type Compiled<T = Typed> = Result<T, Unsupported>;

impl Compiler<'_> {
    fn unsupported<T>(&self, location: Option<&SourceLocation>, reason: &'static str) -> Compiled<T> {
        let span = location.map(|location| self.source.original(span(location)));
        Err(Unsupported { span, reason })
    }

    /// The text of the part that this is the location of.
    fn text_at(&self, location: Option<&SourceLocation>) -> Option<&str> {
        self.source.text().get(span(location?))
    }

    fn root(&self, side: Side) -> Shape {
        let place = Place { side, branch: Projection::ROOT, companion: None };
        Shape(vec![Origin { of: self.focus, place: Some(place) }])
    }

    fn node(&mut self, node: &ExpressionNode, context: &Context<'_>, depth: usize) -> Compiled {
        if depth > MAX_DEPTH {
            return self.unsupported(None, "it is nested too deeply");
        }
        match node {
            ExpressionNode::Parenthesized(inner) => self.node(inner, context, depth + 1),
            ExpressionNode::Literal(literal) => self.literal(literal),
            ExpressionNode::Identifier(identifier) => {
                self.start(&identifier.name, identifier.location.as_ref(), context)
            }
            ExpressionNode::Variable(variable) => self.variable(variable, context),
            ExpressionNode::PropertyAccess(access) => {
                if let Some(("type", [], Some(input))) = call(&access.object) {
                    let input = self.node(input, context, depth + 1)?;
                    return self.type_part(input, &access.property, access.location.as_ref());
                }
                let object = self.node(&access.object, context, depth + 1)?;
                self.step(object, &access.property, access.location.as_ref())
            }
            ExpressionNode::IndexAccess(access) => {
                let object = self.node(&access.object, context, depth + 1)?;
                let index = self.node(&access.index, context, depth + 1)?;
                self.index(object, index, access.location.as_ref())
            }
            ExpressionNode::FunctionCall(_) | ExpressionNode::MethodCall(_) => self.call(node, context, depth),
            ExpressionNode::BinaryOperation(_) | ExpressionNode::Union(_) => self.chain(node, context, depth),
            ExpressionNode::UnaryOperation(operation) => {
                let location = operation.location.as_ref();
                if operation.operator == UnaryOperator::Not {
                    return self.unsupported(location, "there is no operator `not`");
                }
                let operand = self.node(&operation.operand, context, depth + 1)?;
                self.polarity(operand, operation.operator == UnaryOperator::Negate, location)
            }
            ExpressionNode::TypeCheck(check) => {
                let input = self.node(&check.expression, context, depth + 1)?;
                self.is(input, &check.target_type, check.location.as_ref())
            }
            ExpressionNode::TypeCast(cast) => {
                let input = self.node(&cast.expression, context, depth + 1)?;
                self.cast(input, &cast.target_type, true, cast.location.as_ref())
            }
            ExpressionNode::Collection(collection) if collection.elements.is_empty() => {
                Ok(Typed { expr: Expr::Nothing, shape: Shape::default() })
            }
            ExpressionNode::Collection(collection) => {
                self.unsupported(collection.location.as_ref(), "a collection is written as a union")
            }
            ExpressionNode::Lambda(_)
            | ExpressionNode::Filter(_)
            | ExpressionNode::Path(_)
            | ExpressionNode::TypeInfo(_) => self.unsupported(node.location(), "it is no FHIRPath that is known here"),
        }
    }

    fn variable(&mut self, variable: &VariableNode, context: &Context<'_>) -> Compiled {
        let location = variable.location.as_ref();
        let sigil = self.text_at(location).and_then(|text| text.chars().next());
        let (state, side) = match (sigil, variable.name.as_str()) {
            (Some('$'), "this") => return Ok(Typed { expr: Expr::This, shape: context.this.clone() }),
            (Some('$'), "index") if context.is_item => {
                return Ok(Typed { expr: Expr::Index, shape: Shape::system(TypeId::INTEGER) });
            }
            (Some('%'), "resource" | "rootResource" | "context") => (State::Focus, Side::Focus),
            (Some('%'), "current") => (State::Current, Side::Focus),
            (Some('%'), "previous") => (State::Previous, Side::Previous),
            (Some('%'), name) => match literal::constant_variable(name) {
                Some(text) => return Ok(Self::text_constant(&text)),
                None => return self.unsupported(location, "this variable is not compiled"),
            },
            _ => return self.unsupported(location, "this variable is not compiled"),
        };
        Ok(Typed { expr: Expr::State(state), shape: self.root(side) })
    }

    /// Operators from left to right, without a stack frame for each.
    fn chain(&mut self, node: &ExpressionNode, context: &Context<'_>, depth: usize) -> Compiled {
        let (first, rest) = chain(node);
        if rest.len() > MAX_CHAIN {
            return self.unsupported(None, "there are too many operators in a row");
        }
        let mut left = self.node(first, context, depth + 1)?;
        let mut nested = 0;
        for node in rest {
            left = match node {
                ExpressionNode::Union(union) => {
                    let right = self.node(&union.right, context, depth + 1)?;
                    self.union(left, right, union.location.as_ref())?
                }
                ExpressionNode::BinaryOperation(operation) => {
                    let right = self.node(&operation.right, context, depth + 1)?;
                    nested += usize::from(nests(operation.operator));
                    if nested > MAX_NESTED_OPERATORS {
                        return self.unsupported(operation.location.as_ref(), "there are too many operators in a row");
                    }
                    self.binary(left, operation.operator, right, operation.location.as_ref())?
                }
                _ => return self.unsupported(None, "it is no FHIRPath that is known here"),
            };
        }
        Ok(left)
    }

    /// Everything of these items is compared: all below them is read.
    fn read_whole(&mut self, shape: &Shape) {
        for origin in &shape.0 {
            let is_scalar = matches!(self.types.content(origin.of), Content::System | Content::Primitive(_));
            if let Some(place) = origin.place.filter(|_| !is_scalar) {
                self.reads.of(place.side).whole(place.branch);
            }
        }
    }

    /// Items whose values are asked for: of a Quantity its members are read.
    fn read_values(&mut self, shape: &Shape) {
        for origin in &shape.0 {
            if let Some(place) = origin.place.filter(|_| self.types.content(origin.of) == Content::Quantity) {
                self.reads.of(place.side).whole(place.branch);
            }
        }
    }

    /// All of what stands beside the values of primitives is read.
    fn read_companions(&mut self, shape: &Shape) {
        for place in shape.0.iter().filter_map(|origin| origin.place) {
            if let Some(companion) = place.companion {
                self.reads.of(place.side).whole(companion);
            }
        }
    }

    fn is_boolean(&self, shape: &Shape) -> bool {
        shape.all(|of| self.types.system_type(of) == Some(TypeId::BOOLEAN))
    }

    /// A criterion: what it gives must be boolean for sure.
    fn criterion(&self, typed: Typed, location: Option<&SourceLocation>) -> Compiled<Test> {
        if !self.is_boolean(&typed.shape) {
            return self.unsupported(location, "its criterion may be something else than a boolean");
        }
        Ok(into_test(typed.expr))
    }
}

/// An expression where a boolean is expected.
fn into_test(expr: Expr) -> Test {
    match expr {
        Expr::Test(test) => *test,
        Expr::Nothing => Test::Constant(None),
        Expr::Constant(constant) => match constant.boolean() {
            Some(value) => Test::Constant(Some(value)),
            None => Test::Truth(Expr::Constant(constant)),
        },
        other => Test::Truth(other),
    }
}

fn test(test: Test) -> Typed {
    Typed { expr: Expr::Test(Box::new(test)), shape: Shape::system(TypeId::BOOLEAN) }
}

fn scalar(scalar: Scalar, of: TypeId) -> Typed {
    Typed { expr: Expr::Scalar(Box::new(scalar)), shape: Shape::system(of) }
}

fn span(location: &SourceLocation) -> Range<usize> {
    location.offset..location.offset.saturating_add(location.length)
}

/// Whether each of a row of these operators is a level of the program.
fn nests(operator: BinaryOperator) -> bool {
    operators::logic(operator).is_none() && operators::in_chain(operator).is_none()
}
