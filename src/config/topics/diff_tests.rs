//! The comparison of plans, with plans that people write.

use super::tests::{MINIMAL, Sample};
use crate::domain::plan::Plan;
use crate::domain::plan_diff::{ChangeKind, Subject, Takeover, diff};

pub(super) const OLD: &str = "
fhirBaseUrl: http://fhir.example.org/fhir
ingest:
  - { kafkaTopic: changes, format: change }
  - { kafkaTopic: bundles, format: bundle }
  - { kafkaTopic: bare, format: fhir, startFrom: latest }
deadLetter: { kafkaTopic: dead }
organizations:
  hierarchy:
    Organization/b: Organization/a
    Organization/c: Organization/a
topics:
  - url: http://example.org/results
    trigger:
      - { resource: Observation, supportedInteraction: [create, update], fhirPathCriteria: status = 'final' }
      - { resource: DiagnosticReport }
      - { resource: Observation, supportedInteraction: [delete] }
  - url: http://example.org/patients
    organization: Organization/b
    trigger: [{ resource: Patient }]
  - url: http://example.org/gone
    trigger: [{ resource: Encounter, fhirPathCriteria: \"status = 'finished'\" }]
destinations:
  - { id: results, topic: 'http://example.org/results', kafkaTopic: results }
  - { id: patients, topic: 'http://example.org/patients', kafkaTopic: patients, organization: Organization/b }
  - { id: gone, topic: 'http://example.org/gone', kafkaTopic: gone, content: id-only }
";

/// Everything that can change, changed.
pub(super) fn new() -> String {
    let replaced = [
        ("fhir.example.org/fhir", "fhir.example.org/r4"),
        ("kafkaTopic: bundles", "kafkaTopic: bundles-2"),
        (
            "format: fhir, startFrom: latest",
            "format: fhir, startFrom: 2026-01-31T06:00:00+01:00, defaultInteraction: create",
        ),
        (
            "kafkaTopic: dead }",
            "kafkaTopic: dead-2 }\nonError: skip\nonMissingState: skip\nonDestinationError: dead-letter\nfhirRelease: R5",
        ),
        ("  hierarchy:", "  extensionUrl: http://example.org/organization\n  hierarchy:"),
        ("Organization/b: Organization/a", "Organization/b: Organization/d\n    Organization/d: ~"),
        ("    Organization/c: Organization/a\n", "    Organization/e: Organization/a\n"),
        ("status = 'final' }", "status = 'final' or status = 'amended' or status = 'corrected' }"),
        ("      - { resource: DiagnosticReport }\n", ""),
        ("resource: Patient", "resource: Person"),
        ("supportedInteraction: [delete] }", "supportedInteraction: [delete] }\n      - { resource: Specimen }"),
        ("    organization: Organization/b\n    trigger", "    trigger"),
        ("url: http://example.org/gone", "url: http://example.org/come"),
        (
            "kafkaTopic: patients, organization: Organization/b",
            "kafkaTopic: persons, organization: Organization/e, key: patient",
        ),
        ("id: gone, topic: 'http://example.org/gone'", "id: come, topic: 'http://example.org/come'"),
    ];
    replaced.iter().fold(OLD.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replacen(from, to, 1)
    })
}

fn plan(text: impl Into<String>) -> Plan {
    let (loaded, problems) = Sample::new(text).load();
    loaded.unwrap_or_else(|| panic!("{problems:?}")).plan
}

#[test]
fn everything_that_changed_is_told_with_both_values() {
    let found = diff(&plan(OLD), &plan(new()));
    assert!(!found.is_empty() && found.needs_restart());
    insta::assert_snapshot!("plan_diff_for_people", format!("{found:#}"));
    insta::assert_snapshot!("plan_diff_on_one_line", found.to_string());
    assert!(!found.to_string().contains('\n'));
    insta::assert_snapshot!("plan_diff_as_json", serde_json::to_string_pretty(found.changes()).expect("plain data"));
}

#[test]
fn a_plan_is_not_different_from_itself() {
    let found = diff(&plan(OLD), &plan(OLD));
    assert!(found.is_empty() && !found.needs_restart());
    assert_eq!(found.to_string(), "no difference");
}

#[test]
fn only_another_set_of_ingest_kafka_topics_needs_a_restart() {
    let restart = |from: &str, to: &str| {
        assert!(OLD.contains(from), "{from}");
        let found = diff(&plan(OLD), &plan(OLD.replacen(from, to, 1)));
        assert!(!found.is_empty(), "{from} -> {to}");
        found.needs_restart()
    };
    assert!(restart("  - { kafkaTopic: bundles, format: bundle }\n", ""));
    assert!(restart("kafkaTopic: bundles", "kafkaTopic: others"));
    assert!(restart("deadLetter:", "  - { kafkaTopic: more, format: change }\ndeadLetter:"));
    for (from, to) in [
        ("format: bundle", "format: change"),
        ("startFrom: latest", "startFrom: earliest"),
        ("startFrom: latest", "defaultInteraction: delete"),
        ("kafkaTopic: dead", "kafkaTopic: dead-2"),
        ("fhir.example.org/fhir", "fhir.example.org/r4"),
        ("Organization/c: Organization/a", "Organization/c: Organization/b"),
        ("resource: Patient", "resource: Person"),
        ("kafkaTopic: results", "kafkaTopic: results-2"),
        (
            "  - { id: results,",
            "  - { id: other, topic: 'http://example.org/gone', kafkaTopic: x }\n  - { id: results,",
        ),
    ] {
        assert!(!restart(from, to), "{from} -> {to}");
    }
}

#[test]
fn another_start_takes_effect_for_new_groups_only() {
    let found = diff(&plan(OLD), &plan(OLD.replacen("startFrom: latest", "startFrom: earliest", 1)));
    let [change] = found.changes() else { panic!("{found:?}") };
    assert_eq!(
        (change.subject, change.kind, change.takes_effect),
        (Subject::Ingest, ChangeKind::Changed, Takeover::NewGroups)
    );
    assert!(format!("{found:#}").contains("of no effect where the group has positions"), "{found:#}");
}

#[test]
fn another_order_is_a_difference_because_the_hash_knows_it() {
    let lines: Vec<&str> = OLD.lines().collect();
    let at = |text: &str| lines.iter().position(|line| line.contains(text)).expect("a line");
    for (one, other, field) in [
        ("kafkaTopic: changes", "kafkaTopic: bundles", "order of ingest"),
        ("id: results", "id: gone", "order of destinations"),
        ("status = 'final'", "[delete]", "order of trigger"),
    ] {
        let mut swapped = lines.clone();
        swapped.swap(at(one), at(other));
        let (old, new) = (plan(OLD), plan(swapped.join("\n")));
        let found = diff(&old, &new);
        assert!(old.hash != new.hash && !found.needs_restart());
        let fields: Vec<&str> =
            found.changes().iter().flat_map(|change| &change.fields).map(|field| field.field.as_str()).collect();
        assert_eq!(fields, [field], "{found:#}");
    }
}

#[test]
fn the_line_for_the_log_has_an_end() {
    let organizations = |parent: &str| {
        let entries: String =
            (0..100).map(|child| format!("    Organization/{child}: Organization/{parent}\n")).collect();
        format!("{MINIMAL}organizations:\n  hierarchy:\n{entries}")
    };
    let found = diff(&plan(organizations("a")), &plan(organizations("b")));
    assert_eq!(found.changes()[0].fields.len(), 100);
    assert!(found.to_string().ends_with(", ...)") && found.to_string().len() < 1000, "{found}");
    let topics = |count: usize| {
        let topics: String = (0..count)
            .map(|at| format!("  - {{ url: 'http://x/{at}', trigger: [{{ resource: Patient }}] }}\n"))
            .collect();
        MINIMAL.replacen("destinations:", &format!("{topics}destinations:"), 1)
    };
    let found = diff(&plan(topics(0)), &plan(topics(50)));
    assert!(found.to_string().ends_with("; and 30 more"), "{found}");
    assert_eq!(found.summary(), "50 topics added");
}
