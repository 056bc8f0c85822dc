//! How much work one evaluation may do, counted in steps, and how much memory it may take.
//!
//! ```text
//! Budget (per record) -> Meter (per evaluation, of this thread) <- spend: functions, operators, steps of paths
//!                                                               <- fit, hold: results of functions and operators
//! ```
//!
//! Steps, not time: the same record gives the same answer on every machine. A step is roughly a quarter of a microsecond
//! of an optimised build. Everything that the engine does in proportion to its data goes through a function, an
//! operator or a step of a path, and each of them pays before it works where its work or its result may be large, and
//! afterwards for what came out. What the engine hides is paid by its upper bound: how long the longest list or text of
//! that name is, how many members the widest object has ([`Shape`]). Nothing is paid by what a cache holds, so that the
//! order of events changes no answer.
//!
//! When it is used up, every further payment is refused and the evaluation ends as
//! [`EvaluationError::TooCostly`].
//!
//! Memory: a result must fit before it is made, and is counted when it is there. Nobody tells when the engine lets go of
//! it, so it stays counted to the end of the evaluation; what is small is therefore not counted at all, but for what
//! lambdas gather. Steps of paths cannot be asked: one gives at most two items for each step that it pays. What does not
//! fit ends the evaluation as [`EvaluationError::TooLarge`].

use std::cell::{Cell, RefCell};
use std::sync::Arc;

use octofhir_fhirpath::core::error_code::FP0054;
use octofhir_fhirpath::core::node::FhirNode;
use octofhir_fhirpath::core::{FhirPathError, Result};
use octofhir_fhirpath::{Collection, FhirPathValue};

use super::EvaluationError;

/// The steps of one evaluation of a criterion, unless the settings say otherwise.
pub const EVALUATION_STEPS: u64 = 2_000_000;

/// The memory of one evaluation, in bytes, unless the settings say otherwise.
pub const EVALUATION_MEMORY: u64 = 256 * 1024 * 1024;

/// How many times the steps of one evaluation all evaluations for one record may take, beside those that its size brings.
const EVALUATIONS_OF_RECORD: u64 = 4;

/// The further steps that each byte of a record brings: a Bundle of many entries has many evaluations.
const STEPS_PER_BYTE: u64 = 1;

/// Text is paid by this many bytes a step.
const BYTES_PER_STEP: u64 = 64;

/// How many names of long members are told apart; of more, the longest stands for all.
const MAX_LONG_NAMES: usize = 32;

/// From this length on, a list is long; text from as many times [`BYTES_PER_STEP`] bytes on.
const LONG: u64 = 32;

/// The memory of an item, beside its text.
const ITEM: u64 = size_of::<FhirPathValue>() as u64;

/// Results of fewer bytes are soon gone: at most so many exist at a time as calls stand in one another.
const SMALL: u64 = 16 * 1024;

/// The steps that are left for the evaluations of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    left: u64,
    /// The most that one evaluation may take of it.
    of_evaluation: u64,
    /// The memory of each evaluation, in bytes.
    memory: u64,
}

impl Budget {
    /// The budget of a record of this size, whose evaluations may take this many steps each.
    #[must_use]
    pub fn of_record(evaluation_steps: u64, bytes: usize) -> Self {
        let evaluations = EVALUATIONS_OF_RECORD.saturating_mul(evaluation_steps);
        let left = evaluations.saturating_add(STEPS_PER_BYTE.saturating_mul(bytes as u64));
        Self { left, of_evaluation: evaluation_steps, memory: EVALUATION_MEMORY }
    }

    /// The budget of a single evaluation.
    #[must_use]
    pub fn of_evaluation() -> Self {
        Self { left: EVALUATION_STEPS, of_evaluation: EVALUATION_STEPS, memory: EVALUATION_MEMORY }
    }

    /// The budget with so many bytes of memory for each evaluation.
    #[must_use]
    pub fn with_memory(self, bytes: u64) -> Self {
        Self { memory: bytes, ..self }
    }

    /// The memory of an evaluation: the event's trees, and what it holds meanwhile.
    pub(super) fn memory(&self) -> usize {
        usize::try_from(self.memory).unwrap_or(usize::MAX)
    }

    /// The steps that are left.
    #[must_use]
    pub fn left(&self) -> u64 {
        self.left
    }

    /// What one evaluation may spend; `None` when nothing is left. For who counts for himself, see [`Budget::take`].
    pub(super) fn grant(&self) -> Option<u64> {
        Some(self.left.min(self.of_evaluation)).filter(|granted| *granted > 0)
    }

    /// How much more than this grant one evaluation might spend, if the record had as much.
    pub(super) fn beyond(&self, granted: u64) -> u64 {
        self.of_evaluation.saturating_sub(granted)
    }

    /// Takes what was spent of [`Budget::grant`].
    pub(super) fn take(&mut self, spent: u64) {
        self.left = self.left.saturating_sub(spent);
    }
}

