//! A criterion as a typed program: what it does is decided when it is compiled, an event only brings the data.
//!
//! ```text
//! ExpressionNode -> compile -> Expr, Test (three-valued), Scalar (at most one value) -> evaluate
//! ```
//!
//! An element's possible types are known when it is compiled, so that a step of a path is a look-up of one JSON member,
//! or of one for each type of a choice. Nodes and values carry their [`TypeId`], by which later steps and type tests
//! tell them apart.

use std::cmp::Ordering;

use super::constant::Constant;
use super::symbols::Symbol;
use super::value::Primitive;
use super::value::arithmetic::Operator;
use super::value::text::Pattern;

/// A type of the program's table; the first are FHIRPath's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct TypeId(pub(super) u16);

impl TypeId {
    pub(super) const BOOLEAN: Self = Self(0);
    pub(super) const INTEGER: Self = Self(1);
    pub(super) const DECIMAL: Self = Self(2);
    pub(super) const STRING: Self = Self(3);
    pub(super) const DATE: Self = Self(4);
    pub(super) const DATE_TIME: Self = Self(5);
    pub(super) const TIME: Self = Self(6);
    pub(super) const QUANTITY: Self = Self(7);

    /// How many types are FHIRPath's own.
    pub(super) const SYSTEM: u16 = 8;

    /// Whether this is a type of FHIRPath, not of FHIR.
    pub(super) fn is_system(self) -> bool {
        self.0 < Self::SYSTEM
    }
}

/// What a program needs to know of a type.
#[derive(Debug, Clone)]
pub(super) struct TypeEntry {
    /// The name in the model; of FHIRPath's own types the name without namespace.
    pub(super) name: &'static str,
    pub(super) content: Content,
}

/// How the value of an element is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// A value of FHIRPath's own.
    System,
    /// A JSON scalar.
    Primitive(Primitive),
    /// A Quantity or a type derived from it, which is a value too.
    Quantity,
    /// A JSON object that is no value.
    Complex,
    /// A resource of any type; which one its `resourceType` tells.
    AnyResource,
}

/// Names of members that the evaluation itself reads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Members {
    pub(super) resource_type: Symbol,
    pub(super) value: Symbol,
    pub(super) comparator: Symbol,
    pub(super) system: Symbol,
    pub(super) code: Symbol,
}

/// A state of the resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// `%resource`, `%rootResource`, `%context` and the start of every path.
    Focus,
    /// `%current`.
    Current,
    /// `%previous`.
    Previous,
}

/// Anything that gives a collection.
#[derive(Debug, Clone)]
pub(super) enum Expr {
    /// `{}`.
    Nothing,
    Constant(Constant),
    This,
    Index,
    State(State),
    Path(Box<Path>),
    Where {
        input: Box<Expr>,
        criterion: Box<Test>,
    },
    Select {
        input: Box<Expr>,
        projection: Box<Expr>,
    },
    OfType {
        input: Box<Expr>,
        test: TypeTest,
    },
    /// The same for at most one item.
    As {
        input: Box<Expr>,
        test: TypeTest,
    },
    First(Box<Expr>),
    Last(Box<Expr>),
    Single(Box<Expr>),
    Skip {
        input: Box<Expr>,
        count: Box<Expr>,
    },
    Take {
        input: Box<Expr>,
        count: Box<Expr>,
    },
    At {
        input: Box<Expr>,
        index: Box<Expr>,
    },
    Distinct(Box<Expr>),
    Union(Vec<Expr>),
    Combine(Box<Expr>, Box<Expr>),
    Intersect(Box<Expr>, Box<Expr>),
    Exclude(Box<Expr>, Box<Expr>),
    If(Box<If>),
    Split {
        input: Box<Expr>,
        separator: Box<Expr>,
    },
    Characters(Box<Expr>),
    /// `sort()` of texts or numbers by themselves.
    Sort {
        input: Box<Expr>,
        descending: bool,
    },
    /// `type().name` and `type().namespace`.
    TypeOf {
        input: Box<Expr>,
        part: TypePart,
    },
    Test(Box<Test>),
    Scalar(Box<Scalar>),
}

/// `iif()`: on at most one item, which is `$this` in all of its arguments.
#[derive(Debug, Clone)]
pub(super) struct If {
    /// `None`: what `$this` is already.
    pub(super) input: Option<Expr>,
    pub(super) criterion: Test,
    pub(super) then: Expr,
    pub(super) otherwise: Expr,
}

/// Steps into the tree.
#[derive(Debug, Clone)]
pub(super) struct Path {
    pub(super) from: Expr,
    pub(super) steps: Vec<Step>,
}

/// One step: what it leads to for each type of node that it may start from.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub(super) arms: Vec<Arm>,
}

/// A step from nodes of one type.
#[derive(Debug, Clone)]
pub(super) struct Arm {
    pub(super) from: TypeId,
    /// Whether it starts from a primitive, whose members stand in its companion `_name`.
    pub(super) from_primitive: bool,
    pub(super) targets: Vec<Target>,
}

/// A JSON member that a step reads; an element with a choice of types has several.
#[derive(Debug, Clone)]
pub(super) struct Target {
    pub(super) member: Symbol,
    /// `_name`, of a primitive.
    pub(super) companion: Option<Symbol>,
    pub(super) to: TypeId,
}

