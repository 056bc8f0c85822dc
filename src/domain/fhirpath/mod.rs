//! FHIRPath criteria: compiled once per plan, evaluated per event.
//!
//! ```text
//! text -> lexical::normalize -> parse -> check (names, types, what is read) -> Criterion
//! event -> Subject (focus, %current, %previous, the event's time; converted once) -> evaluate: true fires
//! ```
//!
//! The engine is `octofhir-fhirpath` with our own element types (`model`), comparisons (`operators`) and functions of
//! time (`functions`). The same event and the same criterion always give the same answer: `now()` is the event's
//! time, the time zone is UTC, and what could do I/O or be random is refused.
//!
//! It fails only by [`EvaluationError`], which carries no text; a panic of the engine is caught and is one of them.
//!
//! States that an event does not have are `({})` in the text that is compiled for it: the engine counts a null variable
//! as an item, and takes an unset one for an error.

use std::ops::Range;
use std::panic::catch_unwind;
use std::sync::{Arc, Once, OnceLock};

use jiff::Timestamp;
use octofhir_fhirpath::{
    Collection, CompiledPlan, EvaluationContext, ExpressionNode, FhirPathValue, ParsingMode, parse_with_mode,
};
use serde_json::Value;

pub use self::budget::{Budget, EVALUATION_MEMORY, EVALUATION_STEPS};
use self::budget::{Shape, Terms};
use self::check::{Findings, Slot};
pub use self::compiled::{EventSubject, EventText, NotCompiled, Prepared, Workspace};
use self::lexical::Normalized;
pub use self::parts::{Item, Part, Seen};
use super::event::{FhirRelease, Interaction};

mod budget;
mod catalog;
mod check;
mod compiled;
mod engine;
mod functions;
mod idioms;
mod lexical;
mod metered;
mod model;
mod node;
mod operators;
mod parts;
mod pattern;
mod syntax;
mod temporal;
mod tree;
mod types;

#[cfg(test)]
mod budget_tests;
#[cfg(test)]
mod differential;
#[cfg(test)]
mod robustness_tests;
#[cfg(test)]
mod suite_tests;
#[cfg(test)]
mod tests;

/// The FHIRPath engine with the element types of the FHIR releases.
///
/// A handle: what it stands for is made at its first use and shared by the whole process.
#[derive(Debug, Clone, Copy, Default)]
pub struct FhirPath {
    _private: (),
}

/// A compiled criterion. Clones share it.
#[derive(Clone)]
pub struct Criterion(Arc<Compiled>);

struct Compiled {
    text: String,
    normalized: Normalized,
    tree: ExpressionNode,
    findings: Findings,
    /// By release and [`States`]: compiled at the first use, `None` where the engine refuses.
    plans: [[OnceLock<Option<Arc<CompiledPlan>>>; States::COUNT]; model::RELEASES.len()],
}

/// Something about a criterion that its author should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CriterionProblem {
    /// Whether the criterion cannot run, or may surprise.
    pub severity: Severity,
    /// Where in the expression, in bytes, if known.
    pub span: Option<Range<usize>>,
    /// What is wrong; lower case, no full stop.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// How bad a problem is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It runs, but may surprise.
    Warning,
    /// It cannot run.
    Error,
}

/// One event as the criteria see it: converted once, shared by all criteria of the event.
pub struct Subject {
    release: FhirRelease,
    states: States,
    shape: Arc<Shape>,
    /// The bytes that it takes, as far as they count against the memory of evaluations.
    size: u64,
    context: EvaluationContext,
    event_time: String,
    /// The event's time is put into the context when the first criterion asks for it: most never do.
    clock: Once,
}

/// Which states of the resource an event has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct States {
    focus: bool,
    current: bool,
    previous: bool,
}

/// Why a criterion gave no answer. Carries no text of the engine: that quotes values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationError {
    /// The result is no boolean.
    #[error("the result is not a boolean")]
    NotBoolean,
    /// The engine reported an error or panicked.
    #[error("the expression failed")]
    Failed,
    /// It, or the criteria of its record together, took more steps than are allowed.
    #[error("the expression takes more steps on this event than evaluationSteps allows")]
    TooCostly,
    /// It, with the trees of its event, needed more memory than is allowed.
    #[error("the expression takes more memory on this event than evaluationMemoryBytes allows")]
    TooLarge,
}