/// What the trees of an event look like, as far as the engine's work depends on it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// All values of the trees.
    pub(super) nodes: u64,
    /// The members of the widest object.
    pub(super) widest: u64,
    /// The length of the longest name, in bytes.
    pub(super) longest_name: usize,
    /// Names of members with long lists or texts, and how many steps the longest of each name is.
    long: Vec<(Arc<str>, u64)>,
    /// The longest of all, once there are too many names.
    long_any: u64,
}

impl Shape {
    /// Notes a member of an object.
    pub(super) fn member(&mut self, name: &Arc<str>, value: &FhirNode) {
        self.longest_name = self.longest_name.max(name.len());
        let length = match value {
            FhirNode::Array(items) => items.iter().map(in_list).sum(),
            FhirNode::Str(text) => text.len() as u64 / BYTES_PER_STEP,
            _ => 0,
        };
        if length < LONG {
            return;
        }
        if let Some((_, known)) = self.long.iter_mut().find(|(known, _)| known == name) {
            *known = length.max(*known);
        } else if self.long.len() < MAX_LONG_NAMES {
            self.long.push((Arc::clone(name), length));
        } else {
            self.long_any = length.max(self.long_any);
        }
    }

    /// The steps of following this element once. A choice's member goes on with its type.
    fn step(&self, name: &str) -> u64 {
        let of_name = self.long.iter().filter(|(known, _)| known.starts_with(name)).map(|(_, length)| *length);
        let longest = of_name.max().unwrap_or_default().max(self.long_any);
        1 + self.widest / BYTES_PER_STEP + longest / 2
    }
}

/// An item of a list: the engine copies lists inside of lists whole.
fn in_list(item: &FhirNode) -> u64 {
    match item {
        FhirNode::Array(items) => 1 + items.iter().map(in_list).sum::<u64>(),
        FhirNode::Str(text) => 1 + text.len() as u64 / BYTES_PER_STEP,
        _ => 1,
    }
}

/// What the evaluation that runs on this thread may still spend.
struct Meter {
    left: Cell<u64>,
    exhausted: Cell<bool>,
    /// The bytes that it may still take.
    memory: Cell<u64>,
    too_large: Cell<bool>,
    /// How large a result is that is counted.
    small: Cell<u64>,
    /// The steps of one round of a lambda.
    toll: Cell<u64>,
    shape: RefCell<Arc<Shape>>,
}

thread_local! {
    static METER: Meter = Meter {
        left: Cell::new(0),
        exhausted: Cell::new(false),
        memory: Cell::new(0),
        too_large: Cell::new(false),
        small: Cell::new(SMALL),
        toll: Cell::new(1),
        shape: RefCell::default(),
    };
}

/// What is the same for all evaluations of an event.
pub(super) struct Terms<'s> {
    /// The steps of one round of a lambda.
    pub(super) toll: u64,
    pub(super) shape: &'s Arc<Shape>,
    /// The bytes that the event's trees take.
    pub(super) trees: u64,
}

/// Runs an evaluation with this budget.
///
/// # Errors
/// When it was used up or the memory was too small, whatever the evaluation makes of that.
pub(super) fn metered<T>(
    budget: &mut Budget,
    terms: &Terms<'_>,
    run: impl FnOnce() -> T,
) -> std::result::Result<T, EvaluationError> {
    let memory = budget.memory.checked_sub(terms.trees).ok_or(EvaluationError::TooLarge)?;
    let granted = budget.grant().ok_or(EvaluationError::TooCostly)?;
    METER.with(|meter| {
        meter.left.set(granted);
        meter.exhausted.set(false);
        meter.memory.set(memory);
        meter.too_large.set(false);
        meter.small.set(SMALL);
        meter.toll.set(terms.toll.max(1));
        *meter.shape.borrow_mut() = Arc::clone(terms.shape);
    });
    let result = run();
    METER.with(|meter| {
        budget.take(granted - meter.left.replace(0).min(granted));
        match (meter.too_large.replace(true), meter.exhausted.replace(true)) {
            (true, _) => Err(EvaluationError::TooLarge),
            (false, true) => Err(EvaluationError::TooCostly),
            (false, false) => Ok(result),
        }
    })
}

/// Refuses what does not fit into the memory that is left.
pub(super) fn fit(bytes: u64) -> Result<()> {
    METER.with(|meter| {
        if !meter.exhausted.get() && bytes <= meter.memory.get() {
            return Ok(());
        }
        // Who cannot pay any more has said why already.
        meter.too_large.set(meter.too_large.get() || !meter.exhausted.get());
        meter.exhausted.set(true);
        Err(exhausted())
    })
}

/// Takes the memory of a result, unless it is small.
pub(super) fn hold(bytes: u64) -> Result<()> {
    if METER.with(|meter| bytes < meter.small.get()) {
        return Ok(());
    }
    fit(bytes)?;
    METER.with(|meter| meter.memory.set(meter.memory.get() - bytes));
    Ok(())
}

/// Takes the memory of whatever is made meanwhile, small or not: until this is called again with what it gave.
pub(super) fn hold_from(small: u64) -> u64 {
    METER.with(|meter| meter.small.replace(small))
}

