//! Cases of the formats `change` and `fhir`.

use integration_tests::kafka::Record;

use crate::cases::{Case, Event};
use crate::run::Run;

pub(crate) fn add(run: &mut Run) {
    times_keys_and_headers(run);
    patients(run);
    deletes(run);
    triggers(run);
    missing_state(run);
    limits_of_json(run);
    undecodable_changes(run);
    bare_resources(run);
}

pub(crate) fn change(interaction: &str, resource: &str) -> Record {
    Record::new(format!(r#"{{"interaction":"{interaction}","resource":{resource}}}"#))
}

fn basic(id: &str, more: &str) -> String {
    format!(r#"{{"resourceType":"Basic","id":"canary-{id}"{more}}}"#)
}

fn times_keys_and_headers(run: &mut Run) {
    let told = r#","meta":{"lastUpdated":"2024-05-06T07:08:09.123456+02:00"}"#;
    let resource = basic("b1", told);
    let record = Record::new(format!(
        r#"{{"interaction":"create","timestamp":"2024-01-02T03:04:05.678901Z","resource":{resource},"unknown":[1]}}"#
    ));
    let record = record.key("canary-key").header("x-other", "canary").header("traceparent", "00-1-2-01");
    let record = record.header("tracestate", "a=b").header("fhir-topic", "forged").header("correlation-id", "c-1");
    let event = Event::new("create", "Basic/canary-b1", Some(&resource)).at("2024-01-02T03:04:05.678901Z");
    run.add(Case::new("own time, all headers", "change", record).gives_all(&event, None));

    for (name, timestamp) in
        [("partial time", r#""2024-01-02""#), ("no zone", r#""2024-01-02T03:04:05""#), ("null time", "null")]
    {
        let text = format!(r#"{{"interaction":"update","timestamp":{timestamp},"resource":{resource}}}"#);
        let event = Event::new("update", "Basic/canary-b1", Some(&resource)).at("2024-05-06T07:08:09.123456+02:00");
        run.add(Case::new(name, "change", Record::new(text).key("canary-key")).gives_all(&event, None));
    }
    let resource = basic("b2", r#","meta":{"lastUpdated":"2024-05"}"#);
    let event = Event::new("update", "Basic/canary-b2", Some(&resource));
    run.add(Case::new("the record's time, null key", "change", change("update", &resource)).gives_all(&event, None));
    let record = change("update", &resource).key(b"canary-\xff\x00".to_vec());
    run.add(Case::new("a key that is no text", "change", record).gives_all(&event, None));
    run.add(Case::new("an empty key", "change", change("update", &resource).key("")).gives_all(&event, None));

    let resource = "{ \"id\" : \"canary-b3\" ,\n\t\"x\":1.50000000000000000000000000001e+10, \"y\":\"\\u00e9\\/é\",\
                    \"resourceType\":\"Basic\",\"x\":-0.0, \"_z\" : [ null ] }";
    let event = Event::new("create", "Basic/canary-b3", Some(resource));
    let record = change("create", &format!(" \n{resource}\r\n ")).key("canary-k");
    run.add(Case::new("bytes pass through", "change", record).gives_all(&event, None));
}

fn patients(run: &mut Run) {
    for (name, more, patient) in [
        ("subject", r#","subject":{"reference":"Patient/canary-p"}"#, Some("canary-p")),
        ("patient", r#","patient":{"reference":"http://x.org/fhir/Patient/canary-p"}"#, Some("canary-p")),
        ("beneficiary", r#","beneficiary":{"reference":"Patient/canary-p/_history/2"}"#, Some("canary-p")),
        ("individual", r#","individual":{"reference":"Patient/canary-p"}"#, Some("canary-p")),
        ("for", r#","for":{"reference":"Patient/canary-p"}"#, Some("canary-p")),
        ("subject is a group", r#","subject":{"reference":"Group/canary-g"}"#, None),
        (
            "group, then patient",
            r#","subject":{"reference":"Group/canary-g"},"patient":{"reference":"Patient/canary-p"}"#,
            Some("canary-p"),
        ),
        ("a display only", r#","subject":{"display":"canary"}"#, None),
        ("a contained patient", r##","subject":{"reference":"#canary"}"##, None),
    ] {
        let resource = basic("bp", more);
        let event = Event::new("create", "Basic/canary-bp", Some(&resource));
        run.add(Case::new(name, "change", change("create", &resource).key("canary")).gives_all(&event, patient));
    }
    let resource = r#"{"resourceType":"Patient","id":"canary-p9","name":[{"family":"Canary"}],"link":[]}"#;
    let event = Event::new("update", "Patient/canary-p9", Some(resource));
    run.add(Case::new("a patient", "change", change("update", resource)).gives_all(&event, Some("canary-p9")));
}

fn deletes(run: &mut Run) {
    let state =
        basic("d", r#","subject":{"reference":"Patient/canary-1"},"meta":{"lastUpdated":"2024-05-06T07:08:09Z"}"#);
    let other = basic("d", r#","subject":{"reference":"Patient/canary-2"}"#);
    let gone = |at: bool| {
        let event = Event::new("delete", "Basic/canary-d", None);
        if at { event.at("2024-05-06T07:08:09Z") } else { event }
    };
    let mut add = |name, text: String, event: Event, patient| {
        run.add(Case::new(name, "change", Record::new(text).key("canary")).gives_all(&event, patient));
    };
    add("delete, resource", format!(r#"{{"interaction":"delete","resource":{state}}}"#), gone(true), Some("canary-1"));
    add("delete, previous", format!(r#"{{"interaction":"delete","previous":{state}}}"#), gone(true), Some("canary-1"));
    let null = format!(r#"{{"interaction":"delete","resource":null,"previous":{state}}}"#);
    add("delete, null resource and previous", null, gone(true), Some("canary-1"));
    let both = format!(r#"{{"interaction":"delete","previous":{state},"resource":{other}}}"#);
    add("delete, both: resource wins", both, gone(false), Some("canary-2"));
    let by_text = r#"{"interaction":"delete","reference":"Basic/canary-d"}"#.to_owned();
    add("delete, reference", by_text, gone(false), None);
    let by_object =
        r#"{"interaction":"delete","reference":{"reference":"http://x.org/fhir/Basic/canary-d/_history/3"}}"#;
    add("delete, reference object", by_object.to_owned(), gone(false), None);
    let patient = r#"{"interaction":"delete","reference":"Patient/canary-p1"}"#.to_owned();
    add(
        "delete of a patient by reference",
        patient,
        Event::new("delete", "Patient/canary-p1", None),
        Some("canary-p1"),
    );
    run.add(Case::new("delete, nothing", "change", Record::new(r#"{"interaction":"delete"}"#)).undecodable());

    let active = r#"{"resourceType":"Medication","id":"canary-m","status":"active"}"#;
    let inactive = r#"{"resourceType":"Medication","id":"canary-m","status":"inactive"}"#;
    for (name, member) in [("%previous is the resource", "resource"), ("%previous is the previous", "previous")] {
        let record = Record::new(format!(r#"{{"interaction":"delete","{member}":{active}}}"#)).key("k");
        let event = Event::new("delete", "Medication/canary-m", None);
        run.add(Case::new(name, "change", record).gives("gone", "gone", &event));
    }
    let record = Record::new(format!(r#"{{"interaction":"delete","resource":{inactive},"previous":{active}}}"#));
    run.add(Case::new("the first of both is %previous too", "change", record).unmatched(1));
    let record = Record::new(format!(r#"{{"interaction":"create","resource":{active},"previous":{inactive}}}"#));
    let event = Event::new("create", "Medication/canary-m", Some(active));
    run.add(Case::new("previous on a create is ignored", "change", record).gives("gone", "gone", &event));
    let record = Record::new(r#"{"interaction":"delete","reference":"Medication/canary-m"}"#);
    run.add(Case::new("a delete without content", "change", record).letter("missing-state", "gone"));
}

fn triggers(run: &mut Run) {
    let task = r#"{"resourceType":"Task","id":"canary-t","status":"ready","intent":"order"}"#;
    let event = Event::new("create", "Task/canary-t", Some(task));
    run.add(Case::new("several true triggers", "change", change("create", task)).gives("multi", "multi", &event));
    let draft = r#"{"resourceType":"Task","id":"canary-t","status":"draft","intent":"plan"}"#;
    run.add(Case::new("no true trigger", "change", change("create", draft)).unmatched(1));
    run.add(Case::new("another interaction", "change", change("delete", task)).unmatched(1));

    let observation = |status: &str| {
        format!(
            r#"{{"resourceType":"Observation","id":"canary-o","status":"{status}","code":{{"coding":[{{"code":"a"}},{{"code":"b"}}]}}}}"#
        )
    };
    let (last, early) = (observation("final"), observation("preliminary"));
    let event = Event::new("create", "Observation/canary-o", Some(&last));
    let case = Case::new("a true trigger outweighs an error", "change", change("create", &last).key("canary"));
    run.add(case.gives("errors", "errors", &event).gives("beside-errors", "beside-errors", &event));
    let event = Event::new("create", "Observation/canary-o", Some(&early));
    let case = Case::new("an evaluation error", "change", change("create", &early).key(b"canary\xfe".to_vec()));
    run.add(case.letter("evaluation-error", "errors").gives("beside-errors", "beside-errors", &event));

    let any = r#"{"resourceType":"Slot","id":"canary-any"}"#;
    let event = Event::new("create", "Slot/canary-any", Some(any));
    run.add(Case::new("any resource", "change", change("create", any)).gives("any", "any", &event));
    let device = r#"{"resourceType":"Device","id":"canary-dev"}"#;
    for interaction in ["create", "update", "delete"] {
        let event = Event::new(interaction, "Device/canary-dev", Some(device));
        run.add(
            Case::new("a definition's URL", "change", change(interaction, device)).gives("profile", "profile", &event),
        );
    }
    for (name, quantities, fires) in [
        ("the last of two", r#""quantity":1,"quantity":2"#, true),
        ("not the first", r#""quantity":2,"quantity":1"#, false),
    ] {
        let group = format!(r#"{{"resourceType":"Group","id":"canary-g",{quantities}}}"#);
        let case = Case::new(name, "change", change("create", &group));
        let event = Event::new("create", "Group/canary-g", Some(&group));
        run.add(if fires { case.gives("twice", "twice", &event) } else { case.unmatched(1) });
    }
    for (name, time, fires) in [
        ("UTC decides the day", "2020-02-02T23:30:00-05:00", true),
        ("not the zone", "2020-02-03T01:00:00+05:00", false),
    ] {
        let resource = r#"{"resourceType":"Appointment","id":"canary-a"}"#;
        let record = Record::new(format!(r#"{{"interaction":"create","timestamp":"{time}","resource":{resource}}}"#));
        let event = Event::new("create", "Appointment/canary-a", Some(resource)).at(time);
        let case = Case::new(name, "change", record);
        run.add(if fires { case.gives("today", "today", &event) } else { case.unmatched(1) });
    }
}

fn missing_state(run: &mut Run) {
    let (old, new) = (
        r#"{"resourceType":"Encounter","id":"canary-e","status":"planned"}"#,
        r#"{"resourceType":"Encounter","id":"canary-e","status":"finished"}"#,
    );
    let updated =
        |previous: &str| Record::new(format!(r#"{{"interaction":"update","resource":{new},"previous":{previous}}}"#));
    let event = Event::new("update", "Encounter/canary-e", Some(new));
    run.add(Case::new("it changed", "change", updated(old)).gives("changed", "changed", &event));
    run.add(Case::new("it did not change", "change", updated(new)).unmatched(1));
    run.add(Case::new("no previous", "change", change("update", new).key("canary")).letter("missing-state", "changed"));
}

/// A resource with this many levels, its own braces included.
fn nested(levels: usize) -> String {
    basic("deep", &format!(r#","x":{}1{}"#, "[".repeat(levels - 1), "]".repeat(levels - 1)))
}

fn limits_of_json(run: &mut Run) {
    let deep = nested(128);
    // Compared as bytes only: the test's own JSON reader stops earlier.
    let event = Event::new("delete", "Basic/canary-deep", None);
    run.add(Case::new("128 levels", "change", change("delete", &deep)).gives_all(&event, None));
    run.add(Case::new("129 levels", "change", change("create", &nested(129))).undecodable());
    run.add(Case::new("100,000 levels", "change", change("create", &nested(100_000))).undecodable());
    run.add(Case::new("129 levels, bare", "fhir", Record::new(nested(129)).key("canary")).undecodable());
    for (name, escape) in [("lone high", r"\ud83d"), ("lone low", r"\ude00"), ("high, high", r"\ud83d\ud83d")] {
        let resource = basic("s", &format!(r#","x":"{escape}""#));
        run.add(Case::new(name, "change", change("create", &resource)).undecodable());
    }
    let resource = basic("s", r#","x":"\ud83d\ude00""#);
    let event = Event::new("create", "Basic/canary-s", Some(&resource));
    run.add(Case::new("a surrogate pair", "change", change("create", &resource)).gives_all(&event, None));
}

fn undecodable_changes(run: &mut Run) {
    let ok = basic("u", "");
    for (name, value) in [
        ("no JSON", "canary { no".to_owned()),
        ("blank", " \n\t ".to_owned()),
        ("empty", String::new()),
        ("a list", format!("[{}]", r#"{"interaction":"create"}"#)),
        ("two objects", format!(r#"{{"interaction":"create","resource":{ok}}} {{}}"#)),
        ("a text", r#""canary""#.to_owned()),
        ("null", "null".to_owned()),
        ("no interaction", format!(r#"{{"resource":{ok}}}"#)),
        ("unknown interaction", format!(r#"{{"interaction":"canary","resource":{ok}}}"#)),
        ("no resource", r#"{"interaction":"create"}"#.to_owned()),
        ("null resource", r#"{"interaction":"update","resource":null}"#.to_owned()),
        ("no id", r#"{"interaction":"create","resource":{"resourceType":"Basic"}}"#.to_owned()),
        ("empty id", r#"{"interaction":"create","resource":{"resourceType":"Basic","id":""}}"#.to_owned()),
        ("id is a number", r#"{"interaction":"create","resource":{"resourceType":"Basic","id":17}}"#.to_owned()),
        ("no resourceType", r#"{"interaction":"create","resource":{"id":"canary"}}"#.to_owned()),
        ("cut off", format!(r#"{{"interaction":"create","resource":{ok}"#)),
    ] {
        let record = Record::new(value).key("canary").header("traceparent", "00-a").header("x", "canary");
        run.add(Case::new(name, "change", record).undecodable());
    }
    run.add(Case::new("null value", "change", Record::null().key("Basic/canary-1")).undecodable());
    run.add(Case::new("null value and key", "change", Record::null()).undecodable());
    let mut bytes = br#"{"interaction":"create","resource":{"resourceType":"Basic","id":"canary","x":""#.to_vec();
    bytes.extend_from_slice(b"\xc3\x28\"}}");
    run.add(Case::new("no UTF-8", "change", Record::new(bytes)).undecodable());
}

fn bare_resources(run: &mut Run) {
    let first = basic("f", r#","meta":{"versionId":"1","lastUpdated":"2024-01-01T00:00:00Z"}"#);
    let later = basic("f", r#","meta":{"versionId":"2"}"#);
    let event = |interaction, resource: &str| Event::new(interaction, "Basic/canary-f", Some(resource));
    let created = event("create", &first).at("2024-01-01T00:00:00Z");
    run.add(Case::new("bare, version 1", "fhir", Record::new(first.clone())).gives_all(&created, None));
    run.add(Case::new("bare, version 2", "fhir", Record::new(later.clone())).gives_all(&event("update", &later), None));
    for interaction in ["create", "update", "delete"] {
        let record = Record::new(later.clone()).header("interaction", interaction).key("canary");
        run.add(Case::new("bare, header", "fhir", record).gives_all(&event(interaction, &later), None));
    }
    let record = Record::new(first.clone()).header("interaction", "update");
    let updated = event("update", &first).at("2024-01-01T00:00:00Z");
    run.add(Case::new("the header wins", "fhir", record).gives_all(&updated, None));
    let gone = Event::new("delete", "Basic/canary-f", None);
    run.add(Case::new("bare, null", "fhir", Record::null().key("Basic/canary-f")).gives_all(&gone, None));
    run.add(Case::new("bare, empty", "fhir", Record::new("").key("Basic/canary-f")).gives_all(&gone, None));
    let patient = Event::new("delete", "Patient/canary-f", None);
    run.add(
        Case::new("a patient is gone", "fhir", Record::null().key("Patient/canary-f"))
            .gives_all(&patient, Some("canary-f")),
    );
    for key in ["canary", "Basic/", "/canary", "basic/canary", "Basic/a/b", "http://x/Basic/canary"] {
        run.add(Case::new("null, another key", "fhir", Record::null().key(key)).undecodable());
    }
    run.add(Case::new("null, no key", "fhir", Record::null()).undecodable());
    run.add(Case::new("bare, blank", "fhir", Record::new("  ").key("Basic/canary-f")).undecodable());
    run.add(Case::new("bare, no id", "fhir", Record::new(r#"{"resourceType":"Basic"}"#)).undecodable());
    let record = Record::new(later).header("interaction", "canary");
    run.add(Case::new("bare, unknown header", "fhir", record).undecodable());
}
