//! Cases of the organization filter: topic `org` is of a, its destination `org-b` of b; c is under b, y under x.

use integration_tests::kafka::Record;

use crate::cases::{Case, Event};
use crate::run::Run;

/// How many of the events below the topic `org` does not take, and why.
pub(crate) const FILTERED: &[(&str, usize)] =
    &[("organization-missing", 3), ("organization-unknown", 4), ("organization-unrelated", 3)];

const URL: &str = "https://aidbox.app/tenant-organization-id";

fn extension(url: &str, reference: &str) -> String {
    format!(r#"{{"url":"{url}","valueReference":{{"reference":"{reference}"}}}}"#)
}

fn location(extensions: &[String]) -> String {
    format!(r#"{{"resourceType":"Location","id":"canary-l","meta":{{"extension":[{}]}}}}"#, extensions.join(","))
}

pub(crate) fn add(run: &mut Run) {
    let of = |reference: &str| location(&[extension(URL, reference)]);
    let resources = [
        ("the topic's own", of("Organization/a"), "a"),
        ("the child", of("Organization/b"), "b"),
        ("the grandchild", of("Organization/c"), "b"),
        ("absolute", of("http://other.example.org/fhir/Organization/b"), "b"),
        ("versioned", of("Organization/b/_history/12"), "b"),
        (
            "the first of several",
            location(&[
                extension("http://else", "Organization/x"),
                extension(URL, "Organization/b"),
                extension(URL, "Organization/x"),
            ]),
            "b",
        ),
        (
            "the first of several is elsewhere",
            location(&[extension(URL, "Organization/x"), extension(URL, "Organization/b")]),
            "",
        ),
        ("unrelated", of("Organization/y"), ""),
        ("unknown", of("Organization/canary"), ""),
        ("known to a destination alone", of("Organization/lonely"), "lonely"),
        ("no literal reference", of("urn:uuid:1"), ""),
        ("no organization", location(&[]), ""),
        ("another extension", location(&[extension("http://else", "Organization/a")]), ""),
    ];
    for (name, resource, passes) in resources {
        add_case(run, name, &resource, "", passes);
    }
    let (of_x, of_none) = (of("Organization/x"), location(&[]));
    add_case(run, "the event's own, as text", &of_x, r#","organization":"Organization/b""#, "b");
    add_case(
        run,
        "the event's own, as an object",
        &of_none,
        r#","organization":{"reference":"http://h/Organization/b/_history/1"}"#,
        "b",
    );
    add_case(run, "the event's own over the focus", &of("Organization/b"), r#","organization":"Organization/x""#, "");
    add_case(run, "null is absent", &of("Organization/b"), r#","organization":null"#, "b");
    add_case(run, "null and nothing in the focus", &of_none, r#","organization":null"#, "");
    add_case(run, "unknown of its own", &of("Organization/b"), r#","organization":"Organization/canary""#, "");
}

fn add_case(run: &mut Run, name: &'static str, resource: &str, member: &str, passes: &str) {
    let record = Record::new(format!(r#"{{"interaction":"create","resource":{resource}{member}}}"#)).key("canary");
    let event = Event::new("create", "Location/canary-l", Some(resource));
    let mut case = Case::new(name, "change", record).gives("no-org", "no-org", &event);
    if ["a", "b"].contains(&passes) {
        case = case.gives("org", "org", &event).gives("no-org", "no-org-a", &event);
    }
    if passes == "b" {
        case = case.gives("org", "org-b", &event);
    }
    if passes == "lonely" {
        case = case.gives("no-org", "no-org-lonely", &event);
    }
    run.add(case);
}
