//! Criteria: each text is compiled once, and each problem is placed inside of the expression in the file.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

use super::{EngineChoices, Engines, GeneralCriterion};
use crate::config::diagnostic::Diagnostic;
use crate::config::document::{Located, Place, Sink, Style};
use crate::domain::event::{FhirRelease, Interaction};
use crate::domain::fhirpath::{Criterion, CriterionProblem, FhirPath, NotCompiled, Severity};
use crate::domain::plan::CriterionIndex;

/// The criteria of all topics.
pub(super) struct Criteria<'a> {
    fhirpath: &'a Arc<FhirPath>,
    sink: &'a Sink,
    /// By text, resource type and interactions: those make the checks sharper, the criterion is the same.
    compiled: HashMap<(String, String, Vec<Interaction>), Vec<CriterionProblem>>,
    criteria: HashMap<String, Criterion>,
    /// Those that run, in the order of their first use.
    used: Vec<Criterion>,
    /// The positions of those that run, by text.
    positions: HashMap<String, CriterionIndex>,
    choices: EngineChoices,
    /// Those that are among the choices, by text and resource type.
    asked: HashSet<(String, String)>,
}

impl<'a> Criteria<'a> {
    pub(super) fn new(fhirpath: &'a Arc<FhirPath>, release: FhirRelease, sink: &'a Sink) -> Self {
        Self {
            fhirpath,
            sink,
            compiled: HashMap::new(),
            criteria: HashMap::new(),
            used: Vec::new(),
            positions: HashMap::new(),
            choices: EngineChoices { release, criteria: Vec::new() },
            asked: HashSet::new(),
        }
    }

    /// Compiles a criterion for a trigger's resource type (`None`: for any) and interactions, and reports its problems at
    /// this place.
    pub(super) fn check(&mut self, given: &Located<String>, resource_type: Option<&str>, interactions: &[Interaction]) {
        let text = given.value.trim();
        let known = (text.to_owned(), resource_type.unwrap_or_default().to_owned(), interactions.to_vec());
        let problems = self.compiled.entry(known).or_insert_with(|| {
            let (criterion, problems) = self.fhirpath.compile_for(text, resource_type.as_slice(), interactions);
            if let Some(criterion) = criterion {
                self.criteria.insert(text.to_owned(), criterion);
            }
            problems
        });
        for problem in problems.iter() {
            self.sink.push(placed(given, problem));
        }
        let has_error = problems.iter().any(|problem| problem.severity == Severity::Error);
        if !has_error && !self.criteria.contains_key(text) {
            self.sink.push(given.place.error("the criterion cannot run").hint(DEFAULT_HINT));
        }
    }

    /// Takes up a criterion that was checked for who asks which engine runs it, and warns where a defect of the general
    /// one could bite. Only then it is compiled here: each type's first event compiles what it needs.
    pub(super) fn choose_engine(&mut self, given: &Located<String>, resource_type: &str) {
        let text = given.value.trim();
        let Some(criterion) = self.criteria.get(text) else { return };
        if !self.asked.insert((text.to_owned(), resource_type.to_owned())) {
            return;
        }
        if criterion.has_defects()
            && let Some(refused) = self.fhirpath.not_compiled(criterion, self.choices.release, resource_type)
        {
            for defect in &refused.defects {
                self.sink.push(placed(given, defect));
            }
        }
        self.choices.criteria.push((given.clone(), criterion.clone(), resource_type.to_owned()));
    }

    /// The position of a criterion that was checked, and that an active topic uses. One that cannot run has any.
    pub(super) fn index(&mut self, given: &Located<String>) -> CriterionIndex {
        let text = given.value.trim();
        if let Some(known) = self.positions.get(text) {
            return *known;
        }
        let index = CriterionIndex(self.used.len());
        self.positions.insert(text.to_owned(), index);
        self.used.extend(self.criteria.get(text).cloned());
        index
    }

    /// The criteria in the order of their positions, and which engine runs them; `None` where one of them cannot run.
    pub(super) fn into_used(self) -> Option<(Vec<Criterion>, EngineChoices)> {
        (self.used.len() == self.positions.len()).then_some((self.used, self.choices))
    }
}

impl EngineChoices {
    /// Finds out which engine runs the criteria.
    #[must_use]
    pub fn engines(&self, fhirpath: &FhirPath) -> Engines {
        let mut engines = Engines::default();
        for (given, criterion, resource_type) in &self.criteria {
            match fhirpath.not_compiled(criterion, self.release, resource_type) {
                None => engines.compiled += 1,
                Some(refused) => engines.general.push(GeneralCriterion::of(given, refused)),
            }
        }
        engines
    }
}

impl GeneralCriterion {
    fn of(given: &Located<String>, NotCompiled { span, reason, resource_types, .. }: NotCompiled) -> Self {
        let place = span.filter(|_| given.shown == given.value).map(|span| part(given, &span));
        let place = place.unwrap_or_else(|| given.place.clone());
        let reason = match resource_types {
            Some((refused, of)) if refused < of => format!("for {refused} of {of} resource types: {reason}"),
            _ => reason.to_owned(),
        };
        Self { place, reason }
    }
}

/// The place of a part of a criterion; the span is of its text without the blanks around it.
fn part(given: &Located<String>, span: &Range<usize>) -> Place {
    let blanks = given.value.len() - given.value.trim_start().len();
    given.place.part(given.style, &given.value, span.start + blanks..span.end + blanks)
}

fn placed(given: &Located<String>, problem: &CriterionProblem) -> Diagnostic {
    let blanks = given.value.len() - given.value.trim_start().len();
    if given.shown != given.value {
        return hidden(given, problem);
    }
    let (place, message) = match &problem.span {
        Some(span) => {
            let before = given.value.get(blanks..span.start + blanks);
            let position = before.map_or(0, |before| before.chars().count()) + 1;
            (part(given, span), format!("{} (character {position} of the expression)", problem.message))
        }
        None => (given.place.clone(), problem.message.clone()),
    };
    let diagnostic = place.diagnostic(problem.severity, message);
    let lacks_its_end =
        ["the string is not closed", "the expression ends too early"].contains(&problem.message.as_str());
    if lacks_its_end && given.style == Style::Plain && given.place.is_cut_by_a_comment() {
        return diagnostic.hint(COMMENT_HINT);
    }
    match &problem.hint {
        Some(hint) => diagnostic.hint(hint),
        None if problem.message.starts_with("unknown variable") => diagnostic.hint(VARIABLES_HINT),
        None if problem.severity == Severity::Error => diagnostic.hint(DEFAULT_HINT),
        None => diagnostic,
    }
}

/// For an expression that lost its end.
const COMMENT_HINT: &str = "` #` begins a comment in YAML: put the whole expression in double quotes";

/// For a variable that resembles none.
const VARIABLES_HINT: &str = "a criterion may use %current, %previous, %context and %resource";

/// For what the checks have no advice about: mostly the syntax.
const DEFAULT_HINT: &str =
    "FHIRPath writes `=` for equal, 'text' in single quotes, and `and`, `or`, `.not()`, as in status = 'final'";

/// The engine quotes the expression; where a variable is in it, that would show the variable's value.
fn hidden(given: &Located<String>, problem: &CriterionProblem) -> Diagnostic {
    let message = match problem.severity {
        Severity::Error => "with its variables substituted, the criterion cannot run",
        Severity::Warning => "with its variables substituted, the criterion may surprise",
    };
    let diagnostic = given.place.diagnostic(problem.severity, message);
    diagnostic.hint("what is wrong is not shown, since it would show values: write the criterion out to see it")
}
