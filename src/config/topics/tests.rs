//! What loads: the shipped example, the defaults, variables, references; and the hash of a plan.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::*;
use crate::config::diagnostic::Colour;
use crate::domain::event::{FhirRelease, Interaction};
use crate::domain::plan::{
    Content, DestinationIndex, IngestFormat, KeySource, OnDestinationError, OnError, OnMissingState, StartFrom,
    TopicIndex,
};

/// A folder with `topics.yaml` and other files, loaded.
pub(super) struct Sample {
    files: Vec<(&'static str, String)>,
    environment: Environment,
    settings: Settings,
}

/// The shortest configuration without a problem.
pub(super) const MINIMAL: &str = "
fhirBaseUrl: http://fhir.example.org/fhir/
ingest:
  - kafkaTopic: in
    format: change
deadLetter: { kafkaTopic: dead }
topics:
  - url: http://example.org/t
    trigger: [{ resource: Patient }]
destinations:
  - id: d
    topic: http://example.org/t
    kafkaTopic: out
";

impl Sample {
    pub(super) fn new(topics: impl Into<String>) -> Self {
        Self {
            files: vec![("topics.yaml", topics.into())],
            environment: [("WHERE", "http://secret.example.org"), ("SECRET", "hunter 2!")].into_iter().collect(),
            settings: Settings::default(),
        }
    }

    /// [`MINIMAL`] with a text replaced that it has.
    pub(super) fn minimal_but(from: &str, to: &str) -> Self {
        assert!(MINIMAL.contains(from), "the sample has no {from:?}");
        Self::new(MINIMAL.replacen(from, to, 1))
    }

    pub(super) fn file(mut self, name: &'static str, text: impl Into<String>) -> Self {
        self.files.push((name, text.into()));
        self
    }

    pub(super) fn variable(mut self, name: &str, value: &str) -> Self {
        let kept = ["WHERE", "SECRET"].map(|name| (name, self.environment.get(name).unwrap_or_default().to_owned()));
        self.environment = kept.into_iter().chain([(name, value.to_owned())]).collect();
        self
    }

    pub(super) fn settings(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }

    pub(super) fn load(&self) -> (Option<LoadedTopics>, Diagnostics) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, text) in &self.files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
            std::fs::write(path, text).expect("written");
        }
        let path = folder.path().join("topics.yaml");
        let (loaded, problems) = load(&path, &self.settings, &self.environment, &Arc::new(FhirPath::new()));
        assert_eq!(loaded.is_some(), !problems.has_errors(), "a plan if and only if there is no error");
        let prefix = format!("{}/", folder.path().display());
        let short = |text: String| text.replace(&prefix, "");
        let problems = problems.into_iter().map(|problem| Diagnostic {
            file: short(problem.file),
            message: short(problem.message),
            hint: problem.hint.map(short),
            ..problem
        });
        (loaded, problems.collect())
    }

    pub(super) fn plan(&self) -> Plan {
        let (loaded, problems) = self.load();
        assert!(problems.is_empty(), "{}", problems.render(Colour::Never));
        loaded.expect("a plan").plan
    }

    /// The problems as a user reads them.
    pub(super) fn problems(&self) -> String {
        let problems = self.load().1;
        for problem in problems.iter().filter(|problem| problem.severity == Severity::Error) {
            assert!(problem.hint.is_some(), "every error says what to do: {}", problem.message);
        }
        problems.render(Colour::Never)
    }
}

#[test]
fn the_shipped_example_loads_without_problems() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("topics.yaml");
    let (loaded, problems) = load(&path, &Settings::default(), &Environment::default(), &Arc::new(FhirPath::new()));
    assert!(problems.is_empty(), "{}", problems.render(Colour::Never));
    let plan = loaded.expect("a plan").plan;
    let used = |content| plan.destinations.iter().any(|destination| destination.content == content);
    assert!([Content::FullResource, Content::IdOnly, Content::Empty].into_iter().all(used));
    let used = |key| plan.destinations.iter().any(|destination| destination.key == key);
    assert!([KeySource::Source, KeySource::Resource, KeySource::Patient, KeySource::None].into_iter().all(used));
    assert_eq!((plan.topics.len(), plan.destinations.len()), (5, 7), "the draft topic does not run");
    assert_eq!(plan.fhir_base_url, "http://fhir.example.org/fhir");
    let orders = plan.candidates("ServiceRequest", Interaction::Create);
    let medication = plan.candidates("MedicationRequest", Interaction::Create);
    assert_eq!((orders.len(), medication.len()), (1, 1));
    assert_eq!(orders[0].criterion, medication[0].criterion, "equal criteria are one");
}

