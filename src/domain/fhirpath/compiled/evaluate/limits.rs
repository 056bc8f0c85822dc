//! Criteria that compare one operand with literals: of all of them, those that may be true, by one ordered look-up.
//!
//! ```text
//! value > 5 (1st), value > 7 (2nd), value > 9 (3rd): the value is evaluated once; 8 is above 5 and 7 -> 1st, 2nd
//! ```
//!
//! The operand and the comparisons are evaluated as in the criteria themselves, but once and a few. What lets a few stand
//! for all is that of literals of one kind (numbers; quantities of one unit; dates and times of one precision), in their
//! order, those that a value is above (or not below) stand before all others, and those that it is below (or not above)
//! behind them. Literals for which that is not known are not taken up.

use std::cmp::Ordering;

use super::items::{Few, Item};
use super::{Evaluation, Flow, Halt, Scope, Scratch, View};
use crate::domain::fhirpath::compiled::constant::Constant;
use crate::domain::fhirpath::compiled::program::{Comparison, Expr, Program, Root};
use crate::domain::fhirpath::compiled::value::{Decimal, Quantity, Unit, Value, compare};

/// An operand, and the criteria that need it to be beyond a literal.
#[derive(Debug)]
pub(in super::super) struct Limits {
    /// Gives the operand, within the lambdas of `inputs`.
    program: Program,
    /// Of which the operand is evaluated for each item; the outermost first.
    inputs: Vec<Expr>,
    rows: Vec<Row>,
    /// All criteria, in their order.
    positions: Vec<u32>,
}

/// Criteria with the same operator and literals of one kind, by their literals.
#[derive(Debug)]
struct Row {
    kind: Kind,
    operator: Comparison,
    limits: Vec<Expr>,
    positions: Vec<u32>,
}

/// What literals must have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Kind {
    family: Family,
    /// The unit, or the precision.
    detail: String,
}

/// What values must be of to be compared without an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Family {
    Measure,
    Moment,
    Time,
}

static THIS: Expr = Expr::This;

impl Kind {
    /// Of a literal that can be a limit.
    pub(in super::super) fn of(constant: &Constant) -> Option<Self> {
        let (family, detail) = match constant.value() {
            Value::Integer(_) | Value::Decimal(_) => (Family::Measure, String::new()),
            Value::Quantity(quantity) if is_movable(quantity) => (Family::Measure, format!("{:?}", quantity.unit)),
            Value::Date(date) => (Family::Moment, format!("{:?}", date.precision())),
            Value::DateTime(time) => (Family::Moment, format!("{:?}", time.precision())),
            Value::Time(time) => (Family::Time, format!("{:?}", time.precision())),
            Value::Boolean(_) | Value::String(_) | Value::Quantity(_) => return None,
        };
        Some(Self { family, detail })
    }

    pub(in super::super) fn family(&self) -> Family {
        self.family
    }
}

impl Limits {
    /// Of an operand of this program.
    pub(in super::super) fn new(program: &Program, inputs: &[&Expr], operand: &Expr) -> Self {
        let root = Root::Collection(operand.clone());
        let program = Program { root, focus: program.focus, types: program.types.clone(), members: program.members };
        let inputs = inputs.iter().map(|input| (*input).clone()).collect();
        Self { program, inputs, rows: Vec::new(), positions: Vec::new() }
    }

    /// Adds a criterion, behind those before it, that needs the operand to be beyond a literal. [`Limits::settle`] must
    /// follow.
    pub(in super::super) fn add(&mut self, position: u32, kind: Kind, operator: Comparison, limit: &Constant) {
        let known = self.rows.iter().position(|row| row.kind == kind && row.operator == operator);
        let known = known.unwrap_or_else(|| {
            self.rows.push(Row { kind, operator, limits: Vec::new(), positions: Vec::new() });
            self.rows.len() - 1
        });
        self.rows[known].limits.push(Expr::Constant(limit.clone()));
        self.rows[known].positions.push(position);
        if self.positions.last() != Some(&position) {
            self.positions.push(position);
        }
    }

    /// Brings the literals into their order.
    pub(in super::super) fn settle(&mut self) {
        for row in &mut self.rows {
            let mut pairs: Vec<_> = row.limits.drain(..).zip(row.positions.drain(..)).collect();
            pairs.sort_by(|(left, _), (right, _)| in_order(left, right));
            (row.limits, row.positions) = pairs.into_iter().unzip();
        }
    }