/// Pays for work.
pub(super) fn spend(steps: u64) -> Result<()> {
    METER.with(|meter| match meter.left.get().checked_sub(steps) {
        Some(left) if !meter.exhausted.get() => {
            meter.left.set(left);
            Ok(())
        }
        _ => {
            // What did not fit leaves the steps as they are.
            if !meter.exhausted.replace(true) {
                meter.left.set(0);
            }
            Err(exhausted())
        }
    })
}

/// Pays for following an element.
pub(super) fn spend_step(name: &str) -> Result<()> {
    spend(METER.with(|meter| meter.shape.borrow().step(name)))
}

/// Pays for this many rounds of a lambda.
pub(super) fn spend_rounds(rounds: u64) -> Result<()> {
    spend(rounds.saturating_mul(METER.with(|meter| meter.toll.get())))
}

/// The error of whoever cannot pay.
pub(super) fn exhausted() -> FhirPathError {
    FhirPathError::evaluation_error(FP0054, "the budget is used up")
}

/// The steps of reading every item of a collection, the inside of resources left alone.
pub(super) fn items(collection: &Collection) -> u64 {
    collection.iter().map(item).sum()
}

fn item(value: &FhirPathValue) -> u64 {
    match value {
        FhirPathValue::String(text, ..) => 1 + bytes(text.len()),
        FhirPathValue::Collection(inner) => 1 + items(inner),
        FhirPathValue::Resource(..) => 1 + METER.with(|meter| meter.shape.borrow().widest / BYTES_PER_STEP),
        _ => 1,
    }
}

/// The memory of a collection, the inside of resources left alone: that is shared.
pub(super) fn size(collection: &Collection) -> u64 {
    collection.iter().map(size_of_item).sum()
}

fn size_of_item(value: &FhirPathValue) -> u64 {
    match value {
        FhirPathValue::String(text, ..) => ITEM + text.len() as u64,
        FhirPathValue::Collection(inner) => ITEM + size(inner),
        _ => ITEM,
    }
}

/// The memory of everything below the items, if each value becomes an item.
pub(super) fn size_below(collection: &Collection) -> u64 {
    fn of(node: &FhirNode) -> u64 {
        ITEM + match node {
            FhirNode::Array(items) => items.iter().map(of).sum(),
            FhirNode::Object(members) => members.iter().map(|(_, value)| of(value)).sum(),
            FhirNode::Str(text) => text.len() as u64,
            _ => 0,
        }
    }
    let below = |value: &FhirPathValue| match value {
        FhirPathValue::Resource(node, ..) => of(node),
        FhirPathValue::Collection(inner) => size_below(inner),
        other => size_of_item(other),
    };
    collection.iter().map(below).sum()
}

/// The memory of so many items with so much text.
pub(super) fn size_of_texts(items: u64, bytes: u64) -> u64 {
    ITEM.saturating_mul(items).saturating_add(bytes)
}

/// The steps of reading every item of a collection and everything below.
pub(super) fn deep(collection: &Collection) -> u64 {
    collection.iter().map(|value| below(value, &|_| 1)).sum()
}

/// The steps of reading what is one level below the items.
pub(super) fn level(collection: &Collection) -> u64 {
    let below = |value: &FhirPathValue| match value {
        FhirPathValue::Resource(FhirNode::Object(members), ..) => {
            members.iter().map(|(_, value)| 1 + in_list(value)).sum()
        }
        FhirPathValue::Resource(node, ..) => in_list(node),
        FhirPathValue::Collection(inner) => level(inner),
        _ => 0,
    };
    collection.iter().map(below).sum()
}

/// The steps of what a walk repeated from every item of every level costs: each value is met once per level above it.
pub(super) fn by_depth(collection: &Collection, power: u32) -> u64 {
    collection.iter().map(|value| below(value, &|depth| depth.pow(power))).sum()
}

fn below(value: &FhirPathValue, weight: &dyn Fn(u64) -> u64) -> u64 {
    match value {
        FhirPathValue::Resource(node, ..) => nodes(node, 1, weight),
        FhirPathValue::Collection(inner) => inner.iter().map(|value| below(value, weight)).sum(),
        other => item(other),
    }
}

/// The tree has at most as many levels as a resource may have.
fn nodes(node: &FhirNode, depth: u64, weight: &dyn Fn(u64) -> u64) -> u64 {
    let here = weight(depth);
    match node {
        FhirNode::Array(items) => here + items.iter().map(|item| nodes(item, depth + 1, weight)).sum::<u64>(),
        FhirNode::Object(members) => {
            here + members.iter().map(|(_, value)| nodes(value, depth + 1, weight)).sum::<u64>()
        }
        FhirNode::Str(text) => here * (1 + bytes(text.len())),
        _ => here,
    }
}

/// The steps of a text of this many bytes.
pub(super) fn bytes(length: usize) -> u64 {
    length as u64 / BYTES_PER_STEP
}