#[test]
fn what_is_left_out_has_the_defaults_of_the_contract() {
    let plan = Sample::new(MINIMAL).plan();
    assert_eq!(plan.fhir_base_url, "http://fhir.example.org/fhir");
    let ingest = &plan.ingest[0];
    assert_eq!((ingest.format, ingest.start_from), (IngestFormat::Change, StartFrom::Earliest));
    assert_eq!(ingest.default_interaction, Interaction::Update);
    assert_eq!(plan.dead_letter_kafka_topic, "dead");
    assert_eq!((plan.on_error, plan.on_missing_state), (OnError::DeadLetter, OnMissingState::DeadLetter));
    assert_eq!((plan.on_destination_error, plan.fhir_release), (OnDestinationError::Block, FhirRelease::R4));
    assert_eq!(plan.organizations.extension_url, "https://aidbox.app/tenant-organization-id");
    assert_eq!(plan.topics[0].triggers[0].interactions, Interaction::ALL);
    assert_eq!(plan.topics[0].destinations, [DestinationIndex(0)]);
    let destination = &plan.destinations[0];
    assert_eq!((destination.content, destination.key), (Content::FullResource, KeySource::Source));
    assert_eq!((destination.topic, destination.organization.as_deref()), (TopicIndex(0), None));
    assert_eq!(plan.forward_headers, ["traceparent", "tracestate", "correlation-id"]);
}

#[test]
fn an_empty_destination_has_no_key_unless_one_is_given() {
    let plan = Sample::minimal_but("kafkaTopic: out", "kafkaTopic: out\n    content: empty").plan();
    assert_eq!(plan.destinations[0].key, KeySource::None);
    let plan = Sample::minimal_but("kafkaTopic: out", "kafkaTopic: out\n    content: empty\n    key: source").plan();
    assert_eq!(plan.destinations[0].key, KeySource::Source);
}

#[test]
fn a_start_may_be_a_time() {
    let plan = Sample::minimal_but(
        "format: change",
        "format: fhir\n    startFrom: 2026-01-31T06:00:00+01:00\n    defaultInteraction: create",
    )
    .plan();
    let time = "2026-01-31T05:00:00Z".parse().expect("a time");
    assert_eq!(plan.ingest[0].start_from, StartFrom::Time(time));
    assert_eq!(plan.ingest[0].default_interaction, Interaction::Create);
}

#[test]
fn variables_are_substituted_after_parsing() {
    let sample = Sample::minimal_but("http://fhir.example.org/fhir/", "${WHERE}/${PATH_:-fhir}");
    assert_eq!(sample.plan().fhir_base_url, "http://secret.example.org/fhir");
    // a value that looks like YAML stays a value
    let sample =
        Sample::minimal_but("format: change", "format: ${FORMAT}").variable("FORMAT", "change\n    startFrom: latest");
    let text = sample.problems();
    assert!(text.contains("unknown value `${FORMAT}`"), "{text}");
    // an escape reaches the criterion
    let sample =
        Sample::minimal_but("{ resource: Patient }", "{ resource: Patient, fhirPathCriteria: \"id = '$${x}'\" }");
    assert_eq!(sample.plan().criteria[0].text(), "id = '${x}'");
}

#[test]
fn references_to_organizations_are_reduced() {
    let organizations = "organizations:
  hierarchy:
    http://x/fhir/Organization/b/_history/2: Organization/a/_history/1
    Organization/c: http://x/fhir/Organization/b
";
    let text = format!("{MINIMAL}    organization: http://x/fhir/Organization/c\n{organizations}");
    let plan = Sample::new(text).plan();
    let expected: BTreeMap<String, String> =
        [("Organization/b", "Organization/a"), ("Organization/c", "Organization/b")]
            .map(|(child, parent)| (child.to_owned(), parent.to_owned()))
            .into();
    assert_eq!(plan.organizations.parents, expected);
    assert_eq!(plan.destinations[0].organization.as_deref(), Some("Organization/c"));
}

#[test]
fn positions_in_the_plan_skip_what_does_not_run() {
    let text = MINIMAL
        .replace(
            "topics:\n",
            "topics:\n  - url: http://example.org/draft\n    status: draft\n    trigger: [{ resource: Patient, fhirPathCriteria: active }]\n",
        )
        .replace("{ resource: Patient }", "{ resource: Patient, fhirPathCriteria: deceased.exists() }")
        .replace("destinations:\n", "destinations:\n  - { id: not, topic: http://example.org/draft, kafkaTopic: out }\n");
    let (loaded, problems) = Sample::new(text).load();
    assert_eq!(problems.summary(), "1 warning");
    let plan = loaded.expect("a plan").plan;
    assert_eq!(plan.topics.iter().map(|topic| topic.url.as_str()).collect::<Vec<_>>(), ["http://example.org/t"]);
    assert_eq!(plan.destinations.iter().map(|destination| destination.id.as_str()).collect::<Vec<_>>(), ["d"]);
    assert_eq!(
        (plan.destinations[0].topic, plan.topics[0].destinations.as_slice()),
        (TopicIndex(0), &[DestinationIndex(0)][..])
    );
    assert_eq!(plan.criteria.iter().map(|criterion| criterion.text()).collect::<Vec<_>>(), ["deceased.exists()"]);
}

