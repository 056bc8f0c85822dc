//! What the sample data promises.

use std::collections::{HashMap, HashSet};

use fhir_fanout::domain::event::Interaction;
use serde_json::Value;

use super::hospitals::UNKNOWN_ORGANIZATION;
use super::{ClinicalDay, Criticality, Damage, DayOptions, Detail, ORGANIZATION_EXTENSION, SampleEvent, padded_labs};

fn day(count: usize) -> Vec<SampleEvent> {
    ClinicalDay::new(DayOptions::default()).take(count).collect()
}

fn envelope(event: &SampleEvent) -> Value {
    serde_json::from_slice(event.value.as_deref().expect("a good event has a value")).expect("a good event is JSON")
}

/// FNV-1a: enough to notice a changed byte.
fn fingerprint(events: &[SampleEvent]) -> u64 {
    events
        .iter()
        .flat_map(|event| event.value.iter().flatten())
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

#[test]
fn the_same_seed_gives_the_same_bytes_in_every_build() {
    let events = day(2_000);
    assert_eq!(events, day(2_000));
    assert_eq!(format!("{:016x}", fingerprint(&events)), "2cf8e9f3998a388e");
    let other = ClinicalDay::new(DayOptions { seed: 8, ..DayOptions::default() }).take(2_000).collect::<Vec<_>>();
    assert_ne!(fingerprint(&events), fingerprint(&other));
}

#[test]
fn facts_say_what_the_json_says() {
    for event in day(5_000) {
        let (json, facts) = (envelope(&event), &event.facts);
        assert_eq!(json["interaction"], facts.interaction.code());
        assert_eq!(event.key, facts.patient);
        let state = json.get("resource").or_else(|| json.get("previous"));
        assert_eq!(state.is_some(), facts.carries_content, "{json}");
        let named = json.get("organization").map(|named| named.get("reference").unwrap_or(named));
        let Some(state) = state else {
            assert_eq!(facts.interaction, Interaction::Delete);
            assert_eq!(json["reference"], facts.reference());
            assert_eq!(named.and_then(Value::as_str), facts.organization);
            continue;
        };
        assert_eq!(state["resourceType"], facts.resource_type);
        assert_eq!(state["id"], facts.id);
        assert_eq!(state["meta"]["versionId"], facts.version.to_string());
        assert_eq!(state["meta"]["lastUpdated"].as_str().map(str::len), Some(24));
        assert_eq!(state["status"].as_str(), facts.status.as_deref());
        let extension = &state["meta"]["extension"][0];
        let tagged = extension["valueReference"]["reference"].as_str();
        assert!(tagged.is_none() || extension["url"] == ORGANIZATION_EXTENSION);
        let organization = named.and_then(Value::as_str).or(tagged);
        match facts.organization {
            Some(expected) => assert!(organization.is_some_and(|found| found.contains(expected)), "{json}"),
            None => assert_eq!(organization, None),
        }
        let patient = match facts.resource_type {
            "Patient" => format!("Patient/{}", facts.id),
            _ => state["subject"]["reference"].as_str().expect("all others have a subject").to_owned(),
        };
        assert_eq!(patient, format!("Patient/{}", facts.patient));
        match &facts.detail {
            Detail::None => assert!(["Patient", "QuestionnaireResponse"].contains(&facts.resource_type)),
            Detail::Encounter(class) => assert_eq!(state["class"]["code"], class.code()),
            Detail::Order { priority } => assert_eq!(state["priority"], *priority),
            Detail::Lab(lab) => {
                assert_eq!(state["code"]["coding"][0]["code"], lab.code);
                let value = state["valueQuantity"]["value"].as_f64().expect("a number");
                assert!((value * 1000.0 - lab.thousandths as f64).abs() < 0.001, "{json}");
                let flag = state["interpretation"][0]["coding"][0]["code"].as_str().expect("a code");
                assert_eq!(flag.len() == 2, lab.criticality == Criticality::Critical);
                assert_eq!(flag == "N", lab.criticality == Criticality::Normal);
            }
        }
        if facts.interaction == Interaction::Update {
            assert_eq!(json.get("previous").is_some(), facts.carries_previous);
            if let Some(previous) = json.get("previous") {
                assert_eq!(previous["status"].as_str(), facts.previous_status.as_deref());
                assert_eq!(previous["meta"]["versionId"], (facts.version - 1).to_string());
            }
        }
    }
}

#[test]
fn time_and_versions_go_forward() {
    let mut versions = HashMap::new();
    let mut last = DayOptions::default().start;
    for event in day(5_000) {
        assert!(event.at >= last);
        last = event.at;
        let facts = &event.facts;
        let expected = versions.get(&facts.reference()).copied().unwrap_or(0)
            + u32::from(facts.interaction != Interaction::Delete);
        assert_eq!(facts.version, expected, "{facts:?}");
        assert_eq!(facts.interaction == Interaction::Create, expected == 1 && facts.interaction != Interaction::Delete);
        versions.insert(facts.reference(), facts.version);
    }
}

#[test]
fn a_day_has_everything_that_tests_want_to_select() {
    let events = day(8_000);
    let count = |wanted: &dyn Fn(&SampleEvent) -> bool| events.iter().filter(|event| wanted(event)).count();
    for kind in ["Patient", "Encounter", "Observation", "QuestionnaireResponse", "MedicationRequest"] {
        assert!(count(&|event| event.facts.resource_type == kind) > 200, "{kind}");
        assert!(
            kind == "QuestionnaireResponse"
                || kind == "MedicationRequest"
                || count(&|event| event.facts.resource_type == kind && event.facts.interaction == Interaction::Delete)
                    > 3,
            "{kind}"
        );
    }
    let critical = |event: &SampleEvent| matches!(event.facts.detail, Detail::Lab(lab) if lab.criticality == Criticality::Critical);
    assert!((100..1_500).contains(&count(&critical)), "{}", count(&critical));
    for status in
        ["planned", "in-progress", "finished", "cancelled", "completed", "amended", "preliminary", "corrected"]
    {
        assert!(count(&|event| event.facts.status.as_deref() == Some(status)) > 10, "{status}");
    }
    assert!(count(&|event| event.facts.organization.is_none()) > 50);
    assert!(count(&|event| event.facts.organization == Some(UNKNOWN_ORGANIZATION)) > 50);
    assert!(count(&|event| !event.facts.carries_content) > 3);
    assert!(count(&|event| matches!(event.facts.detail, Detail::Order { priority: "stat" })) > 10);
    let updates = count(&|event| event.facts.interaction == Interaction::Update);
    let with_previous = count(&|event| event.facts.interaction == Interaction::Update && event.facts.carries_previous);
    assert!((45..55).contains(&(with_previous * 100 / updates)), "{with_previous} of {updates}");
    let organizations: HashSet<_> = events.iter().filter_map(|event| event.facts.organization).collect();
    assert!(organizations.len() == 6, "{organizations:?}");
}

#[test]
fn events_have_between_one_and_some_kilobytes() {
    let mut sizes: Vec<_> = day(5_000)
        .iter()
        .filter(|event| event.facts.carries_content)
        .map(|event| event.value.as_ref().map_or(0, Vec::len))
        .collect();
    sizes.sort_unstable();
    let at = |percent: usize| sizes[(sizes.len() - 1) * percent / 100];
    assert!(at(0) > 800 && at(50) > 1_200 && at(50) < 2_600 && at(100) < 6_000, "{} {} {}", at(0), at(50), at(100));
}

#[test]
fn broken_records_come_when_asked_for_and_break_in_every_way() {
    let options = DayOptions { broken_every: Some(20), ..DayOptions::default() };
    let events: Vec<_> = ClinicalDay::new(options).take(21 * 16).collect();
    let broken: Vec<_> = events.iter().filter(|event| event.facts.damage.is_some()).collect();
    assert_eq!(broken.len(), 16);
    assert!(
        Damage::ALL.iter().all(|kind| broken.iter().filter(|event| event.facts.damage == Some(*kind)).count() == 2)
    );
    for event in &broken {
        let parsed = event.value.as_deref().map(serde_json::from_slice::<Value>);
        let by_shape = [Damage::UnknownInteraction, Damage::NoId, Damage::NoResourceType];
        let damage = event.facts.damage.expect("it was selected by its damage");
        assert_eq!(matches!(parsed, Some(Ok(_))), by_shape.contains(&damage), "{damage:?}");
    }
    let good: Vec<_> = events.into_iter().filter(|event| event.facts.damage.is_none()).collect();
    assert_eq!(good, day(good.len()), "broken records take nothing away");
}

#[test]
fn padded_labs_have_the_size_asked_for() {
    for event in padded_labs(DayOptions::default(), 2_048).take(100) {
        assert_eq!(event.value.as_ref().map(Vec::len), Some(2_048));
        assert_eq!(event.facts.interaction, Interaction::Create);
        envelope(&event);
    }
}