impl FhirPath {
    /// Makes the handle; cheap.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Compiles a criterion for any resource type; see [`FhirPath::compile_for`].
    #[must_use]
    pub fn compile(&self, text: &str) -> (Option<Criterion>, Vec<CriterionProblem>) {
        self.compile_for(text, &[], &[])
    }

    /// Compiles a criterion that is used with triggers for these resource types (none, or `Resource` among them: any) and
    /// interactions (none: all).
    ///
    /// `None` with at least one problem of [`Severity::Error`] when it cannot run; warnings may stand beside a criterion
    /// that can. Resource types and interactions only make the checks sharper: the criterion is the same.
    #[must_use]
    pub fn compile_for(
        &self,
        text: &str,
        resource_types: &[&str],
        interactions: &[Interaction],
    ) -> (Option<Criterion>, Vec<CriterionProblem>) {
        let normalized = match lexical::normalize(text) {
            Ok(normalized) => normalized,
            Err(refused) => return (None, vec![syntax::unreadable(refused)]),
        };
        let Some(tree) = parse(&normalized) else {
            return (None, vec![syntax::problem(&normalized)]);
        };
        let mut findings = check::check(&normalized, &tree, resource_types, interactions);
        let problems = std::mem::take(&mut findings.problems);
        if problems.iter().any(|problem| problem.severity == Severity::Error) {
            return (None, problems);
        }
        let plans = Default::default();
        let text = text.to_owned();
        (Some(Criterion(Arc::new(Compiled { text, normalized, tree, findings, plans }))), problems)
    }

    /// Prepares an event for its criteria.
    ///
    /// `focus` is the current version, or a delete's last known state; `previous` the previous version where it is
    /// known. On create %previous is empty whatever is given; on delete %current is empty, and the last known state is
    /// both the focus and %previous. A state that is `None` is empty. `event_time` is a full instant (RFC 3339): what
    /// now() gives, in UTC; now() is empty if it is none.
    #[must_use]
    pub fn subject(
        &self,
        release: FhirRelease,
        interaction: Interaction,
        focus: Option<Arc<Value>>,
        previous: Option<Arc<Value>>,
        event_time: &str,
    ) -> Subject {
        let engine = engine::engine(release);
        let mut shape = Shape::default();
        let mut value = |state: Option<Arc<Value>>| state.map(|state| engine.value(&state, &mut shape));
        let (focus, current, previous) = match interaction {
            Interaction::Create => {
                let focus = value(focus);
                (focus.clone(), focus, None)
            }
            Interaction::Update => {
                let focus = value(focus);
                (focus.clone(), focus, value(previous))
            }
            Interaction::Delete => {
                let last = value(focus.or(previous));
                (last.clone(), None, last)
            }
        };
        let states = States { focus: focus.is_some(), current: current.is_some(), previous: previous.is_some() };
        let context = engine.context(focus.clone(), &shape);
        for (name, value) in [("rootResource", focus), ("current", current), ("previous", previous)] {
            if let Some(value) = value {
                context.set_variable(name.to_owned(), value);
            }
        }
        Subject {
            release,
            states,
            shape: Arc::new(shape),
            size: 0,
            context,
            event_time: event_time.to_owned(),
            clock: Once::new(),
        }
    }

    /// [`FhirPath::evaluate_within`] the budget of one evaluation.
    ///
    /// # Errors
    /// See [`EvaluationError`].
    pub fn evaluate(&self, criterion: &Criterion, subject: &Subject) -> Result<bool, EvaluationError> {
        self.evaluate_within(criterion, subject, &mut Budget::of_evaluation())
    }

