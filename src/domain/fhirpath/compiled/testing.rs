//! Programs on texts, for the suites and for differential tests.

use super::compile::{Reads, Unsupported, compile};
use super::evaluate::{Scratch, View};
use super::program::Program;
use super::projection::Projection;
use super::symbols::Symbols;
use super::tree::TreeBuffer;
use crate::domain::event::FhirRelease;
use crate::domain::fhirpath::{Budget, EvaluationError, lexical, parse};

pub(in super::super) use super::evaluate::Shown;

/// A program and what it needs of an event's trees.
pub(in super::super) struct Probe {
    pub(super) program: Program,
    pub(super) names: Symbols,
    pub(super) reads: Reads,
}

/// An event for a probe.
#[derive(Debug, Clone, Copy, Default)]
pub(in super::super) struct ProbeEvent<'a> {
    /// The JSON text of the focus.
    pub(in super::super) focus: Option<&'a str>,
    /// Whether the focus is `%current`.
    pub(in super::super) has_current: bool,
    pub(in super::super) previous: Option<&'a str>,
    pub(in super::super) time: &'a str,
}

impl Probe {
    /// Compiles an expression for a resource type. It must be well-formed.
    pub(in super::super) fn compile(text: &str, release: FhirRelease, focus_type: &str) -> Result<Self, Unsupported> {
        let odd = |reason| Unsupported { span: None, reason };
        let normalized = lexical::normalize(text).map_err(|error| odd(error.message))?;
        let tree = parse(&normalized).ok_or(odd("it does not parse"))?;
        let (mut names, mut reads) = (Symbols::new(), Reads::new());
        let program = compile(&normalized, &tree, release, focus_type, &mut names, &mut reads)?;
        Ok(Self { program, names, reads })
    }

    /// What the expression gives.
    pub(in super::super) fn values(&self, event: &ProbeEvent<'_>) -> Result<Vec<Shown>, EvaluationError> {
        // A result is shown whole, though the program reads no more than its type.
        let mut reads = self.reads.clone();
        reads.focus.whole(Projection::ROOT);
        reads.previous.whole(Projection::ROOT);
        self.on(event, &reads, |view| self.program.values(view, &mut Scratch::new(), &mut Budget::of_evaluation()))
    }

    /// Whether the criterion fires.
    pub(in super::super) fn test(&self, event: &ProbeEvent<'_>) -> Result<bool, EvaluationError> {
        self.on(event, &self.reads, |view| self.program.test(view, &mut Scratch::new(), &mut Budget::of_evaluation()))
    }

    fn on<T>(&self, event: &ProbeEvent<'_>, reads: &Reads, run: impl FnOnce(&View<'_>) -> T) -> T {
        let (mut focus, mut previous) = (TreeBuffer::new(), TreeBuffer::new());
        let focus =
            event.focus.map(|text| focus.read(text.into(), &reads.focus, &self.names, usize::MAX).expect("it is JSON"));
        let previous = event
            .previous
            .map(|text| previous.read(text.into(), &reads.previous, &self.names, usize::MAX).expect("it is JSON"));
        run(&View { focus, has_current: event.has_current, previous, time: event.time })
    }
}
