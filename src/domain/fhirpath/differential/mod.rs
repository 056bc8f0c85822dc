//! Differential tests: criteria made at random from the model, about samples and mutated samples, by both engines.
//!
//! ```text
//! samples (HL7's examples, synthetic events) -> mutate -> events  \
//! model + values of the samples -> criteria -------------------> compiled == general ? explained ? : fhirpath.js -> report
//! ```
//!
//! A disagreement fails the test unless a known defect of the general engine explains it (see [`settled`]), and where that
//! does not show the compiled answer to be right, fhirpath.js must not speak against it. What the compiler takes is
//! generated (see [`complete`]). A time-boxed part runs with all tests; the long run is
//! `FANOUT_DIFFERENTIAL_PAIRS=1000000 cargo test --lib differential -- --ignored --nocapture`.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::Value;

use super::model::model;
use super::*;
use crate::domain::json::{ObjectText, Outline};

mod complete;
mod criteria;
pub(super) mod defects;
mod literals;
mod marks;
mod mutate;
mod oracle;
mod paths;
mod rewrites;
mod samples;
mod settled;
mod values;

use self::criteria::Criteria;
use self::marks::Reason;
use self::oracle::Oracle;
use self::samples::Samples;
use self::settled::{Case, Proof};

/// The time of all events.
const TIME: &str = "2026-03-05T08:30:00.250Z";

/// How long the part in every test run takes.
const TIME_BOX: Duration = Duration::from_secs(10);

/// How many are compared in that time at the most: a faster machine must not find what a slower one does not get to. What
/// is new is found by other seeds and longer runs.
const PAIRS: usize = 80_000;

/// Criteria and events of one round; each criterion is asked about each event.
const CRITERIA: usize = 16;
const EVENTS: usize = 12;

/// How many disagreements are shown.
const SHOWN: usize = 40;

/// What a criterion is asked about.
struct Event {
    release: FhirRelease,
    interaction: Interaction,
    focus: Option<String>,
    previous: Option<String>,
    /// Whether the specification says how every value of it is read.
    is_sound: bool,
}

/// What an engine says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Answer(bool),
    /// Whatever the error: which one comes first is up to the engine.
    Failed,
}

impl From<Result<bool, EvaluationError>> for Outcome {
    fn from(result: Result<bool, EvaluationError>) -> Self {
        match result {
            Ok(fires) => Self::Answer(fires),
            Err(_) => Self::Failed,
        }
    }
}

/// What a run found.
#[derive(Default)]
struct Tally {
    pairs: usize,
    criteria: usize,
    /// Criteria that the compiler took.
    compiled: usize,
    /// Criteria that were refused, which the generator makes by mistake.
    refused: usize,
    /// Pairs of which the sieve says that they need not be evaluated.
    left_out: usize,
    outcomes: BTreeMap<Outcome, usize>,
    explained: BTreeMap<Reason, usize>,
    /// How disagreements are explained, and whether fhirpath.js, if it was asked, agrees with the compiled engine.
    proofs: BTreeMap<(Proof, Option<bool>), usize>,
    /// Disagreements about events of which the specification says nothing.
    unsound: usize,
    unexplained: Vec<String>,
    /// Disagreements that no avoided defect explains, where fhirpath.js does not agree with the compiled engine.
    doubtful: Vec<String>,
    /// The criteria of those: each is shown once.
    shown: BTreeSet<String>,
}

impl Tally {
    fn say(&self, seed: u64, started: Instant) {
        let text = format!(
            "differential: seed {seed}: {} pairs of {} criteria ({} compiled, {} refused) in {} s: {:?}; explained: {:?} by {:?}; of unsound \
             events: {}; unexplained: {}; doubtful: {}; left out by the sieve: {}",
            self.pairs,
            self.criteria,
            self.compiled,
            self.refused,
            started.elapsed().as_secs(),
            self.outcomes,
            self.explained,
            self.proofs,
            self.unsound,
            self.unexplained.len(),
            self.doubtful.len(),
            self.left_out
        );
        // Not by eprintln!, which the test harness hides.
        let _ = writeln!(std::io::stderr(), "{text}");
    }
}

#[test]
fn both_engines_agree_for_a_while() {
    let started = Instant::now();
    run(1, |tally| tally.pairs >= PAIRS || started.elapsed() > TIME_BOX);
}

#[test]
#[ignore = "takes long; FANOUT_DIFFERENTIAL_PAIRS and FANOUT_DIFFERENTIAL_SEED say how long and from where"]
fn both_engines_agree_at_length() {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u64>().ok());
    let pairs = number("FANOUT_DIFFERENTIAL_PAIRS").unwrap_or(1_000_000);
    run(number("FANOUT_DIFFERENTIAL_SEED").unwrap_or(2), |tally| tally.pairs as u64 >= pairs);
}

