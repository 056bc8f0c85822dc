//! Programs run over the trees of an event.
//!
//! Items are pushed: an expression hands each of its items to a sink, which may call off the rest, so that paths,
//! `exists()` and comparisons hold no collection. Where one must be held, it is in an arena that is reset before each
//! evaluation. What is not needed is not evaluated and does not fail: the right side of `and` after false, items behind
//! the first of `first()` and `exists()`, everything before `take(0)`. Everything pays its steps from the budget; nothing recurses deeper than the expression.

use std::cell::Cell;

use self::items::{Few, Item, Node};
use self::memo::Memo;
use super::arena::Arena;
use super::compile::shape::Side;
use super::program::{Expr, Program, Root, State, TypeId};
use super::tree::Tree;
use super::value::{Failed, Value};
use crate::domain::fhirpath::EvaluationError;
use crate::domain::fhirpath::budget::Budget;

mod collections;
mod items;
mod limits;
mod memo;
mod path;
mod ranges;
mod scalar;
#[cfg(test)]
mod shown;
mod test;

pub(super) use self::limits::{Kind, Limits, OutOfSteps};
#[cfg(test)]
pub(in super::super) use self::shown::Shown;

/// An event as programs see it.
#[derive(Debug, Clone, Copy)]
pub(super) struct View<'e> {
    /// The current version, or a delete's last known state.
    pub(super) focus: Option<Tree<'e, 'e>>,
    /// Whether the focus is `%current`, as it is but for a delete.
    pub(super) has_current: bool,
    /// The previous version; of a delete the last known state.
    pub(super) previous: Option<Tree<'e, 'e>>,
    /// The event's time as an instant (RFC 3339).
    pub(super) time: &'e str,
}

/// What evaluations need for themselves, kept from event to event.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    arena: Arena,
    /// The answers of shared tests about the current event.
    memo: Memo,
}

/// Why a part is not evaluated to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Halt {
    /// Who takes the items has enough.
    Done,
    Failed,
    TooCostly,
}

type Flow = Result<(), Halt>;

/// Takes the items of an expression.
type Sink<'s, 'e> = &'s mut dyn FnMut(Item<'e>) -> Flow;

/// What `$this` and `$index` are.
#[derive(Clone, Copy)]
struct Scope<'e> {
    this: Option<Item<'e>>,
    index: i64,
}

struct Evaluation<'e> {
    program: &'e Program,
    view: View<'e>,
    arena: &'e Arena,
    memo: &'e Memo,
    /// The steps that may still be spent.
    left: Cell<u64>,
    /// The further steps that the evaluation might take by its own limit, which its record has no more.
    beyond: Cell<u64>,
    /// What was paid for answers that the record has paid for already.
    reused: Cell<u64>,
}

impl From<Failed> for Halt {
    fn from(Failed: Failed) -> Self {
        Self::Failed
    }
}

impl From<Halt> for EvaluationError {
    fn from(halt: Halt) -> Self {
        match halt {
            Halt::TooCostly => Self::TooCostly,
            Halt::Done | Halt::Failed => Self::Failed,
        }
    }
}

impl View<'_> {
    /// The memory of the trees.
    fn bytes(&self) -> usize {
        // The last known state is both.
        let previous = self.previous.filter(|_| self.has_current);
        self.focus.map_or(0, Tree::bytes) + previous.map_or(0, Tree::bytes)
    }
}

impl Scratch {
    /// Empty.
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Forgets the answers of the last event: the next one's programs have so many slots.
    pub(super) fn begin(&mut self, slots: usize) {
        self.memo.begin(slots);
    }

    /// Gives back memory that one event in many needs.
    pub(super) fn trim(&mut self) {
        self.arena.trim();
    }
}

impl Program {
    /// Whether the criterion fires: true does; false and empty do not.
    ///
    /// # Errors
    /// See [`EvaluationError`].
    pub(super) fn test(
        &self,
        view: &View<'_>,
        scratch: &mut Scratch,
        budget: &mut Budget,
    ) -> Result<bool, EvaluationError> {
        self.run(view, scratch, budget, |evaluation, scope| match &evaluation.program.root {
            Root::Test(test) => Ok(Ok(evaluation.test(test, scope)? == Some(true))),
            Root::Collection(expr) => evaluation.decide(expr, scope),
        })?
    }

    /// Runs an evaluation with this budget.
    fn run<T>(
        &self,
        view: &View<'_>,
        scratch: &mut Scratch,
        budget: &mut Budget,
        run: impl for<'e> FnOnce(&Evaluation<'e>, &Scope<'e>) -> Result<T, Halt>,
    ) -> Result<T, EvaluationError> {
        let memory = budget.memory().checked_sub(view.bytes()).ok_or(EvaluationError::TooLarge)?;
        scratch.arena.clear(memory);
        let granted = budget.grant().ok_or(EvaluationError::TooCostly)?;
        let evaluation = Evaluation::new(self, view, scratch, granted, budget.beyond(granted));
        let result = run(&evaluation, &evaluation.scope());
        budget.take(evaluation.spent_of(granted));
        if scratch.arena.is_full() { Err(EvaluationError::TooLarge) } else { Ok(result?) }
    }
}