/// Which types `is`, `as` and `ofType` accept.
#[derive(Debug, Clone)]
pub(super) struct TypeTest {
    pub(super) accepts: Vec<TypeId>,
    /// For resources whose type only the data tells: the name of the accepted type.
    pub(super) resource: Option<(&'static str, TypeId)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TypePart {
    Name,
    Namespace,
}

/// Anything that gives true, false or nothing.
#[derive(Debug, Clone)]
pub(super) enum Test {
    Constant(Option<bool>),
    /// A collection of at most one item, by the rule of singleton evaluation.
    Truth(Expr),
    /// A collection of at most one item, which must be a boolean.
    Strict(Expr),
    /// Operators from left to right.
    Logic {
        first: Box<Test>,
        rest: Vec<(LogicOperator, Test)>,
    },
    Not(Box<Test>),
    Exists(Expr),
    /// `exists(criterion)`.
    Any {
        input: Expr,
        criterion: Box<Test>,
    },
    Empty(Expr),
    All {
        input: Expr,
        criterion: Box<Test>,
    },
    /// `allTrue`, `allFalse`, `anyTrue`, `anyFalse`.
    Booleans {
        input: Expr,
        all: bool,
        expected: bool,
    },
    IsDistinct(Expr),
    /// Whether the second holds all items of the first.
    Subset(Expr, Expr),
    Equal {
        left: Expr,
        right: Expr,
        negated: bool,
    },
    Equivalent {
        left: Expr,
        right: Expr,
        negated: bool,
    },
    Compare {
        left: Expr,
        operator: Comparison,
        right: Expr,
    },
    In {
        item: Expr,
        collection: Expr,
    },
    Is {
        input: Expr,
        test: TypeTest,
    },
    HasValue(Expr),
    Text {
        input: Expr,
        relation: TextRelation,
        argument: Expr,
    },
    Matches {
        input: Expr,
        pattern: Regex,
    },
    Converts {
        input: Expr,
        to: Conversion,
    },
    /// One that other criteria, or other items, ask for as well.
    Shared(Box<Shared>),
}

/// A part that is evaluated once per event: it says the same wherever it stands.
#[derive(Debug, Clone)]
pub(super) struct Shared {
    /// Where its answer is kept; equal parts have the same.
    pub(super) slot: u32,
    pub(super) test: Test,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LogicOperator {
    And,
    Or,
    Xor,
    Implies,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Comparison {
    /// Whether it is true of two values in this order.
    pub(super) fn holds(self, ordering: Ordering) -> bool {
        match self {
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
        }
    }

    /// With the sides changed.
    pub(super) fn turned(self) -> Self {
        match self {
            Self::Less => Self::Greater,
            Self::LessOrEqual => Self::GreaterOrEqual,
            Self::Greater => Self::Less,
            Self::GreaterOrEqual => Self::LessOrEqual,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextRelation {
    StartsWith,
    EndsWith,
    Contains,
}

/// The System types that values are converted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Conversion {
    Boolean,
    Integer,
    Decimal,
    String,
    Date,
    DateTime,
    Time,
    Quantity,
}

/// Anything that gives at most one value of FHIRPath's own types.
#[derive(Debug, Clone)]
pub(super) enum Scalar {
    Count(Expr),
    Now,
    Today,
    TimeOfDay,
    /// Operators from left to right.
    Chain {
        first: Expr,
        rest: Vec<(ChainOperator, Expr)>,
    },
    Negate(Expr),
    /// The value itself, of at most one item.
    Plus(Expr),
    GetValue(Expr),
    Precision(Expr),
    Convert {
        input: Expr,
        to: Conversion,
    },
    Text {
        input: Expr,
        function: TextFunction,
        arguments: Vec<Expr>,
    },
    Join {
        input: Expr,
        separator: Option<Expr>,
    },
    ReplaceMatches {
        input: Expr,
        pattern: Regex,
        replacement: Expr,
    },
    Math {
        input: Expr,
        function: MathFunction,
        argument: Option<Expr>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ChainOperator {
    Arithmetic(Operator),
    /// `&`: nothing is the empty string.
    Concatenate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextFunction {
    IndexOf,
    LastIndexOf,
    Substring,
    Upper,
    Lower,
    Trim,
    Length,
    Replace,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MathFunction {
    Abs,
    Ceiling,
    Floor,
    Truncate,
    Round,
    Sqrt,
    Power,
}

/// A compiled criterion, for resources of one type in one release.
#[derive(Debug, Clone)]
pub(super) struct Program {
    pub(super) root: Root,
    pub(super) focus: TypeId,
    pub(super) types: Vec<TypeEntry>,
    pub(super) members: Members,
}

/// What a program gives.
#[derive(Debug, Clone)]
pub(super) enum Root {
    /// True, false or nothing.
    Test(Test),
    /// A collection of which only the data tells whether it is one boolean.
    Collection(Expr),
}

/// A regular expression and the size of its automaton in bytes, which its searches are paid by.
#[derive(Debug, Clone)]
pub(super) struct Regex {
    pub(super) pattern: Pattern,
    pub(super) size: u64,
}
