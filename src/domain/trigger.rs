//! Which topics an event fires: the criteria's answers, and what follows from them for each topic.
//!
//! ```text
//! candidates (type, interaction) -> per topic: answers in order -> the first true fires
//!                                   none true: error (onError) > missing state (onMissingState) > criteria
//! ```
//!
//! A criterion is evaluated at most once per event, however many triggers share it, and the event is read only when
//! a first criterion asks.

use super::event::{Interaction, ResourceEvent};
use super::fhirpath::{Budget, Criterion, EventSubject, EventText, Prepared, Workspace};
use super::json::ObjectText;
use super::output::DeadLetterClass;
use super::plan::{Candidate, CriterionIndex, OnError, OnMissingState, Plan};
use super::tally::FilterReason;

/// What a criterion says about an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It fires.
    True,
    /// It does not.
    False,
    /// It failed, or gave no boolean.
    Failed,
    /// It was not asked: the event lacks the state that it reads (`onMissingState: dead-letter`).
    Missing,
    /// It was asked with the missing state empty, and does not fire (`onMissingState: skip`).
    FalseForLackOfState,
}

/// What follows for a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It fires.
    Fires,
    /// It does not, for this reason.
    Filtered(FilterReason),
    /// It does not, since criteria failed; the errors are counted and that is all (`onError: skip`).
    FailedAndSkipped,
    /// It cannot be decided; one dead letter.
    DeadLetter(DeadLetterClass),
    /// It cannot be decided, and the process is to stop (`onError: stop`).
    Stop,
}

/// A verdict, and how many of the triggers failed on the way to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Judgement {
    pub(crate) verdict: Verdict,
    pub(crate) errors: u64,
}

/// Judges the candidates of one topic, which are OR-ed; a trigger without criterion fires.
pub(crate) fn judge(
    candidates: &[Candidate],
    on_error: OnError,
    mut answer: impl FnMut(CriterionIndex) -> Answer,
) -> Judgement {
    let (mut errors, mut missing, mut lacked) = (0, false, false);
    for candidate in candidates {
        match candidate.criterion.map_or(Answer::True, &mut answer) {
            Answer::True => return Judgement { verdict: Verdict::Fires, errors },
            Answer::False => {}
            Answer::Failed => errors += 1,
            Answer::Missing => missing = true,
            Answer::FalseForLackOfState => lacked = true,
        }
    }
    let verdict = match on_error {
        OnError::Stop if errors > 0 => Verdict::Stop,
        OnError::DeadLetter if errors > 0 => Verdict::DeadLetter(DeadLetterClass::EvaluationError),
        _ if missing => Verdict::DeadLetter(DeadLetterClass::MissingState),
        _ if lacked => Verdict::Filtered(FilterReason::MissingState),
        _ if errors > 0 => Verdict::FailedAndSkipped,
        _ => Verdict::Filtered(FilterReason::Criteria),
    };
    Judgement { verdict, errors }
}

/// The answers of the criteria about the current event, so that each is evaluated once. Kept over events: forgetting is
/// the turn of a counter.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    event: u64,
    known: Vec<(u64, Answer)>,
}

impl Answers {
    /// No answers yet about any of `criteria` criteria.
    pub(crate) fn new(criteria: usize) -> Self {
        Self { event: 0, known: vec![(0, Answer::False); criteria] }
    }

    /// Forgets everything: another event.
    pub(crate) fn forget(&mut self) {
        self.event += 1;
    }

    /// The answer of this criterion, asked for at most once.
    pub(crate) fn get(&mut self, criterion: CriterionIndex, ask: impl FnOnce() -> Answer) -> Answer {
        let known = &mut self.known[criterion.0];
        if known.0 != self.event {
            *known = (self.event, ask());
        }
        known.1
    }
}

/// Asks the criteria about one event.
pub(crate) struct Questioner<'e, 'a> {
    plan: &'e Plan,
    event: &'e ResourceEvent<'a>,
    /// What the criteria of the record may still take.
    budget: &'e mut Budget,
    subject: EventSubject<'e>,
}

impl<'e, 'a> Questioner<'e, 'a> {
    /// `criteria` are those of the plan, prepared for the event's type; `time` is its time as an instant.
    pub(crate) fn new(
        plan: &'e Plan,
        event: &'e ResourceEvent<'a>,
        criteria: Option<&'e Prepared>,
        time: &'e str,
        workspace: &'e mut Workspace,
        budget: &'e mut Budget,
    ) -> Self {
        let subject = EventSubject::new(event_text(plan, event, time), criteria, workspace);
        Self { plan, event, budget, subject }
    }