    /// Evaluates a criterion: true fires; false and empty do not. Its steps are taken from the budget of its record.
    ///
    /// # Errors
    /// See [`EvaluationError`].
    pub fn evaluate_within(
        &self,
        criterion: &Criterion,
        subject: &Subject,
        budget: &mut Budget,
    ) -> Result<bool, EvaluationError> {
        let compiled = &*criterion.0;
        let engine = engine::engine(subject.release);
        let slot = &compiled.plans[subject.release as usize][subject.states.index()];
        let plan = slot.get_or_init(|| engine.compile(&compiled.text_for(subject.states)).ok());
        let plan = plan.as_ref().ok_or(EvaluationError::Failed)?;
        if compiled.findings.reads_clock {
            subject.clock.call_once(|| subject.set_clock());
        }
        let toll = compiled.findings.toll(subject.shape.nodes);
        let result = budget::metered(budget, &Terms { toll, shape: &subject.shape, trees: subject.size }, || {
            if compiled.findings.defines_variables {
                engine.run(plan, &subject.context.nest())
            } else {
                engine.run(plan, &subject.context)
            }
        });
        decide(&result?.map_err(|engine::EngineFailed| EvaluationError::Failed)?)
    }
}

impl Subject {
    /// What now(), today() and timeOfDay() give.
    fn set_clock(&self) {
        let time = self.event_time.parse::<Timestamp>().ok();
        let instant = time.map(|time| time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string());
        for (name, value) in instant.as_deref().and_then(functions::clock_variables).into_iter().flatten() {
            self.context.set_variable(name.to_owned(), value);
        }
    }
}

/// What a result means for the trigger.
fn decide(result: &Collection) -> Result<bool, EvaluationError> {
    match result.values() {
        [] | [FhirPathValue::Empty] => Ok(false),
        [FhirPathValue::Boolean(fires, ..)] => Ok(*fires),
        [FhirPathValue::Collection(inner)] => decide(inner),
        _ => Err(EvaluationError::NotBoolean),
    }
}

impl States {
    /// How many combinations there are.
    const COUNT: usize = 8;

    fn index(self) -> usize {
        usize::from(self.focus) | usize::from(self.current) << 1 | usize::from(self.previous) << 2
    }
}

impl Compiled {
    /// The text that the engine compiles for events with these states.
    fn text_for(&self, states: States) -> String {
        self.part_for(0..self.normalized.text().len(), states)
    }

    /// The same of a part of the normalized text.
    fn part_for(&self, part: Range<usize>, states: States) -> String {
        let source = self.normalized.text();
        let mut text = String::with_capacity(part.len());
        let mut copied = part.start;
        let slots = self.findings.slots.iter();
        for (span, slot) in slots.filter(|(span, _)| part.start <= span.start && span.end <= part.end) {
            let replacement = match slot {
                Slot::Previous if !states.previous => "({})",
                Slot::Current if !states.current => "({})",
                Slot::Focus if !states.focus => "({})",
                Slot::Text(text) => text,
                Slot::Previous | Slot::Current | Slot::Focus => continue,
            };
            text.push_str(&source[copied..span.start]);
            text.push_str(replacement);
            copied = span.end;
        }
        text.push_str(&source[copied..part.end]);
        text
    }
}

impl Criterion {
    /// The expression as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// Whether it reads %previous.
    #[must_use]
    pub fn reads_previous(&self) -> bool {
        self.0.findings.reads_previous
    }

    /// Whether a known defect of the general engine could bite, if that runs it.
    #[must_use]
    pub fn has_defects(&self) -> bool {
        !self.0.findings.defects.is_empty()
    }

    /// Whether it reads the resource at all (focus, %context, %resource, %current or %previous).
    #[must_use]
    pub fn reads_content(&self) -> bool {
        self.0.findings.reads_content
    }
}

impl std::fmt::Debug for Criterion {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Criterion").field(&self.0.text).finish()
    }
}

/// Whether this is the name of a FHIR resource type of any supported release.
#[must_use]
pub fn is_resource_type(name: &str) -> bool {
    resource_types().binary_search(&name).is_ok()
}

/// Names of all resource types of the supported releases, sorted.
#[must_use]
pub fn resource_types() -> &'static [&'static str] {
    model::resource_types()
}

fn error(span: Option<Range<usize>>, message: String) -> CriterionProblem {
    CriterionProblem { severity: Severity::Error, span, message, hint: None }
}

/// The syntax tree, if the text is an expression. The parser that the engine evaluates with.
fn parse(normalized: &Normalized) -> Option<ExpressionNode> {
    let parsed = catch_unwind(|| parse_with_mode(normalized.text(), ParsingMode::Fast)).ok()?;
    parsed.ast.filter(|_| parsed.success)
}