/// Compares until it is enough, and fails with the disagreements that nothing explains.
fn run(seed: u64, is_enough: impl Fn(&Tally) -> bool) {
    let Some(samples) = samples() else { return };
    let (mut rng, mut oracle, started) = (Rng::with_seed(seed), Oracle::start(), Instant::now());
    let mut tally = Tally::default();
    while !is_enough(&tally) && tally.unexplained.len() < SHOWN {
        let release = rng.choice(&samples).expect("there are releases");
        round(&mut rng, release, &mut oracle, &mut tally);
    }
    tally.say(seed, started);
    assert!(tally.pairs > 0 && tally.compiled * 2 > tally.criteria, "most criteria are compiled");
    assert!(tally.unexplained.is_empty(), "{}", tally.unexplained.join("\n"));
    assert!(tally.doubtful.is_empty(), "{}", tally.doubtful.join("\n"));
}

fn samples() -> Option<Vec<Samples>> {
    let Some(data) = std::env::var_os("FANOUT_FHIR_DATA") else {
        let message = "LEFT OUT: the differential tests of criteria, since FANOUT_FHIR_DATA names no folder";
        let _ = writeln!(std::io::stderr(), "{message}");
        return None;
    };
    let data = Path::new(&data);
    let releases = [(FhirRelease::R4, "r4"), (FhirRelease::R4B, "r4b"), (FhirRelease::R5, "r5")];
    Some(releases.map(|(release, name)| Samples::read(data, release, name)).into())
}

/// Some criteria about one type, each asked about some events; as in a plan, all are prepared together.
fn round(rng: &mut Rng, samples: &Samples, oracle: &mut Option<Oracle>, tally: &mut Tally) {
    let (root, of_type) = samples.pick(rng);
    let made: Vec<Made> = (0..CRITERIA).filter_map(|_| make(rng, samples, root, of_type, tally)).collect();
    let criteria: Vec<Criterion> = made.iter().map(|made| made.criterion.clone()).collect();
    let all: Vec<usize> = (0..criteria.len()).collect();
    let prepared = FhirPath::new().prepare(samples.release, root, &criteria, [&all; 3]);
    let taken: Vec<usize> = all.iter().copied().filter(|position| prepared.is_compiled(*position)).collect();
    tally.compiled += taken.len();
    let mut workspace = Workspace::new();
    for _ in 0..EVENTS {
        let event = event(rng, samples, of_type);
        let Some(subject) = subject_of(&event) else { continue };
        let states = event.states();
        let mut text = EventSubject::new(event.text(&states), Some(&prepared), &mut workspace);
        let open = text.sift(&mut Budget::of_evaluation()).map(<[u32]>::to_vec);
        for &position in &taken {
            let by_general = FhirPath::new().evaluate(&criteria[position], &subject).into();
            let by_compiled = text.evaluate(position, &criteria[position], &mut Budget::of_evaluation());
            let left_out = open.as_ref().is_some_and(|open| is_left_out(&prepared, event.interaction, open, position));
            assert!(!left_out || by_compiled == Ok(false), "left out, but {by_compiled:?}: {:?}", criteria[position]);
            tally.left_out += usize::from(left_out);
            tally.pairs += 1;
            *tally.outcomes.entry(by_compiled.into()).or_default() += 1;
            if by_general != by_compiled.into() {
                let marked = &made[position].marked;
                let by_compiled = by_compiled.into();
                let case = Case { marked, root, event: &event, by_compiled, by_general };
                disagreement(case, oracle, tally);
            }
        }
    }
}

/// Whether the sieve says that a criterion need not be evaluated.
fn is_left_out(prepared: &Prepared, interaction: Interaction, open: &[u32], position: usize) -> bool {
    let number = u32::try_from(position).expect("there are few criteria");
    prepared.sifted(interaction).contains(&number) && !open.contains(&number)
}

/// A criterion, with its marks.
struct Made {
    marked: String,
    criterion: Criterion,
}

/// Makes a criterion about one of the samples.
fn make(rng: &mut Rng, samples: &Samples, root: &'static str, of_type: &[Value], tally: &mut Tally) -> Option<Made> {
    let resource = rng.choice(of_type).expect("a type has samples");
    let marked = Criteria { rng, model: model(samples.release), root, resource }.criterion();
    tally.criteria += 1;
    let (criterion, _problems) = FhirPath::new().compile_for(&marks::asked(&marked), &[root], &[]);
    tally.refused += usize::from(criterion.is_none());
    Some(Made { marked, criterion: criterion? })
}

