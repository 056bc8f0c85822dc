//! Bundles: order, what entries did, what makes the whole record undecodable.

use super::*;

fn bundle(code: &str, entries: &[&str]) -> String {
    format!(r#"{{"resourceType":"Bundle","type":"{code}","entry":[{}]}}"#, entries.join(","))
}

fn events(value: &str) -> Result<Vec<String>, Undecodable> {
    let events = decode(&ingest("bundles", IngestFormat::Bundle), &record("bundles", value))?;
    Ok(events.iter().map(|event| format!("{} {}", event.interaction.code(), identity(event))).collect())
}

/// An entry with `Patient/<id>`, and the response if a status is given.
fn entry(method: &str, id: &str, status: &str) -> String {
    let response = if status.is_empty() { String::new() } else { format!(r#","response":{{"status":"{status}"}}"#) };
    format!(
        r#"{{"resource":{{"resourceType":"Patient","id":"{id}"}},"request":{{"method":"{method}","url":"Patient/{id}"}}{response}}}"#
    )
}

fn single(entry: &str) -> Result<Vec<String>, Undecodable> {
    events(&bundle("history", &[entry]))
}

const STATUSES: [&str; 3] = [
    r#"{"resource":{"resourceType":"SubscriptionStatus","id":"s"},"request":{"method":"GET","url":"x"},"response":{"status":"200"}}"#,
    r#"{"resource":{"resourceType":"AidboxSubscriptionStatus","status":"active"}}"#,
    r#"{"resource":{"resourceType":"Parameters","id":"s"},"request":{"method":"GET","url":"x"},"response":{"status":"200"}}"#,
];

#[test]
fn histories_are_taken_from_the_oldest_entry_to_the_newest() {
    let value = bundle("history", &[&entry("DELETE", "c", ""), &entry("PUT", "b", "200"), &entry("POST", "a", "201")]);
    assert_eq!(events(&value).unwrap(), ["create Patient/a", "update Patient/b", "delete Patient/c"]);
}

#[test]
fn notifications_are_taken_in_order_without_their_status() {
    let changes = [entry("POST", "a", "201"), entry("GET", "g", "200"), entry("PUT", "b", "200")];
    for status in STATUSES {
        for code in ["history", "subscription-notification"] {
            let value = bundle(code, &[status, &changes[0], &changes[1], &changes[2]]);
            assert_eq!(events(&value).unwrap(), ["create Patient/a", "update Patient/b"], "{code} {status}");
        }
    }
    let context = r#"{"resource":{"resourceType":"Patient","id":"context"}}"#;
    let value = bundle("subscription-notification", &[STATUSES[0], &changes[0], context]);
    assert_eq!(events(&value).unwrap(), ["create Patient/a"]);
    assert_eq!(events(&bundle("subscription-notification", &[STATUSES[0]])).unwrap(), [""; 0], "a heartbeat");
    let id_only =
        r#"{"fullUrl":"http://h/Patient/1","request":{"method":"PUT","url":"Patient/1"},"response":{"status":"201"}}"#;
    assert_eq!(events(&bundle("history", &[STATUSES[0], id_only])), Err(Undecodable::NoResource));
}

#[test]
fn what_a_request_did() {
    for (method, status, expected) in [
        ("POST", "", Some("create")),
        ("POST", "201 Created", Some("create")),
        ("PUT", "", Some("update")),
        ("PUT", "200", Some("update")),
        ("PUT", "201", Some("create")),
        ("PUT", "201 Created", Some("create")),
        ("PATCH", "200", Some("update")),
        ("DELETE", "204", Some("delete")),
        ("GET", "", None),
        ("HEAD", "200", None),
        ("PUT", "304", None),
        ("PUT", "412 Precondition Failed", None),
        ("POST", "500", None),
        ("DELETE", "404", None),
    ] {
        let expected: Vec<_> = expected.into_iter().map(|code| format!("{code} Patient/1")).collect();
        for code in
            ["history", "transaction", "batch", "transaction-response", "batch-response", "subscription-notification"]
        {
            let value = bundle(code, &[&entry(method, "1", status)]);
            assert_eq!(events(&value).as_ref(), Ok(&expected), "{code} {method} {status}");
        }
    }
}

#[test]
fn failed_entries_are_not_even_looked_at() {
    let failed =
        r#"{"resource":{"no":"resource"},"request":{"method":"POST","url":"Patient"},"response":{"status":"422"}}"#;
    assert_eq!(events(&bundle("batch", &[failed, &entry("PUT", "1", "200")])).unwrap(), ["update Patient/1"]);
}

#[test]
fn operations_searches_and_found_resources_are_no_creates() {
    for request in
        [r#""url":"Patient/_search""#, r#""url":"Patient/1/$everything?x=a/b""#, r#""url":"$process-message""#]
    {
        let entry =
            format!(r#"{{"resource":{{"resourceType":"Parameters"}},"request":{{"method":"POST",{request}}}}}"#);
        assert_eq!(single(&entry).unwrap(), [""; 0], "{request}");
    }
    let conditional = |status: &str| {
        format!(
            r#"{{"resource":{PATIENT},"request":{{"method":"POST","url":"Patient","ifNoneExist":"x=1"}},"response":{{"status":"{status}"}}}}"#
        )
    };
    assert_eq!(single(&conditional("200 OK")).unwrap(), [""; 0]);
    assert_eq!(single(&conditional("201 Created")).unwrap(), ["create Patient/1"]);
}

#[test]
fn responses_without_request_tell_by_status_and_location() {
    let entry = |response: &str| format!(r#"{{"resource":{PATIENT},"response":{{{response}}}}}"#);
    for code in ["batch-response", "transaction-response", "history"] {
        let of = |response: &str| events(&bundle(code, &[&entry(response)]));
        assert_eq!(of(r#""status":"201 Created""#).unwrap(), ["create Patient/1"]);
        assert_eq!(of(r#""status":"200 OK","location":"Patient/1/_history/2""#).unwrap(), ["update Patient/1"]);
        assert_eq!(of(r#""status":"404 Not Found""#).unwrap(), [""; 0]);
        assert_eq!(of(r#""status":"200 OK""#), Err(Undecodable::Interaction), "a read or a write, who knows");
        assert_eq!(of(""), Err(Undecodable::Interaction));
    }
    let requested_nothing = bundle("batch", &[&entry(r#""status":"201""#)]);
    assert_eq!(events(&requested_nothing), Err(Undecodable::Interaction));
}

#[test]
fn deletes_without_resource_are_told_by_their_url() {
    let delete = |members: &str| single(&format!("{{{members}}}"));
    for url in ["Patient/1", "/fhir/Patient/1", "http://h/fhir/Patient/1", "Patient/1/_history/4", r"Patient\/1"] {
        let request = format!(r#""request":{{"method":"DELETE","url":"{url}"}}"#);
        assert_eq!(delete(&request).unwrap(), ["delete Patient/1"], "{url}");
    }
    let by_full_url = r#""fullUrl":"http://h/fhir/Patient/1","request":{"method":"DELETE","url":"Patient?x=1"}"#;
    assert_eq!(delete(by_full_url).unwrap(), ["delete Patient/1"]);
    for url in [r#""url":"Patient?identifier=1""#, r#""url":"Patient""#, r#""x":1"#] {
        let request = format!(r#""request":{{"method":"DELETE",{url}}}"#);
        assert_eq!(delete(&request), Err(Undecodable::NothingDeleted), "{url}");
    }
}

#[test]
fn one_bad_entry_makes_the_record_undecodable() {
    let bad = |resource: &str| format!(r#"{{"resource":{resource},"request":{{"method":"PUT","url":"Patient/1"}}}}"#);
    for (entry, expected) in [
        (bad(r#"{"resourceType":"Patient"}"#), BadResource::Id.into()),
        (bad(r#"{"resourceType":"Patient","id":"1","x":"\ud800"}"#), BadResource::LoneSurrogate.into()),
        (bad(&nested(129)), BadResource::TooDeep.into()),
        (bad("null"), Undecodable::NoResource),
        (r#"{"resource":{"resourceType":"Patient","id":"1"}}"#.to_owned(), Undecodable::Interaction),
        (entry("TRACE", "1", ""), Undecodable::Interaction),
        (entry("PUT", "1", "OK"), Undecodable::ResponseStatus),
        (entry("PUT", "1", "2000"), Undecodable::ResponseStatus),
        ("7".to_owned(), Undecodable::BundleEntry),
        (r#"{"request":7}"#.to_owned(), Undecodable::BundleEntry),
        (r#"{"request":{"method":7}}"#.to_owned(), Undecodable::Interaction),
    ] {
        let value = bundle("history", &[&super::bundles::entry("PUT", "good", "200"), &entry]);
        assert_eq!(events(&value).unwrap_err(), expected);
    }
    assert!(single(&bad(&nested(128))).is_ok());
}

#[test]
fn other_bundles_and_other_resources_are_refused() {
    let entry = entry("PUT", "1", "");
    for code in ["collection", "searchset", "document", "message", "History", ""] {
        assert_eq!(events(&bundle(code, &[&entry])), Err(Undecodable::BundleType), "{code}");
    }
    for value in [PATIENT, "{}", r#"{"resourceType":"Bundle"}"#, r#"{"type":"history"}"#] {
        assert_eq!(events(value), Err(Undecodable::BundleType), "{value}");
    }
    assert_eq!(events(r#"{"resourceType":"Bundle","type":"history","entry":{}}"#), Err(Undecodable::BundleEntry));
    for none in ["null", "[]"] {
        assert_eq!(
            events(&format!(r#"{{"resourceType":"Bundle","type":"history","entry":{none}}}"#)).unwrap(),
            [""; 0]
        );
    }
    assert_eq!(events(r#"{"resourceType":"Bundle","type":"history"}"#).unwrap(), [""; 0]);
}

#[test]
fn an_entrys_own_time_is_when_the_server_modified_it() {
    let value = bundle(
        "history",
        &[
            r#"{"request":{"method":"DELETE","url":"Patient/1"},"response":{"status":"204","lastModified":"2024-10-03T10:07:55Z"}}"#,
        ],
    );
    let events = decode(&ingest("bundles", IngestFormat::Bundle), &record("bundles", &value)).unwrap();
    assert_eq!(events[0].timestamp.as_deref(), Some("2024-10-03T10:07:55Z"));
}