impl<'e> Evaluation<'e> {
    fn new(program: &'e Program, view: &View<'e>, scratch: &'e Scratch, granted: u64, beyond: u64) -> Self {
        let Scratch { arena, memo } = scratch;
        let (left, beyond, reused) = (Cell::new(granted), Cell::new(beyond), Cell::new(0));
        Self { program, view: *view, arena, memo, left, beyond, reused }
    }

    /// What the record has to pay.
    fn spent_of(&self, granted: u64) -> u64 {
        granted.saturating_sub(self.left.get()).saturating_sub(self.reused.get())
    }

    fn scope(&self) -> Scope<'e> {
        Scope { this: self.state(State::Focus), index: 0 }
    }

    /// What a result means for the trigger: as the general engine's `decide`.
    fn decide(&self, expr: &'e Expr, scope: &Scope<'e>) -> Result<Result<bool, EvaluationError>, Halt> {
        Ok(match self.few(expr, scope)? {
            Few::None => Ok(false),
            Few::One(item) if self.system_type(item) == Some(TypeId::BOOLEAN) => match self.value_of(item)? {
                None => Ok(false),
                Some(Value::Boolean(fires)) => Ok(fires),
                Some(_) => Err(EvaluationError::NotBoolean),
            },
            Few::One(_) | Few::Many => Err(EvaluationError::NotBoolean),
        })
    }

    /// Pays.
    fn spend(&self, steps: u64) -> Flow {
        match self.left.get().checked_sub(steps) {
            Some(left) => {
                self.left.set(left);
                Ok(())
            }
            None => {
                self.left.set(0);
                Err(Halt::TooCostly)
            }
        }
    }

    fn tree(&self, side: Side) -> Option<Tree<'e, 'e>> {
        match side {
            Side::Focus => self.view.focus,
            Side::Previous => self.view.previous,
        }
    }

    /// A state as an item, if the event has it.
    fn state(&self, state: State) -> Option<Item<'e>> {
        let side = match state {
            State::Focus => Side::Focus,
            State::Current if self.view.has_current => Side::Focus,
            State::Current => return None,
            State::Previous => Side::Previous,
        };
        let tree = self.tree(side)?;
        Some(Item::Node(Node { of: self.program.focus, side, value: Some(tree.root()), companion: None }))
    }

    /// Hands the items of an expression to the sink.
    fn each(&self, expr: &'e Expr, scope: &Scope<'e>, sink: Sink<'_, 'e>) -> Flow {
        self.spend(1)?;
        match expr {
            Expr::Nothing => Ok(()),
            Expr::Constant(constant) => sink(Item::Value(constant.value())),
            Expr::This => scope.this.map_or(Ok(()), sink),
            Expr::Index => sink(Item::Value(Value::Integer(scope.index))),
            Expr::State(state) => self.state(*state).map_or(Ok(()), sink),
            Expr::Path(path) => self.path(path, scope, sink),
            Expr::Test(test) => match self.test(test, scope)? {
                Some(value) => sink(Item::Value(Value::Boolean(value))),
                None => Ok(()),
            },
            Expr::Scalar(scalar) => match self.scalar(scalar, scope)? {
                Some(value) => sink(Item::Value(value)),
                None => Ok(()),
            },
            _ => self.each_of_collection(expr, scope, sink),
        }
    }

    /// At most one item, or that there are several.
    fn few(&self, expr: &'e Expr, scope: &Scope<'e>) -> Result<Few<'e>, Halt> {
        match expr {
            Expr::Constant(constant) => return Ok(Few::One(Item::Value(constant.value()))),
            Expr::This => return Ok(scope.this.map_or(Few::None, Few::One)),
            Expr::Test(test) => {
                let value = self.test(test, scope)?;
                return Ok(value.map_or(Few::None, |value| Few::One(Item::Value(Value::Boolean(value)))));
            }
            Expr::Scalar(scalar) => {
                return Ok(self.scalar(scalar, scope)?.map_or(Few::None, |value| Few::One(Item::Value(value))));
            }
            _ => {}
        }
        let mut found = Few::None;
        enough(self.each(expr, scope, &mut |item| match found {
            Few::None => {
                found = Few::One(item);
                Ok(())
            }
            _ => {
                found = Few::Many;
                Err(Halt::Done)
            }
        }))?;
        Ok(found)
    }

    /// At most one item.
    fn only(&self, expr: &'e Expr, scope: &Scope<'e>) -> Result<Option<Item<'e>>, Halt> {
        match self.few(expr, scope)? {
            Few::None => Ok(None),
            Few::One(item) => Ok(Some(item)),
            Few::Many => Err(Halt::Failed),
        }
    }
}

/// That a sink has called off the rest is no failure of who made the sink.
fn enough(flow: Flow) -> Flow {
    match flow {
        Err(Halt::Done) => Ok(()),
        other => other,
    }
}
