//! Operators: what they take, and the types of what they give.

use octofhir_fhirpath::ast::BinaryOperator;
use octofhir_fhirpath::core::SourceLocation;

use super::super::program::{ChainOperator, Comparison, Content, Expr, LogicOperator, Scalar, Test, TypeId};
use super::super::value::arithmetic::Operator;
use super::shape::{Origin, Shape};
use super::{Compiled, Compiler, Typed, into_test, test};
use crate::domain::event::FhirRelease;

/// The operator of three-valued logic.
pub(super) fn logic(operator: BinaryOperator) -> Option<LogicOperator> {
    Some(match operator {
        BinaryOperator::And => LogicOperator::And,
        BinaryOperator::Or => LogicOperator::Or,
        BinaryOperator::Xor => LogicOperator::Xor,
        BinaryOperator::Implies => LogicOperator::Implies,
        _ => return None,
    })
}

/// The operator that gives a value from values.
pub(super) fn in_chain(operator: BinaryOperator) -> Option<ChainOperator> {
    Some(match operator {
        BinaryOperator::Add => ChainOperator::Arithmetic(Operator::Add),
        BinaryOperator::Subtract => ChainOperator::Arithmetic(Operator::Subtract),
        BinaryOperator::Multiply => ChainOperator::Arithmetic(Operator::Multiply),
        BinaryOperator::Divide => ChainOperator::Arithmetic(Operator::Divide),
        BinaryOperator::IntegerDivide => ChainOperator::Arithmetic(Operator::WholeDivide),
        BinaryOperator::Modulo => ChainOperator::Arithmetic(Operator::Remainder),
        BinaryOperator::Concatenate => ChainOperator::Concatenate,
        _ => return None,
    })
}

fn comparison(operator: BinaryOperator) -> Option<Comparison> {
    Some(match operator {
        BinaryOperator::LessThan => Comparison::Less,
        BinaryOperator::LessThanOrEqual => Comparison::LessOrEqual,
        BinaryOperator::GreaterThan => Comparison::Greater,
        BinaryOperator::GreaterThanOrEqual => Comparison::GreaterOrEqual,
        _ => return None,
    })
}