#[test]
fn the_hash_does_not_depend_on_how_it_is_written() {
    let hash = Sample::new(MINIMAL).plan().hash;
    assert!(hash.len() == 16 && hash.chars().all(|digit| matches!(digit, '0'..='9' | 'a'..='f')), "{hash}");
    // pinned: a change of it shows up at every consumer as a new configuration
    insta::assert_snapshot!(hash);
    let reordered = "
destinations: # comments do not count
  - { kafkaTopic: \"out\", topic: 'http://example.org/t', id: d, content: full-resource, key: source }
topics:
  - trigger:
      - supportedInteraction: [delete, update, create]
        resource: http://hl7.org/fhir/StructureDefinition/Patient
        description: any change
    status: active
    url: http://example.org/t
organizations: { hierarchy: {} }
onError: dead-letter
deadLetter: { kafkaTopic: '${DEAD:-dead}' }
ingest: [{ startFrom: earliest, format: change, kafkaTopic: in }]
fhirBaseUrl: http://fhir.example.org/fhir
";
    assert_eq!(Sample::new(reordered).plan().hash, hash);
    let calmer = Sample::new(MINIMAL).settings(|settings| settings.batch.max_records = 1).plan();
    assert_eq!(calmer.hash, hash, "how it is run does not count");
}

#[test]
fn the_hash_depends_on_everything_that_decides_the_outputs() {
    let original = Sample::new(MINIMAL).plan();
    let mut seen = vec![original.hash.clone()];
    let organizations = "organizations: { hierarchy: { Organization/b: Organization/a } }\n";
    let samples = [
        Sample::minimal_but("fhir.example.org", "fhir.example.com"),
        Sample::minimal_but("kafkaTopic: in", "kafkaTopic: into"),
        Sample::minimal_but("format: change", "format: fhir"),
        Sample::minimal_but("format: change", "format: change\n    startFrom: latest"),
        Sample::minimal_but("format: change", "format: change\n    startFrom: 2026-01-01T00:00:00Z"),
        Sample::minimal_but("format: change", "format: change\n    defaultInteraction: create"),
        Sample::minimal_but("kafkaTopic: dead", "kafkaTopic: dead2"),
        Sample::new(format!("{MINIMAL}onError: skip\n")),
        Sample::new(format!("{MINIMAL}onError: stop\n")),
        Sample::new(format!("{MINIMAL}onMissingState: skip\n")),
        Sample::new(format!("{MINIMAL}onDestinationError: dead-letter\n")),
        Sample::new(format!("{MINIMAL}fhirRelease: R4B\n")),
        Sample::new(format!("{MINIMAL}fhirRelease: R5\n")),
        Sample::new(format!("{MINIMAL}organizations: {{ extensionUrl: http://x }}\n")),
        Sample::new(format!("{MINIMAL}{organizations}")),
        Sample::new(format!("{MINIMAL}    organization: Organization/b\n{organizations}")),
        Sample::new(format!(
            "{}{organizations}",
            MINIMAL.replace("    trigger", "    organization: Organization/b\n    trigger")
        )),
        Sample::new(MINIMAL.replace("http://example.org/t", "http://example.org/u")),
        Sample::minimal_but("resource: Patient", "resource: Encounter"),
        Sample::minimal_but("resource: Patient", "resource: Patient, supportedInteraction: [create]"),
        Sample::minimal_but("resource: Patient", "resource: Patient, fhirPathCriteria: active"),
        Sample::minimal_but("id: d", "id: e"),
        Sample::minimal_but("kafkaTopic: out", "kafkaTopic: out2"),
        Sample::minimal_but("kafkaTopic: out", "kafkaTopic: out\n    content: id-only"),
        Sample::minimal_but("kafkaTopic: out", "kafkaTopic: out\n    key: patient"),
        Sample::new(MINIMAL).settings(|settings| settings.forward_headers = vec!["x".to_owned()]),
        Sample::new(MINIMAL).settings(|settings| settings.max_message_bytes += 1),
        Sample::new(MINIMAL).settings(|settings| settings.evaluation_steps += 1),
        Sample::new(MINIMAL).settings(|settings| settings.evaluation_memory += 1),
    ];
    for (number, sample) in samples.iter().enumerate() {
        let plan = sample.plan();
        assert!(!seen.contains(&plan.hash), "sample {number} has the hash of another");
        // all but the largest message is in the plan
        let differs = !crate::domain::plan_diff::diff(&original, &plan).is_empty();
        assert_eq!(differs, number != 26, "sample {number} shows in the comparison of plans");
        seen.push(plan.hash);
    }
}

#[test]
fn a_file_that_is_missing_is_a_problem() {
    let (loaded, problems) = load(
        Path::new("/no/such/topics.yaml"),
        &Settings::default(),
        &Environment::default(),
        &Arc::new(FhirPath::new()),
    );
    assert!(loaded.is_none());
    let text = problems.render(Colour::Never);
    assert_eq!(
        text,
        "error: there is no such file\n--> /no/such/topics.yaml\n = hint: name a file that the service may read, as UTF-8, with --topics"
    );
}
