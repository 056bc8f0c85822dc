//! Cases of the format `bundle`.

use integration_tests::kafka::Record;

use crate::cases::{Case, Event};
use crate::run::Run;

fn bundle(kind: &str, entries: &[String]) -> Record {
    let entries = entries.join(",");
    Record::new(format!(
        r#"{{"resourceType":"Bundle","id":"canary","type":"{kind}","timestamp":"2020-01-01T00:00:00Z","entry":[{entries}]}}"#
    ))
    .key("canary-bundle")
}

fn basic(id: &str, version: &str) -> String {
    format!(r#"{{"resourceType":"Basic","id":"canary-{id}","meta":{{"versionId":"{version}"}}}}"#)
}

fn entry(resource: Option<&str>, method: &str, url: &str, status: Option<&str>) -> String {
    let resource = resource.map_or_else(String::new, |resource| format!(r#""resource":{resource},"#));
    let response = status.map_or_else(String::new, |status| format!(r#","response":{{"status":"{status}"}}"#));
    format!(
        r#"{{"fullUrl":"http://x/fhir/{url}",{resource}"request":{{"method":"{method}","url":"{url}"}}{response}}}"#
    )
}

fn event(interaction: &'static str, id: &str, resource: Option<&str>, number: Option<u32>) -> Event {
    let event = Event::new(interaction, &format!("Basic/canary-{id}"), resource);
    Event { number, ..event }
}

pub(crate) fn add(run: &mut Run) {
    history(run);
    notifications(run);
    transactions(run);
    let ok = entry(Some(&basic("x", "1")), "POST", "Basic", Some("201 Created"));
    let bad = entry(Some(r#"{"resourceType":"Basic"}"#), "POST", "Basic", Some("201"));
    for (name, record) in [
        ("one bad entry", bundle("history", &[ok.clone(), bad.clone(), ok.clone()])),
        ("a bad entry at the end", bundle("transaction-response", &[ok.clone(), bad])),
        ("another resource", Record::new(basic("x", "1"))),
        ("a collection", bundle("collection", std::slice::from_ref(&ok))),
        ("entries are no list", Record::new(r#"{"resourceType":"Bundle","type":"history","entry":{}}"#)),
        ("null", Record::null().key("Basic/canary-1")),
        ("empty", Record::new("").key("Basic/canary-1")),
        (
            "a delete of nothing",
            bundle("history", &[r#"{"request":{"method":"DELETE","url":"Basic?canary=1"}}"#.to_owned()]),
        ),
        ("no resource", bundle("history", &[entry(None, "PUT", "Basic/canary-1", Some("200"))])),
        ("unknown method", bundle("history", &[entry(Some(&basic("x", "1")), "FLY", "Basic", None)])),
    ] {
        run.add(Case::new(name, "bundle", record).undecodable());
    }
    run.add(Case::new("no entries", "bundle", bundle("history", &[])));
}

fn history(run: &mut Run) {
    let (first, second, third) = (basic("h", "1"), basic("h", "2"), basic("h", "3"));
    let newest_first = [
        entry(None, "DELETE", "Basic/canary-h", Some("204")),
        entry(Some(&third), "PUT", "Basic/canary-h", Some("200 OK")),
        entry(Some(&second), "PATCH", "Basic/canary-h", None),
        entry(Some(&first), "PUT", "Basic/canary-h", Some("201 Created")),
    ];
    let case = Case::new("a history, newest first", "bundle", bundle("history", &newest_first));
    let case = case.gives_all(&event("create", "h", Some(&first), Some(0)), None);
    let case = case.gives_all(&event("update", "h", Some(&second), Some(1)), None);
    let case = case.gives_all(&event("update", "h", Some(&third), Some(2)), None);
    run.add(case.gives_all(&event("delete", "h", None, Some(3)), None));
    let one = bundle("history", &[entry(Some(&first), "POST", "Basic", Some("201"))]);
    run.add(
        Case::new("one event has no number", "bundle", one).gives_all(&event("create", "h", Some(&first), None), None),
    );
}

fn notifications(run: &mut Run) {
    let resource = basic("n", "1");
    let status = |name: &str| {
        format!(r#"{{"resource":{{"resourceType":"{name}","status":"active","type":"event-notification"}}}}"#)
    };
    let parameters = r#"{"fullUrl":"urn:uuid:1","resource":{"resourceType":"Parameters","id":"s"},"request":{"method":"GET","url":"x"},"response":{"status":"200"}}"#;
    let changed = |id: &str| entry(Some(&basic(id, "1")), "POST", "Basic", None);
    for (name, kind, status) in [
        ("aidbox", "history", status("AidboxSubscriptionStatus")),
        ("R4B", "history", status("SubscriptionStatus")),
        ("R5", "subscription-notification", status("SubscriptionStatus")),
        ("backport", "history", parameters.to_owned()),
    ] {
        let one = bundle(kind, &[status.clone(), changed("n")]);
        run.add(Case::new(name, "bundle", one).gives_all(&event("create", "n", Some(&resource), None), None));
        let two = bundle(kind, &[status, changed("n"), changed("n2")]);
        let case = Case::new(name, "bundle", two).gives_all(&event("create", "n", Some(&resource), Some(0)), None);
        run.add(case.gives_all(&event("create", "n2", Some(&basic("n2", "1")), Some(1)), None));
    }
}

fn transactions(run: &mut Run) {
    let (one, two, three) = (basic("t1", "1"), basic("t2", "1"), basic("t3", "2"));
    for kind in ["transaction", "transaction-response", "batch", "batch-response"] {
        let entries = [
            entry(Some(&one), "POST", "Basic", Some("201 Created")),
            entry(Some(&basic("got", "1")), "GET", "Basic/canary-got", Some("200")),
            entry(Some(&two), "PUT", "Basic/canary-t2", Some("201")),
            entry(Some(&basic("failed", "1")), "POST", "Basic", Some("422 Unprocessable Entity")),
            entry(Some(&three), "PUT", "Basic/canary-t3", Some("200")),
            entry(None, "HEAD", "Basic/canary-got", Some("200")),
            entry(None, "DELETE", "Basic/canary-t4", Some("204 No Content")),
        ];
        let case = Case::new("in order, what succeeded", "bundle", bundle(kind, &entries));
        let case = case.gives_all(&event("create", "t1", Some(&one), Some(0)), None);
        let case = case.gives_all(&event("create", "t2", Some(&two), Some(1)), None);
        let case = case.gives_all(&event("update", "t3", Some(&three), Some(2)), None);
        run.add(case.gives_all(&event("delete", "t4", None, Some(3)), None));
    }
}