impl Compiler<'_> {
    pub(super) fn binary(
        &mut self,
        left: Typed,
        operator: BinaryOperator,
        right: Typed,
        location: Option<&SourceLocation>,
    ) -> Compiled {
        if let Some(operator) = logic(operator) {
            return Ok(with_logic(left, operator, right));
        }
        if let Some(operator) = in_chain(operator) {
            return self.calculate(left, operator, right, location);
        }
        if let Some(operator) = comparison(operator) {
            self.require_values(&[&left, &right]);
            return Ok(test(Test::Compare { left: left.expr, operator, right: right.expr }));
        }
        match operator {
            BinaryOperator::Equal | BinaryOperator::NotEqual => {
                self.read_compared(&left.shape, &right.shape);
                let negated = operator == BinaryOperator::NotEqual;
                Ok(test(Test::Equal { left: left.expr, right: right.expr, negated }))
            }
            BinaryOperator::Equivalent | BinaryOperator::NotEquivalent => {
                self.equivalent(left, right, operator == BinaryOperator::NotEquivalent, location)
            }
            BinaryOperator::In => Ok(self.membership(left, right)),
            BinaryOperator::Contains => Ok(self.membership(right, left)),
            _ => self.unsupported(location, "this operator is not compiled"),
        }
    }

    pub(super) fn union(&mut self, left: Typed, right: Typed, location: Option<&SourceLocation>) -> Compiled {
        self.read_compared(&left.shape, &right.shape);
        self.read_compared(&left.shape, &left.shape);
        self.read_compared(&right.shape, &right.shape);
        let shape = left.shape.or(&right.shape);
        let mut parts = match left.expr {
            Expr::Union(parts) => parts,
            other => vec![other],
        };
        if parts.len() > super::MAX_CHAIN {
            return self.unsupported(location, "there are too many operators in a row");
        }
        parts.push(right.expr);
        Ok(Typed { expr: Expr::Union(parts), shape })
    }

    /// `+` and `-` before a value.
    pub(super) fn polarity(&mut self, operand: Typed, negate: bool, location: Option<&SourceLocation>) -> Compiled {
        let is_number = |of| [TypeId::INTEGER, TypeId::DECIMAL, TypeId::QUANTITY].contains(&of);
        let is_known = operand.shape.all(|of| self.types.system_type(of).is_some_and(is_number));
        if !negate && is_known && matches!(operand.expr, Expr::Constant(_)) {
            return Ok(operand);
        }
        self.read_values(&operand.shape);
        let shape = self.values_of(&operand.shape);
        let expr = match operand.expr {
            Expr::Constant(constant) if negate && is_known => match constant.negated() {
                Some(constant) => Expr::Constant(constant),
                None => return self.unsupported(location, "the number is too long"),
            },
            operand => Expr::Scalar(Box::new(if negate { Scalar::Negate(operand) } else { Scalar::Plus(operand) })),
        };
        Ok(Typed { expr, shape })
    }

    /// `collection[index]`.
    pub(super) fn index(&mut self, input: Typed, index: Typed, location: Option<&SourceLocation>) -> Compiled {
        self.require(&index, TypeId::INTEGER, location)?;
        let expr = Expr::At { input: Box::new(input.expr), index: Box::new(index.expr) };
        Ok(Typed { expr, shape: input.shape })
    }

    /// Items of both are compared with each other for equality.
    pub(super) fn read_compared(&mut self, left: &Shape, right: &Shape) {
        self.read_values(left);
        self.read_values(right);
        let is_object = |shape: &Shape| {
            shape
                .any(|of| matches!(self.types.content(of), Content::Complex | Content::AnyResource | Content::Quantity))
        };
        if is_object(left) && is_object(right) {
            self.read_whole(left);
            self.read_whole(right);
        }
        // Elements that have only extensions are compared by them.
        let is_element =
            |shape: &Shape| shape.0.iter().any(|origin| origin.place.is_some_and(|place| place.companion.is_some()));
        if is_element(left) && is_element(right) {
            self.read_companions(left);
            self.read_companions(right);
        }
    }

    /// What values these items have, as FHIRPath's own types.
    pub(super) fn values_of(&self, shape: &Shape) -> Shape {
        let types = shape.0.iter().filter_map(|origin| self.types.system_type(origin.of));
        types.fold(Shape::default(), |shape, of| shape.or(&Shape::system(of)))
    }

    /// Takes values: elements with elements of their own are an error when they come.
    pub(super) fn require_values(&mut self, parts: &[&Typed]) {
        parts.iter().for_each(|part| self.read_values(&part.shape));
    }

    /// Takes values of this type: the others are an error when they come. What can only be of another of FHIRPath's types
    /// is left to the general engine: some convert it.
    pub(super) fn require(&mut self, part: &Typed, of: TypeId, location: Option<&SourceLocation>) -> Compiled<()> {
        self.read_values(&part.shape);
        let is_possible = part.shape.any(|found| self.types.system_type(found) == Some(of));
        let is_no_value = part.shape.all(|found| !self.types.is_value(found));
        if is_possible || is_no_value {
            return Ok(());
        }
        self.unsupported(location, "this takes values of another type")
    }

    fn calculate(
        &mut self,
        left: Typed,
        operator: ChainOperator,
        right: Typed,
        location: Option<&SourceLocation>,
    ) -> Compiled {
        self.require_values(&[&left, &right]);
        let (ours, theirs) = (self.values_of(&left.shape), self.values_of(&right.shape));
        let mut shape = Shape::default();
        if operator == ChainOperator::Concatenate {
            self.require(&left, TypeId::STRING, location)?;
            self.require(&right, TypeId::STRING, location)?;
            shape = Shape::system(TypeId::STRING);
        } else if let ChainOperator::Arithmetic(operator) = operator {
            if self.types.model.release() != FhirRelease::R5
                && is_fraction(&right.expr)
                && ours.0.iter().any(is_temporal)
            {
                return self
                    .unsupported(location, "whether fractions of a second are added is not the same in all releases");
            }
            for (left, right) in ours.0.iter().flat_map(|left| theirs.0.iter().map(|right| (left.of, right.of))) {
                if let Some(of) = outcome(operator, left, right) {
                    shape = shape.or(&Shape::system(of));
                }
            }
            // Where no pair of types goes together it fails, unless one side is empty.
            if shape.0.is_empty() {
                shape = ours;
            }
        }
        let (first, mut rest) = match left.expr {
            Expr::Scalar(scalar) => match *scalar {
                Scalar::Chain { first, rest } => (first, rest),
                other => (Expr::Scalar(Box::new(other)), Vec::new()),
            },
            other => (other, Vec::new()),
        };
        rest.push((operator, right.expr));
        Ok(Typed { expr: Expr::Scalar(Box::new(Scalar::Chain { first, rest })), shape })
    }

    fn equivalent(&mut self, left: Typed, right: Typed, negated: bool, location: Option<&SourceLocation>) -> Compiled {
        let is_complex =
            |shape: &Shape| shape.any(|of| matches!(self.types.content(of), Content::Complex | Content::AnyResource));
        let is_quantity = |shape: &Shape| shape.any(|of| self.types.content(of) == Content::Quantity);
        if (is_complex(&left.shape) && is_complex(&right.shape))
            || (is_quantity(&left.shape) && is_quantity(&right.shape))
        {
            return self.unsupported(location, "the equivalence of elements with elements of their own");
        }
        self.read_compared(&left.shape, &right.shape);
        Ok(test(Test::Equivalent { left: left.expr, right: right.expr, negated }))
    }

    fn membership(&mut self, item: Typed, collection: Typed) -> Typed {
        self.read_compared(&item.shape, &collection.shape);
        test(Test::In { item: item.expr, collection: collection.expr })
    }
}