    /// See [`EventSubject::sift`]. Where criteria are evaluated with a missing state empty, they are left out by it too.
    pub(crate) fn sift(&mut self) -> Option<&[u32]> {
        match self.plan.on_missing_state {
            OnMissingState::DeadLetter => self.subject.sift(self.budget),
            OnMissingState::Skip => self.subject.sift_leniently(self.budget),
        }
    }

    /// Asks one criterion.
    pub(crate) fn ask(&mut self, index: CriterionIndex) -> Answer {
        let criterion = &self.plan.criteria[index.0];
        let lacks_state = lacks_state(criterion, self.event);
        if lacks_state && self.plan.on_missing_state == OnMissingState::DeadLetter {
            return Answer::Missing;
        }
        match self.subject.evaluate(index.0, criterion, self.budget) {
            Ok(true) => Answer::True,
            Ok(false) if lacks_state => Answer::FalseForLackOfState,
            Ok(false) => Answer::False,
            Err(_) => Answer::Failed,
        }
    }
}

/// The event as criteria see it; `time` is its time as an instant.
pub(crate) fn event_text<'e>(plan: &Plan, event: &'e ResourceEvent<'_>, time: &'e str) -> EventText<'e> {
    EventText {
        release: event.fhir_release.unwrap_or(plan.fhir_release),
        interaction: event.interaction,
        focus: event.focus.as_ref().map(|focus| (&focus.outline).into()),
        previous: event.previous.as_ref().map(ObjectText::from),
        time,
    }
}

/// Whether the event came without a state that the criterion reads.
fn lacks_state(criterion: &Criterion, event: &ResourceEvent<'_>) -> bool {
    match event.interaction {
        Interaction::Create => false,
        Interaction::Update => criterion.reads_previous() && event.previous.is_none(),
        Interaction::Delete => (criterion.reads_content() || criterion.reads_previous()) && event.focus.is_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan::TopicIndex;
    use super::*;

    fn judged(on_error: OnError, answers: &[Option<Answer>]) -> Judgement {
        let candidate = |(position, answer): (usize, &Option<Answer>)| Candidate {
            topic: TopicIndex(0),
            criterion: answer.map(|_| CriterionIndex(position)),
        };
        let candidates: Vec<_> = answers.iter().enumerate().map(candidate).collect();
        judge(&candidates, on_error, |criterion| answers[criterion.0].expect("only criteria are asked"))
    }

    fn verdict(on_error: OnError, answers: &[Answer]) -> Verdict {
        judged(on_error, &answers.iter().copied().map(Some).collect::<Vec<_>>()).verdict
    }

    #[test]
    fn a_true_trigger_outweighs_errors_and_missing_state_which_are_still_counted() {
        for on_error in [OnError::DeadLetter, OnError::Skip, OnError::Stop] {
            let answers = [Some(Answer::Failed), Some(Answer::Missing), Some(Answer::Failed), Some(Answer::True)];
            assert_eq!(judged(on_error, &answers), Judgement { verdict: Verdict::Fires, errors: 2 });
            assert_eq!(judged(on_error, &[Some(Answer::False), None]).verdict, Verdict::Fires);
        }
    }

    #[test]
    fn an_error_outweighs_missing_state() {
        let answers = [Answer::Missing, Answer::Failed, Answer::FalseForLackOfState];
        let evaluation_error = Verdict::DeadLetter(DeadLetterClass::EvaluationError);
        assert_eq!(verdict(OnError::DeadLetter, &answers), evaluation_error);
        assert_eq!(verdict(OnError::Stop, &answers), Verdict::Stop);
        assert_eq!(verdict(OnError::Skip, &answers), Verdict::DeadLetter(DeadLetterClass::MissingState));
    }

    #[test]
    fn a_skipped_error_is_counted_and_nothing_else() {
        let answers = [Some(Answer::Failed), Some(Answer::False)];
        assert_eq!(judged(OnError::Skip, &answers), Judgement { verdict: Verdict::FailedAndSkipped, errors: 1 });
    }

    #[test]
    fn lack_of_state_is_another_reason_than_criteria() {
        let lacking = verdict(OnError::DeadLetter, &[Answer::FalseForLackOfState, Answer::False]);
        assert_eq!(lacking, Verdict::Filtered(FilterReason::MissingState));
        assert_eq!(verdict(OnError::DeadLetter, &[Answer::False]), Verdict::Filtered(FilterReason::Criteria));
    }

    #[test]
    fn a_criterion_is_asked_once_per_event() {
        let mut answers = Answers::new(2);
        let mut asked = 0;
        for _ in 0..2 {
            answers.forget();
            for _ in 0..3 {
                let answer = answers.get(CriterionIndex(1), || {
                    asked += 1;
                    Answer::True
                });
                assert_eq!(answer, Answer::True);
            }
        }
        assert_eq!(asked, 2);
    }
}
