//! Topics that are left out together come to the same as topics that are judged one by one.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::domain::event::Interaction;
use crate::domain::plan::{Content, KeySource, OnError, OnMissingState, Plan};
use crate::domain::refusals::Refusals;
use crate::domain::tally::FilterReason;
use crate::domain::testing::{Run, TENANT, TestPlan, no_limits, record};

/// Sifted topics among others of all kinds. What is inside of `iif` is not sifted, so that its plan is the reference.
fn plan(is_reference: bool, on_error: OnError, on_missing_state: OnMissingState) -> Arc<Plan> {
    let wrap = |text: &str| if is_reference { format!("iif({text}, true, false)") } else { text.to_owned() };
    let code = |code: usize| wrap(&format!("code.coding.where(system = 's' and code = 'c{code}').exists()"));
    let mut plan = TestPlan::new();
    for number in 0..40_usize {
        let organization = (number % 10 == 9).then_some("Organization/a");
        plan = plan.topic(&format!("http://example.org/{number}"), organization);
        plan = plan.trigger("Observation", &Interaction::ALL, Some(&code(number % 30)));
        plan = match number % 10 {
            1 => plan.trigger("Observation", &Interaction::ALL, Some(&wrap("value.value > 5"))),
            2 => plan.trigger("Observation", &[Interaction::Update], Some(&wrap("%previous.status = 'x'"))),
            3 => plan.trigger("Observation", &Interaction::ALL, None),
            4 => plan.trigger("Observation", &Interaction::ALL, Some(&wrap("category.coding.single().code = 'x'"))),
            5 => plan.trigger("Resource", &Interaction::ALL, Some(&wrap("status in ('final' | 'amended')"))),
            6 => plan.trigger("Observation", &[Interaction::Delete], Some(&wrap("code.text = 'x'"))),
            0 => {
                let text = format!("%previous.status != 'final' and code.coding.exists(code = 'c{number}')");
                plan.trigger("Observation", &[Interaction::Update], Some(&wrap(&text)))
            }
            7 => plan.trigger("Observation", &[Interaction::Create], Some(&code((number + 1) % 30))),
            _ => plan,
        };
        if number % 10 != 8 {
            plan = plan.destination(&number.to_string(), Content::IdOnly, KeySource::None, None);
        }
    }
    plan.with(|plan| (plan.on_error, plan.on_missing_state) = (on_error, on_missing_state)).build()
}

fn observation(code: &str, others: &str) -> String {
    let (system, display) = (r#""system":"s""#, r#""display":"d""#);
    format!(
        r#"{{"resourceType":"Observation","id":"1","status":"final",
            "code":{{"coding":[{{{system},"code":"{code}",{display}}},{{"code":"c2"}}]}}{others}}}"#
    )
}

fn records() -> Vec<String> {
    let belongs =
        format!(r#","meta":{{"extension":[{{"url":"{TENANT}","valueReference":{{"reference":"Organization/a"}}}}]}}"#);
    let two = r#","category":[{"coding":[{"code":"x"},{"code":"y"}]}]"#;
    let mut records = vec![r#"{"interaction":"delete","reference":"Observation/1"}"#.to_owned()];
    for code in ["c2", "c6", "c9", "c12", "c15", "c39", "none"] {
        for others in ["", r#","valueQuantity":{"value":7}"#, two, &belongs, r#","status":["final","x"]"#] {
            let resource = observation(code, others);
            for interaction in ["create", "update", "delete"] {
                let mut record = format!(r#"{{"interaction":"{interaction}","resource":{resource}}}"#);
                records.push(record.clone());
                if interaction == "update" {
                    record.pop();
                    let _ = write!(record, r#","previous":{}}}"#, observation("c1", r#","status":"x""#));
                    records.push(record);
                }
            }
        }
    }
    records
}

#[test]
fn what_is_left_out_together_is_counted_and_decided_as_one_by_one() {
    let mut fired = 0;
    for on_error in [OnError::DeadLetter, OnError::Skip, OnError::Stop] {
        for on_missing_state in [OnMissingState::DeadLetter, OnMissingState::Skip] {
            let [reference, sifted] = [true, false].map(|is_reference| plan(is_reference, on_error, on_missing_state));
            for value in records() {
                let [expected, run] = [&reference, &sifted]
                    .map(|plan| Run::of(plan, no_limits(), &Refusals::NONE, &record("changes", &value)));
                match (expected, run) {
                    (Ok(expected), Ok(run)) => {
                        assert_eq!(run.outputs, expected.outputs, "{value}");
                        assert_eq!(run.tally.filtered_by_topic, expected.tally.filtered_by_topic, "{value}");
                        assert_eq!(run.tally.evaluation_errors, expected.tally.evaluation_errors, "{value}");
                        assert_eq!(run.tally.events, expected.tally.events, "{value}");
                        fired += run.notified().len();
                    }
                    (expected, run) => assert_eq!(run.unwrap_err(), expected.unwrap_err(), "{value}"),
                }
            }
        }
    }
    assert!(fired > 1000, "{fired}");
}

#[test]
fn each_event_of_a_bundle_has_its_own_topics() {
    let entries = ["c0", "none", "c10", "c20"].map(|code| {
        let resource = observation(code, "").replace(r#""id":"1""#, &format!(r#""id":"{code}""#));
        format!(r#"{{"request":{{"method":"PUT","url":"Observation/{code}"}},"resource":{resource}}}"#)
    });
    let bundle = format!(r#"{{"resourceType":"Bundle","type":"transaction","entry":[{}]}}"#, entries.join(","));
    let [reference, sifted] = [true, false].map(|is_reference| {
        let plan = plan(is_reference, OnError::DeadLetter, OnMissingState::DeadLetter);
        Run::of(&plan, no_limits(), &Refusals::NONE, &record("bundles", &bundle)).unwrap()
    });
    assert_eq!(sifted.outputs, reference.outputs);
    assert_eq!(sifted.tally.filtered_by_topic, reference.tally.filtered_by_topic);
    assert!(sifted.notified().contains(&"10"));
    assert_eq!(sifted.tally.filtered_by_topic[16][FilterReason::Criteria.index()], 4);
}