fn with_logic(left: Typed, operator: LogicOperator, right: Typed) -> Typed {
    let (first, mut rest) = match into_test(left.expr) {
        Test::Logic { first, rest } => (first, rest),
        other => (Box::new(other), Vec::new()),
    };
    rest.push((operator, into_test(right.expr)));
    test(Test::Logic { first, rest })
}

fn is_temporal(origin: &Origin) -> bool {
    [TypeId::DATE, TypeId::DATE_TIME, TypeId::TIME].contains(&origin.of)
}

/// Whether this may be a quantity that is no whole number.
fn is_fraction(expr: &Expr) -> bool {
    match expr {
        Expr::Constant(constant) => constant.is_fraction(),
        _ => true,
    }
}

/// The type that an operator gives for these; `None` where it is an error.
fn outcome(operator: Operator, left: TypeId, right: TypeId) -> Option<TypeId> {
    use Operator::{Add, Divide, Multiply, Remainder, Subtract, WholeDivide};
    const INTEGER: TypeId = TypeId::INTEGER;
    const DECIMAL: TypeId = TypeId::DECIMAL;
    const QUANTITY: TypeId = TypeId::QUANTITY;
    let is_number = |of: TypeId| of == INTEGER || of == DECIMAL;
    let is_temporal = |of: TypeId| [TypeId::DATE, TypeId::DATE_TIME, TypeId::TIME].contains(&of);
    match operator {
        WholeDivide if is_number(left) && is_number(right) => Some(INTEGER),
        Divide if is_number(left) && is_number(right) => Some(DECIMAL),
        Add | Subtract | Multiply | Remainder if left == INTEGER && right == INTEGER => Some(INTEGER),
        Add | Subtract | Multiply | Remainder if is_number(left) && is_number(right) => Some(DECIMAL),
        Add if left == TypeId::STRING && right == TypeId::STRING => Some(TypeId::STRING),
        Add | Subtract if is_temporal(left) && right == QUANTITY => Some(left),
        Add | Subtract | Multiply | Divide if left == QUANTITY && right == QUANTITY => Some(QUANTITY),
        Multiply | Divide if left == QUANTITY && is_number(right) => Some(QUANTITY),
        Multiply if is_number(left) && right == QUANTITY => Some(QUANTITY),
        WholeDivide | Remainder if left == QUANTITY && (right == QUANTITY || is_number(right)) => Some(QUANTITY),
        _ => None,
    }
}