fn disagreement(case: Case<'_>, oracle: &mut Option<Oracle>, tally: &mut Tally) {
    if !case.event.is_sound {
        tally.unsound += 1;
        return;
    }
    let asked = marks::asked(case.marked);
    let explanation = settled::explain(case);
    let is_avoided = explanation.as_ref().is_some_and(|explanation| explanation.proof == Proof::Avoided);
    let oracle = oracle.as_mut().filter(|_| !is_avoided && Oracle::knows(case));
    let opinion = oracle.map(|oracle| oracle.ask(&asked, case.event));
    let text = || described(case, opinion);
    let Some(explanation) = explanation else {
        if tally.shown.insert(asked.clone()) {
            // At once, since a long run goes on.
            let _ = writeln!(std::io::stderr(), "after {} pairs: {}", tally.pairs, text());
            tally.unexplained.push(text());
        }
        return;
    };
    for reason in &explanation.reasons {
        *tally.explained.entry(*reason).or_default() += 1;
    }
    *tally.proofs.entry((explanation.proof, opinion.map(|opinion| opinion == case.by_compiled))).or_default() += 1;
    let is_doubtful = opinion.is_some_and(|opinion| Oracle::objects(opinion, case, &explanation.reasons));
    if is_doubtful && tally.shown.insert(asked.clone()) {
        let doubt = format!("{:?} {:?}: {}", explanation.proof, explanation.reasons, text());
        let _ = writeln!(std::io::stderr(), "doubtful: {doubt}");
        tally.doubtful.push(doubt);
    }
}

/// A disagreement as it is reported: the data of the tests are synthetic or published examples.
fn described(case: Case<'_>, opinion: Option<Outcome>) -> String {
    let Case { marked, event, by_compiled, by_general, .. } = case;
    let state = |text: &Option<String>| {
        text.as_ref().map_or("-".to_owned(), |text| text.split('\n').map(str::trim_start).collect::<String>())
    };
    let (asked, (focus, previous)) = (marks::asked(marked), (state(&event.focus), state(&event.previous)));
    format!(
        "{asked}\n  made as {marked}\n  compiled {by_compiled:?}, general {by_general:?}, fhirpath.js {opinion:?} ({:?} {:?})\n  focus {focus}\n  previous {previous}",
        event.release, event.interaction,
    )
}

fn event(rng: &mut Rng, samples: &Samples, of_type: &[Value]) -> Event {
    let mut is_sound = true;
    let mut state = |rng: &mut Rng| {
        let sample = rng.choice(of_type).expect("a type has samples");
        if rng.u8(..100) < 30 {
            return sample.to_string();
        }
        let mutated = mutate::mutated(rng, sample);
        is_sound &= mutated.is_sound;
        mutated.text
    };
    let focus = state(rng);
    let (interaction, focus, previous) = match rng.u8(..100) {
        0..20 => (Interaction::Create, Some(focus), None),
        20..35 => (Interaction::Delete, Some(focus), None),
        35..37 => (Interaction::Delete, None, None),
        37..42 => (Interaction::Update, Some(focus), None),
        42..55 => (Interaction::Update, Some(focus.clone()), Some(focus)),
        _ => (Interaction::Update, Some(focus), Some(state(rng))),
    };
    Event { release: samples.release, interaction, focus, previous, is_sound }
}

/// The event as the general engine sees it.
fn subject_of(event: &Event) -> Option<Subject> {
    let value = |text: &Option<String>| text.as_deref().map(crate::domain::json::value).transpose().ok();
    let (focus, previous) = (value(&event.focus)?.map(Arc::new), value(&event.previous)?.map(Arc::new));
    Some(FhirPath::new().subject(event.release, event.interaction, focus, previous, TIME))
}

/// What the general engine says of a criterion that may be refused.
fn general(text: &str, event: &Event) -> Option<Outcome> {
    let (criterion, _) = FhirPath::new().compile(text);
    Some(FhirPath::new().evaluate(&criterion?, &subject_of(event)?).into())
}

/// What the compiled engine says of a criterion, if the compiler takes it for this type.
fn compiled(text: &str, event: &Event, root: &str) -> Option<Outcome> {
    let criteria = [FhirPath::new().compile(text).0?];
    let prepared = FhirPath::new().prepare(event.release, root, &criteria, [&[0]; 3]);
    let mut workspace = Workspace::new();
    let states = event.states();
    let mut subject = EventSubject::new(event.text(&states), Some(&prepared), &mut workspace);
    let outcome = subject.evaluate(0, &criteria[0], &mut Budget::of_evaluation()).into();
    prepared.is_compiled(0).then_some(outcome)
}

impl Event {
    /// Its versions as they are decoded.
    fn states(&self) -> [Option<Outline<'_>>; 2] {
        [&self.focus, &self.previous].map(|text| text.as_deref().map(|text| Outline::read(text).expect("it is sound")))
    }

    /// The event as the compiled engine sees it.
    fn text<'e>(&self, states: &'e [Option<Outline<'_>>; 2]) -> EventText<'e> {
        let (release, interaction) = (self.release, self.interaction);
        let [focus, previous] = states.each_ref().map(|state| state.as_ref().map(ObjectText::from));
        EventText { release, interaction, focus, previous, time: TIME }
    }
}
