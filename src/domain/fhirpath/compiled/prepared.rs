//! The criteria of a plan, prepared for the events of one resource type.
//!
//! ```text
//! Prepared: programs of the criteria that compile, what they read        (once, at the type's first event)
//! EventSubject: the event's text -> trees, read when the first program asks  -> Program::test
//!                               -> Subject, converted when the first other criterion asks -> general engine
//! ```
//!
//! A criterion without a program goes whole to the general engine, and only then is the event converted for it.

use std::fmt;
use std::sync::Arc;

use super::compile::{Reads, compile};
use super::evaluate::{Scratch, View};
use super::program::Program;
use super::projection::Projection;
use super::share::share;
use super::sieve::{Finds, Sieve};
use super::symbols::Symbols;
use super::tree::{Tree, TreeBuffer, Unread};
use crate::domain::event::{FhirRelease, Interaction};
use crate::domain::fhirpath::{Budget, Criterion, EvaluationError, FhirPath, Subject};
use crate::domain::json::{self, ObjectText};

/// Criteria as events of one resource type in one release ask for them.
pub struct Prepared {
    names: Symbols,
    /// By [`Interaction::index`].
    reads: [Reads; 3],
    /// By the criterion's position; `None`: the general engine evaluates it.
    programs: Vec<Option<Program>>,
    /// Whether a criterion without a program reads %previous, by [`Interaction::index`].
    converts_previous: [bool; 3],
    /// By [`Interaction::index`].
    sieves: [Sieve; 3],
    /// Those of an update's sieve that read %previous.
    sifted_with_previous: Vec<u32>,
    /// How many tests the programs share.
    slots: usize,
}

/// What evaluations need for themselves; keeps its memory from event to event, as far as most events need it.
#[derive(Debug, Default)]
pub struct Workspace {
    focus: TreeBuffer,
    previous: TreeBuffer,
    scratch: Scratch,
    finds: Finds,
}

/// An event as its record tells it.
#[derive(Debug, Clone, Copy)]
pub struct EventText<'e> {
    /// The release whose element types count.
    pub release: FhirRelease,
    /// What was done.
    pub interaction: Interaction,
    /// The current version, or a delete's last known state.
    pub focus: Option<ObjectText<'e>>,
    /// The version before an update.
    pub previous: Option<ObjectText<'e>>,
    /// The event's time, a full instant (RFC 3339).
    pub time: &'e str,
}

/// One event as its criteria see it: each form of it is made once, when the first criterion needs it.
pub struct EventSubject<'e> {
    event: EventText<'e>,
    prepared: Option<&'e Prepared>,
    workspace: &'e mut Workspace,
    focus: Reading,
    previous: Reading,
    /// For the general engine, if it could be made.
    converted: Option<Result<Subject, EvaluationError>>,
}

/// How far a tree is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    NotYet,
    Done,
    Failed(EvaluationError),
}

impl FhirPath {
    /// Compiles criteria for the events of a resource type. `asked` are the positions of those that may be asked, by
    /// [`Interaction::index`].
    #[must_use]
    pub fn prepare(
        &self,
        release: FhirRelease,
        resource_type: &str,
        criteria: &[Criterion],
        asked: [&[usize]; 3],
    ) -> Prepared {
        let mut prepared = Prepared {
            names: Symbols::new(),
            reads: [Reads::new(), Reads::new(), Reads::new()],
            programs: std::iter::repeat_with(|| None).take(criteria.len()).collect(),
            converts_previous: [false; 3],
            sieves: [Sieve::default(), Sieve::default(), Sieve::default()],
            sifted_with_previous: Vec::new(),
            slots: 0,
        };
        let mut asked_by = vec![[false; 3]; criteria.len()];
        for (interaction, positions) in asked.iter().enumerate() {
            for position in *positions {
                if let Some(by) = asked_by.get_mut(*position) {
                    by[interaction] = true;
                }
            }
        }
        for (position, (criterion, by)) in criteria.iter().zip(asked_by).enumerate() {
            if by.contains(&true) {
                prepared.add(position, criterion, release, resource_type, by);
            }
        }
        prepared.sieves = asked.map(|positions| {
            let numbered = positions
                .iter()
                .filter_map(|position| Some((u32::try_from(*position).ok()?, prepared.program(*position)?)));
            let mut programs: Vec<_> = numbered.collect();
            programs.sort_unstable_by_key(|(position, _)| *position);
            programs.dedup_by_key(|(position, _)| *position);
            Sieve::of(&programs)
        });
        let sifted = prepared.sifted(Interaction::Update).iter().copied();
        let reads_previous = |position: &u32| criteria.get(*position as usize).is_some_and(Criterion::reads_previous);
        prepared.sifted_with_previous = sifted.filter(reads_previous).collect();
        prepared.slots = share(&mut prepared.programs);
        prepared
    }
}