    /// Adds to `found` the criteria that may be true, or may fail. Takes at most the steps that are left.
    ///
    /// # Errors
    /// When the steps do not suffice: nothing is known.
    pub(in super::super) fn find(
        &self,
        view: &View<'_>,
        memory: usize,
        scratch: &mut Scratch,
        left: &mut u64,
        found: &mut Vec<u32>,
    ) -> Result<(), OutOfSteps> {
        scratch.arena.clear(memory.saturating_sub(view.bytes()));
        let before = found.len();
        let evaluation = Evaluation::new(&self.program, view, scratch, *left, 0);
        let result = evaluation.beyond_limits(self, &self.inputs, &evaluation.scope(), found);
        *left -= evaluation.spent_of(*left);
        // What did not fit may have come out as nothing.
        let result = if scratch.arena.is_full() { Err(Halt::Failed) } else { result };
        match result {
            Ok(()) => Ok(()),
            Err(Halt::TooCostly) => Err(OutOfSteps),
            // Where the operand fails, is several items or of another type, each comparison fails.
            Err(Halt::Failed | Halt::Done) => {
                found.truncate(before);
                found.extend_from_slice(&self.positions);
                Ok(())
            }
        }
    }
}

/// Literals of one kind have an order.
fn in_order(left: &Expr, right: &Expr) -> Ordering {
    match (left, right) {
        (Expr::Constant(left), Expr::Constant(right)) => {
            compare(left.value(), right.value()).ok().flatten().unwrap_or(Ordering::Equal)
        }
        _ => Ordering::Equal,
    }
}

/// Whether the number can be moved from the zero of one temperature to that of another, if it is one: of two that cannot
/// always, one might be comparable and one not.
fn is_movable(quantity: Quantity<'_>) -> bool {
    let kelvin = Quantity { value: Decimal::ONE, unit: Unit::Ucum("K") };
    let is_temperature = Quantity { value: Decimal::ONE, ..quantity }.compare(kelvin).is_some();
    let is_usual = quantity.value.short().is_some_and(|value| value.scale() <= 9 && value.abs() < 100_000.into());
    is_usual || !is_temperature
}

/// The steps did not suffice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct OutOfSteps;

impl<'e> Evaluation<'e> {
    fn beyond_limits(&self, limits: &'e Limits, inputs: &'e [Expr], scope: &Scope<'e>, found: &mut Vec<u32>) -> Flow {
        if let Some((input, rest)) = inputs.split_first() {
            return self.each_within(input, scope, &mut |_, inner| self.beyond_limits(limits, rest, inner, found));
        }
        let Root::Collection(operand) = &self.program.root else { return Err(Halt::Failed) };
        let item = match self.few(operand, scope)? {
            Few::None => return Ok(()),
            Few::Many => return Err(Halt::Failed),
            Few::One(item) => item,
        };
        // A quantity with a comparator has no value, and is compared as a range.
        let item = self.value_of(item)?.map_or(item, Item::Value);
        limits.rows.iter().try_for_each(|row| {
            let positions = self.beyond(row, item)?;
            self.spend(1 + positions.len() as u64)?;
            found.extend_from_slice(positions);
            Ok(())
        })
    }

    /// The criteria of a row whose comparison with the item is true.
    fn beyond(&self, row: &'e Row, item: Item<'e>) -> Result<&'e [u32], Halt> {
        let is_behind = matches!(row.operator, Comparison::Less | Comparison::LessOrEqual);
        let (mut start, mut end) = (0, row.limits.len());
        while start < end {
            let middle = start + (end - start) / 2;
            let is_true = self.is_beyond(item, row.operator, &row.limits[middle])?;
            if is_true == is_behind { end = middle } else { start = middle + 1 }
        }
        let (before, behind) = row.positions.split_at(start);
        Ok(if is_behind { behind } else { before })
    }

    fn is_beyond(&self, item: Item<'e>, operator: Comparison, limit: &'e Expr) -> Result<bool, Halt> {
        if let (Item::Value(value), Expr::Constant(limit)) = (item, limit) {
            return Ok(compare(value, limit.value())?.is_some_and(|ordering| operator.holds(ordering)));
        }
        let scope = Scope { this: Some(item), index: 0 };
        Ok(self.compare(&THIS, operator, limit, &scope)? == Some(true))
    }
}
