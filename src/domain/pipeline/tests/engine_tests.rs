//! What needs the FHIRPath engine: criteria, their errors, missing state.

use crate::domain::event::Interaction;
use crate::domain::output::DeadLetterClass;
use crate::domain::pipeline::ProcessError;
use crate::domain::plan::{Content, KeySource, OnError, OnMissingState, TopicIndex};
use crate::domain::refusals::Refusals;
use crate::domain::tally::{EventOutcome, FilterReason};
use crate::domain::testing::{Run, TestPlan, no_limits, record};

const TOPIC: &str = "http://example.org/t";

/// A singleton is asked for where there are two: fails whatever the engine's strictness about types.
const FAILS: &str = "name.single().exists()";

/// One topic with a trigger for each criterion and one destination `d`.
fn criteria(texts: &[&str]) -> TestPlan {
    let plan = TestPlan::new().topic(TOPIC, None);
    let plan = texts.iter().fold(plan, |plan, text| plan.trigger("Patient", &Interaction::ALL, Some(text)));
    plan.destination("d", Content::FullResource, KeySource::Source, None)
}

fn patient(active: bool) -> String {
    format!(r#"{{"resourceType":"Patient","id":"1","active":{active},"name":[{{"family":"A"}},{{"family":"B"}}]}}"#)
}

fn update(active: bool, before: Option<bool>) -> String {
    let previous = before.map(|active| format!(r#","previous":{}"#, patient(active))).unwrap_or_default();
    format!(r#"{{"interaction":"update","resource":{}{previous}}}"#, patient(active))
}

const BARE_DELETE: &str = r#"{"interaction":"delete","reference":"Patient/1"}"#;

fn run(plan: TestPlan, value: &str) -> Run {
    plan.run(&record("changes", value))
}

fn filtered(run: &Run, reason: FilterReason) -> u64 {
    run.tally.filtered_by_topic[0][reason.index()]
}

#[test]
fn true_fires_and_false_and_empty_do_not() {
    for (criterion, fires) in [("active = true", true), ("active = false", false), ("deceased = true", false)] {
        let run = run(criteria(&[criterion]), &update(true, None));
        assert_eq!(!run.outputs.is_empty(), fires, "{criterion}");
        assert_eq!(filtered(&run, FilterReason::Criteria), u64::from(!fires), "{criterion}");
    }
}

#[test]
fn versions_are_compared() {
    let became_inactive = "%previous.active = true and %current.active = false";
    assert_eq!(run(criteria(&[became_inactive]), &update(false, Some(true))).notified(), ["d"]);
    assert!(run(criteria(&[became_inactive]), &update(false, Some(false))).outputs.is_empty());
}

#[test]
fn on_a_create_there_is_no_previous_and_that_is_no_missing_state() {
    let create = |previous: &str| format!(r#"{{"interaction":"create","resource":{}{previous}}}"#, patient(true));
    let ignored = format!(r#","previous":{}"#, patient(true));
    for value in [create(""), create(&ignored)] {
        let run = run(criteria(&["%previous.exists()"]), &value);
        assert!(run.outputs.is_empty());
        assert_eq!(filtered(&run, FilterReason::Criteria), 1);
    }
    assert_eq!(run(criteria(&["%previous.empty()"]), &create("")).notified(), ["d"]);
}

#[test]
fn a_delete_has_its_last_known_state_as_focus_and_previous_and_no_current() {
    for state in ["resource", "previous"] {
        let value = format!(r#"{{"interaction":"delete","{state}":{}}}"#, patient(true));
        for criterion in ["active = true", "%previous.active = true", "%current.empty()"] {
            assert_eq!(run(criteria(&[criterion]), &value).notified(), ["d"], "{state} {criterion}");
        }
    }
}

#[test]
fn missing_state_is_a_dead_letter_of_the_topic() {
    let reads_previous = "%previous.active = true";
    for (criterion, value) in [
        (reads_previous, update(true, None)),
        (reads_previous, BARE_DELETE.to_owned()),
        ("active = true", BARE_DELETE.to_owned()),
    ] {
        let run = run(criteria(&[criterion]), &value);
        assert_eq!(run.dead_letters(), [("missing-state", Some(TOPIC), None)], "{criterion}");
        assert_eq!(run.only().value(), value);
        assert_eq!(filtered(&run, FilterReason::MissingState), 1);
        assert_eq!(run.tally.dead_letters[DeadLetterClass::MissingState.index()], 1);
        assert_eq!(run.tally.events[0][EventOutcome::DeadLettered.index()], 1);
    }
}

#[test]
fn missing_state_that_is_skipped_is_evaluated_as_empty() {
    let skipping = |criterion: &str| criteria(&[criterion]).with(|plan| plan.on_missing_state = OnMissingState::Skip);
    assert_eq!(run(skipping("%previous.empty()"), &update(true, None)).notified(), ["d"]);
    let not_fired = run(skipping("%previous.active = true"), &update(true, None));
    assert!(not_fired.outputs.is_empty());
    assert_eq!(filtered(&not_fired, FilterReason::MissingState), 1);
    assert_eq!(filtered(&not_fired, FilterReason::Criteria), 0);
    assert!(run(skipping("active = true"), BARE_DELETE).outputs.is_empty());
}

#[test]
fn a_criterion_without_content_needs_none() {
    assert_eq!(run(criteria(&["true"]), BARE_DELETE).notified(), ["d"]);
}

#[test]
fn an_error_is_one_dead_letter_of_the_topic_and_the_others_go_on() {
    let plan = criteria(&[FAILS, FAILS, "active = false"])
        .topic("http://example.org/u", None)
        .trigger("Patient", &Interaction::ALL, Some("active = true"))
        .destination("other", Content::IdOnly, KeySource::Source, None);
    let run = run(plan, &update(true, None));
    assert_eq!(run.dead_letters(), [("evaluation-error", Some(TOPIC), None)]);
    assert_eq!(run.notified(), ["other"]);
    assert_eq!(run.tally.evaluation_errors, [2, 0]);
    assert_eq!(run.tally.events[0][EventOutcome::Notified.index()], 1);
}

#[test]
fn dead_letters_tell_which_event_of_the_record() {
    let entry =
        |active: bool| format!(r#"{{"resource":{},"request":{{"method":"PUT","url":"Patient/1"}}}}"#, patient(active));
    let value = format!(r#"{{"resourceType":"Bundle","type":"batch","entry":[{},{}]}}"#, entry(true), entry(false));
    let run = criteria(&["active or name.single().exists()"]).run(&record("bundles", &value));
    assert_eq!(run.notified(), ["d"]);
    assert_eq!(run.dead_letters(), [("evaluation-error", Some(TOPIC), None)]);
    assert_eq!(run.outputs[1].header("fhir-dead-letter-event"), Some("1"));
    assert_eq!(run.outputs[1].header("fhir-dead-letter-source"), Some("bundles:1:42"));
    assert_eq!(run.tally.events[2], [1, 0, 1]);
}

#[test]
fn a_result_that_is_no_boolean_is_an_error() {
    // What is known to give no boolean is refused when it is compiled; this is known at evaluation only.
    let run = run(criteria(&["iif(active, name.first().family, true)"]), &update(true, None));
    assert_eq!(run.dead_letters(), [("evaluation-error", Some(TOPIC), None)]);
}

#[test]
fn a_true_trigger_outweighs_an_error_which_is_counted() {
    let run = run(criteria(&[FAILS, "active = true"]), &update(true, None));
    assert_eq!(run.notified(), ["d"]);
    assert!(run.dead_letters().is_empty());
    assert_eq!(run.tally.evaluation_errors, [1]);
}

#[test]
fn errors_can_be_skipped() {
    let run = run(criteria(&[FAILS]).with(|plan| plan.on_error = OnError::Skip), &update(true, None));
    assert!(run.outputs.is_empty());
    assert_eq!(run.tally.evaluation_errors, [1]);
    assert_eq!(run.tally.events[0][EventOutcome::Unmatched.index()], 1);
}

#[test]
fn an_error_can_stop_with_nothing_of_the_record_out() {
    let plan = TestPlan::new()
        .topic("http://example.org/first", None)
        .trigger("Patient", &Interaction::ALL, None)
        .destination("first", Content::Empty, KeySource::None, None)
        .topic(TOPIC, None)
        .trigger("Patient", &Interaction::ALL, Some(FAILS))
        .destination("d", Content::Empty, KeySource::None, None)
        .with(|plan| plan.on_error = OnError::Stop)
        .build();
    let mut pipeline = crate::domain::pipeline::Pipeline::new(std::sync::Arc::clone(&plan), no_limits());
    let mut tally = crate::domain::tally::Tally::new(&plan);
    let (value, mut taken) = (update(true, None), 0);
    let processed: Result<(), ProcessError<()>> =
        pipeline.process(&record("changes", &value), &Refusals::NONE, &mut tally, &mut |_| {
            taken += 1;
            Ok(())
        });
    let stop = ProcessError::Stop { class: DeadLetterClass::EvaluationError, event_index: 0, topic: TopicIndex(1) };
    assert_eq!((processed, taken), (Err(stop), 0));
    assert_eq!(tally.events[0], [0, 0, 0]);
}

#[test]
fn a_topic_makes_no_dead_letters_of_events_that_it_must_not_see() {
    let plan = criteria(&[FAILS, "%previous.exists()"])
        .with(|plan| plan.topics[0].organization = Some("Organization/a".to_owned()));
    let run = run(plan, &update(true, None));
    assert!(run.outputs.is_empty());
    assert_eq!(run.tally.evaluation_errors, [0]);
    assert_eq!(filtered(&run, FilterReason::OrganizationMissing), 1);
}

#[test]
fn a_number_out_of_every_range_is_an_evaluation_error_of_what_the_general_engine_evaluates() {
    let value = r#"{"interaction":"create","resource":{"resourceType":"Patient","id":"1","active":true,"x":1e999}}"#;
    let general = "descendants().count() > 1";
    assert_eq!(run(criteria(&[general]), value).dead_letters(), [("evaluation-error", Some(TOPIC), None)]);
    assert_eq!(run(criteria(&["active = true"]), value).notified(), ["d"]);
    assert_eq!(run(criteria(&[general]), &value.replace("1e999", "1")).notified(), ["d"]);
    assert_eq!(TestPlan::everything().run(&record("changes", value)).notified(), ["all"]);
}

#[test]
fn criteria_see_the_last_of_duplicate_members() {
    let value =
        r#"{"interaction":"create","resource":{"resourceType":"Patient","id":"1","active":false,"active":true}}"#;
    assert_eq!(run(criteria(&["active = true"]), value).notified(), ["d"]);
    let run = Run::of(&criteria(&["active = false"]).build(), no_limits(), &Refusals::NONE, &record("changes", value));
    assert!(run.unwrap().outputs.is_empty());
}

#[test]
fn now_is_the_events_own_time() {
    let value =
        r#"{"interaction":"create","timestamp":"2024-10-03T10:07:55Z","resource":{"resourceType":"Patient","id":"1"}}"#;
    assert_eq!(
        run(criteria(&["now() > @2024-10-03T10:07:54Z and now() < @2024-10-03T10:07:56Z"]), value).notified(),
        ["d"]
    );
}

#[test]
fn a_criterion_over_the_limit_of_steps_is_an_evaluation_error() {
    let walks = "descendants().select(%resource.descendants()).exists()";
    for (steps, is_error) in [(20, true), (1_000_000, false)] {
        let run = run(criteria(&[walks]).with(|plan| plan.evaluation_steps = steps), &update(true, None));
        assert_eq!(run.notified().is_empty(), is_error, "{steps} steps");
        let letters: Vec<_> = run.dead_letters().into_iter().map(|(class, ..)| class).collect();
        assert_eq!(letters, if is_error { vec!["evaluation-error"] } else { vec![] }, "{steps} steps");
    }
}

#[test]
fn a_criterion_over_the_limit_of_memory_is_an_evaluation_error() {
    let doubles = format!("'0123456789'{}.length() > 0", ".select($this & $this)".repeat(14));
    let by_general = format!("descendants().exists() and {doubles}");
    for criterion in [doubles.as_str(), &by_general] {
        for (memory, is_error) in [(100_000, true), (10_000_000, false)] {
            let run = run(criteria(&[criterion]).with(|plan| plan.evaluation_memory = memory), &update(true, None));
            assert_eq!(run.notified().is_empty(), is_error, "{memory} bytes: {criterion}");
            let letters: Vec<_> = run.dead_letters().into_iter().map(|(class, ..)| class).collect();
            assert_eq!(
                letters,
                if is_error { vec!["evaluation-error"] } else { vec![] },
                "{memory} bytes: {criterion}"
            );
        }
    }
}