impl Prepared {
    fn add(
        &mut self,
        position: usize,
        criterion: &Criterion,
        release: FhirRelease,
        resource_type: &str,
        by: [bool; 3],
    ) {
        let mut reads = Reads::new();
        let (normalized, tree) = (&criterion.0.normalized, &criterion.0.tree);
        let program = compile(normalized, tree, release, resource_type, &mut self.names, &mut reads).ok();
        let interactions = Interaction::ALL.into_iter().filter(|interaction| by[interaction.index()]);
        let Some(program) = program else {
            for interaction in interactions {
                self.converts_previous[interaction.index()] |= criterion.reads_previous();
            }
            return;
        };
        for interaction in interactions {
            let of_interaction = &mut self.reads[interaction.index()];
            of_interaction.focus.add(&reads.focus);
            match interaction {
                Interaction::Create => {}
                Interaction::Update => of_interaction.previous.add(&reads.previous),
                // The last known state is both.
                Interaction::Delete => of_interaction.focus.add(&reads.previous),
            }
        }
        self.programs[position] = Some(program);
    }

    /// Whether the criterion at this position runs as a program, not in the general engine.
    #[must_use]
    pub fn is_compiled(&self, position: usize) -> bool {
        self.program(position).is_some()
    }

    /// The positions of those criteria that [`EventSubject::sift`] can leave out, in their order.
    #[must_use]
    pub fn sifted(&self, interaction: Interaction) -> &[u32] {
        self.sieves[interaction.index()].members()
    }

    /// How many tests the programs share.
    #[cfg(test)]
    pub(super) fn shared_tests(&self) -> usize {
        self.slots
    }

    fn program(&self, position: usize) -> Option<&Program> {
        self.programs.get(position)?.as_ref()
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let compiled = self.programs.iter().flatten().count();
        formatter.debug_struct("Prepared").field("compiled", &compiled).finish_non_exhaustive()
    }
}

impl Workspace {
    /// Without memory yet.
    #[must_use]
    pub fn new() -> Self {
        Self { focus: TreeBuffer::new(), previous: TreeBuffer::new(), scratch: Scratch::new(), finds: Finds::default() }
    }

    /// Gives back memory that one event in many needs.
    fn trim(&mut self) {
        self.focus.trim();
        self.previous.trim();
        self.scratch.trim();
        self.finds.trim();
    }
}

impl<'e> EventText<'e> {
    fn focus(&self) -> Option<ObjectText<'e>> {
        let last_known = self.previous.filter(|_| self.interaction == Interaction::Delete);
        self.focus.or(last_known)
    }

    /// The general engine's view of the event with all that it has, if it fits into so many bytes.
    ///
    /// # Errors
    /// When it does not, or a number in it is out of every range.
    pub(in super::super) fn convert(&self, limit: usize) -> Result<Subject, EvaluationError> {
        convert(self, true, limit)
    }
}

impl<'e> EventSubject<'e> {
    /// An event of which nothing is read yet. `prepared` is for its release and resource type; without it the general
    /// engine evaluates everything.
    #[must_use]
    pub fn new(event: EventText<'e>, prepared: Option<&'e Prepared>, workspace: &'e mut Workspace) -> Self {
        let (focus, previous) = (Reading::NotYet, Reading::NotYet);
        workspace.scratch.begin(prepared.map_or(0, |prepared| prepared.slots));
        Self { event, prepared, workspace, focus, previous, converted: None }
    }

    /// Evaluates the criterion at this position: true fires; false and empty do not. Its steps are taken from the budget
    /// of its record.
    ///
    /// # Errors
    /// See [`EvaluationError`].
    pub fn evaluate(
        &mut self,
        position: usize,
        criterion: &Criterion,
        budget: &mut Budget,
    ) -> Result<bool, EvaluationError> {
        match self.prepared.and_then(|prepared| Some((prepared, prepared.program(position)?))) {
            Some((prepared, program)) => self.run(prepared, program, criterion.reads_previous(), budget),
            None => self.run_general(criterion, budget),
        }
    }

    /// Finds, of [`Prepared::sifted`], the criteria that must be evaluated, in their order; the others are not true and
    /// would not fail. Those that read a previous version which the event lacks are never left out. `None`: all must be
    /// evaluated.
    pub fn sift(&mut self, budget: &mut Budget) -> Option<&[u32]> {
        self.sift_leniently(budget)?;
        let Workspace { finds, .. } = &mut *self.workspace;
        if self.event.interaction == Interaction::Update && self.event.previous.is_none() {
            finds.positions.extend_from_slice(&self.prepared?.sifted_with_previous);
            finds.sort();
        }
        Some(&finds.positions)
    }

    /// The same, but a previous version that the event lacks is taken for an empty one.
    pub fn sift_leniently(&mut self, budget: &mut Budget) -> Option<&[u32]> {
        let prepared = self.prepared?;
        let index = self.event.interaction.index();
        let (sieve, reads) = (&prepared.sieves[index], &prepared.reads[index].focus);
        let EventText { interaction, time, .. } = self.event;
        let Workspace { focus, finds, scratch, .. } = &mut *self.workspace;
        let text = self.event.focus().filter(|_| !sieve.members().is_empty());
        let limit = budget.memory();
        let focus = Some(tree(&mut self.focus, focus, text, reads, &prepared.names, limit).ok()??);
        let granted = budget.grant()?;
        let mut left = granted;
        let view = View { focus, has_current: interaction != Interaction::Delete, previous: None, time };
        let sifted = sieve.sift(&view, limit, scratch, finds, &mut left);
        budget.take(granted - left);
        sifted.ok()?;
        Some(&finds.positions)
    }

    fn run(
        &mut self,
        prepared: &Prepared,
        program: &Program,
        reads_previous: bool,
        budget: &mut Budget,
    ) -> Result<bool, EvaluationError> {
        let EventText { interaction, time, .. } = self.event;
        let reads = &prepared.reads[interaction.index()];
        let focus = self.event.focus();
        let previous = self.event.previous.filter(|_| reads_previous);
        let Workspace { focus: of_focus, previous: of_previous, scratch, .. } = &mut *self.workspace;
        let limit = budget.memory();
        let focus = tree(&mut self.focus, of_focus, focus, &reads.focus, &prepared.names, limit)?;
        let limit = limit.saturating_sub(focus.map_or(0, Tree::bytes));
        let previous = match interaction {
            Interaction::Create => None,
            Interaction::Update => {
                tree(&mut self.previous, of_previous, previous, &reads.previous, &prepared.names, limit)?
            }
            Interaction::Delete => focus,
        };
        let has_current = interaction != Interaction::Delete;
        program.test(&View { focus, has_current, previous, time }, scratch, budget)
    }

    fn run_general(&mut self, criterion: &Criterion, budget: &mut Budget) -> Result<bool, EvaluationError> {
        let event = &self.event;
        let with_previous = self.prepared.is_none_or(|prepared| prepared.converts_previous[event.interaction.index()]);
        let limit = budget.memory();
        let converted = self.converted.get_or_insert_with(|| convert(event, with_previous, limit));
        let subject = converted.as_ref().map_err(|error| *error)?;
        FhirPath::new().evaluate_within(criterion, subject, budget)
    }
}

impl Drop for EventSubject<'_> {
    fn drop(&mut self) {
        self.workspace.trim();
    }
}

impl fmt::Debug for EventSubject<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("EventSubject").field("focus", &self.focus).field("previous", &self.previous).finish()
    }
}

/// The tree of a state, read now or before; it takes at most so many bytes.
fn tree<'t>(
    reading: &mut Reading,
    buffer: &'t mut TreeBuffer,
    state: Option<ObjectText<'t>>,
    projection: &Projection,
    names: &Symbols,
    limit: usize,
) -> Result<Option<Tree<'t, 't>>, EvaluationError> {
    let Some(state) = state else { return Ok(None) };
    if *reading == Reading::NotYet {
        *reading = match buffer.read(state, projection, names, limit) {
            Ok(_) => Reading::Done,
            Err(Unread::Malformed) => Reading::Failed(EvaluationError::Failed),
            Err(Unread::TooLarge) => Reading::Failed(EvaluationError::TooLarge),
        };
    }
    match *reading {
        Reading::Failed(error) => Err(error),
        Reading::NotYet | Reading::Done => Ok(Some(buffer.last(state.text))),
    }
}

/// The general engine's view of the event, if it fits into so many bytes.
///
/// # Errors
/// When it does not, or a number in it is out of every range: the engine can evaluate nothing then.
fn convert(event: &EventText<'_>, with_previous: bool, limit: usize) -> Result<Subject, EvaluationError> {
    let previous = event.previous.filter(|_| with_previous && event.interaction == Interaction::Update);
    let states = [event.focus(), previous].map(|state| Some(state?.text));
    let size = states.iter().flatten().map(|text| converted_size(text)).sum();
    if size > limit as u64 {
        return Err(EvaluationError::TooLarge);
    }
    let value = |text| json::value(text).map(Arc::new).map_err(|_| EvaluationError::Failed);
    let [focus, previous] = states.map(|text| text.map(value).transpose());
    let (focus, mut previous) = (focus?, previous?);
    if event.interaction == Interaction::Delete {
        previous.clone_from(&focus);
    }
    Ok(Subject { size, ..FhirPath::new().subject(event.release, event.interaction, focus, previous, event.time) })
}

/// What a text takes as JSON values and as the general engine's tree together, in bytes: measured, within a factor of two.
fn converted_size(text: &str) -> u64 {
    let (values, objects) = json::count(text);
    192 * values + 512 * objects + 2 * text.len() as u64
}
