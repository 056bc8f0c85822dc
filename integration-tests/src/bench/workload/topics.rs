//! The subscription topics of the workloads, as topics.yaml.

use std::fmt::Write as _;

use super::organizations;

/// Which topics there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Eight topics with ten destinations.
    W1,
    /// W1's, and as many more of the same kinds as make a thousand, which never fire.
    W2,
}

/// A destination that gets something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// Its id; its Kafka topic is the prefix, a dot and the id.
    pub id: &'static str,
    /// `full-resource`, `id-only` or `empty`.
    pub content: &'static str,
    /// The topic that it is of: the last part of its URL.
    pub topic: &'static str,
    /// The organization that it belongs to.
    pub organization: Option<&'static str>,
}

/// How many topics W2 has.
const TOPICS_OF_W2: usize = 1_000;

/// The Kafka topic of all destinations of W2 that never get anything, behind the prefix and a dot.
const QUIET: &str = "quiet";

/// LOINC code, lowest and highest value that is not critical.
const CRITICAL: [(&str, &str, &str); 5] = [
    ("2345-7", "40", "500"),
    ("2160-0", "0.5", "10.0"),
    ("6298-4", "3.5", "5.5"),
    ("2951-2", "136", "145"),
    ("718-7", "7.0", "18.0"),
];

const CREATE_UPDATE: Option<&str> = Some("create, update");

/// A topic with one trigger.
struct Topic {
    name: String,
    resource: &'static str,
    interactions: Option<&'static str>,
    criterion: Option<String>,
    organization: Option<String>,
}

impl Topic {
    fn new(name: impl Into<String>, resource: &'static str, interactions: Option<&'static str>) -> Self {
        Self { name: name.into(), resource, interactions, criterion: None, organization: None }
    }

    fn when(mut self, criterion: impl Into<String>) -> Self {
        self.criterion = Some(criterion.into());
        self
    }

    fn of(mut self, organization: impl Into<String>) -> Self {
        self.organization = Some(organization.into());
        self
    }

    fn write(&self, out: &mut String) {
        line(out, format_args!("  - url: http://bench.example.org/SubscriptionTopic/{}", self.name));
        line(out, format_args!("    status: active"));
        if let Some(organization) = &self.organization {
            line(out, format_args!("    organization: {organization}"));
        }
        line(out, format_args!("    trigger:"));
        line(out, format_args!("      - resource: {}", self.resource));
        if let Some(interactions) = self.interactions {
            line(out, format_args!("        supportedInteraction: [{interactions}]"));
        }
        if let Some(criterion) = &self.criterion {
            line(out, format_args!("        fhirPathCriteria: >-\n          {criterion}"));
        }
    }
}

impl Destination {
    fn write(&self, prefix: &str, out: &mut String) {
        let Self { id, content, topic, organization } = self;
        write_destination(out, id, topic, &format!("{prefix}.{id}"), content, *organization);
    }
}

impl Kind {
    /// topics.yaml: the destinations' Kafka topics begin with `prefix`; W2 has one more, `PREFIX.quiet`, see
    /// [`Kind::kafka_topics`].
    #[must_use]
    pub fn topics_yaml(self, prefix: &str, ingest: &str, dead_letters: &str) -> String {
        let mut out = format!(
            "fhirBaseUrl: http://fhir.example.org/fhir
ingest:
  - kafkaTopic: {ingest}
    format: change
    startFrom: earliest
deadLetter: {{ kafkaTopic: {dead_letters} }}
onMissingState: skip
organizations:
  hierarchy:
"
        );
        for organization in organizations::all() {
            if let Some(parent) = organization.parent {
                line(&mut out, format_args!("    {}: {parent}", organization.reference));
            }
        }
        let (topics, quiet) = (firing(), self.quiet());
        line(&mut out, format_args!("topics:"));
        for topic in topics.iter().chain(&quiet) {
            topic.write(&mut out);
        }
        line(&mut out, format_args!("destinations:"));
        for destination in self.destinations() {
            destination.write(prefix, &mut out);
        }
        for (position, topic) in quiet.iter().enumerate() {
            let content = ["full-resource", "id-only", "full-resource", "empty"][position % 4];
            write_destination(&mut out, &topic.name, &topic.name, &format!("{prefix}.{QUIET}"), content, None);
        }
        out
    }

    /// The destinations that get something, in their order.
    #[must_use]
    pub fn destinations(self) -> Vec<Destination> {
        let destination = |id, topic, content| Destination { id, content, topic, organization: None };
        let of = |organization, destination| Destination { organization: Some(organization), ..destination };
        vec![
            destination("questionnaires", "questionnaires-completed", "full-resource"),
            destination("questionnaire-ids", "questionnaires-completed", "id-only"),
            destination("critical-labs", "critical-labs", "full-resource"),
            destination("labs-final", "labs-final", "id-only"),
            destination("encounter-status", "encounter-status", "full-resource"),
            destination("patients", "patients", "empty"),
            destination("medications", "medications-active", "full-resource"),
            destination("encounters-of-region", "encounters-of-region", "full-resource"),
            of("Organization/region-2", destination("glucose-north", "glucose", "full-resource")),
            of("Organization/region-3", destination("glucose-south", "glucose", "id-only")),
        ]
    }

    /// The Kafka topics of all destinations.
    #[must_use]
    pub fn kafka_topics(self, prefix: &str) -> Vec<String> {
        let quiet = (self == Self::W2).then_some(QUIET);
        let ids = self.destinations().into_iter().map(|destination| destination.id);
        ids.chain(quiet).map(|name| format!("{prefix}.{name}")).collect()
    }

    /// The topics that never fire.
    fn quiet(self) -> Vec<Topic> {
        let count = match self {
            Self::W1 => 0,
            Self::W2 => TOPICS_OF_W2 - firing().len(),
        };
        (0..count).map(quiet).collect()
    }
}

/// W1's topics.
fn firing() -> Vec<Topic> {
    vec![
        Topic::new("questionnaires-completed", "QuestionnaireResponse", CREATE_UPDATE).when("status = 'completed'"),
        Topic::new("critical-labs", "Observation", CREATE_UPDATE)
            .when(ranges(CRITICAL.map(|(code, low, high)| (code.to_owned(), low.to_owned(), high.to_owned())))),
        Topic::new("labs-final", "Observation", CREATE_UPDATE).when("status = 'final'"),
        Topic::new("encounter-status", "Encounter", Some("update")).when("%previous.status != %current.status"),
        Topic::new("patients", "Patient", None),
        Topic::new("medications-active", "MedicationRequest", CREATE_UPDATE).when("status = 'active'"),
        Topic::new("encounters-of-region", "Encounter", None).of("Organization/region-1"),
        Topic::new("glucose", "Observation", CREATE_UPDATE).when(loinc("2345-7")),
    ]
}

/// A topic of the same kind as the one of W1 in its place, but about codes, limits, statuses and organizations that the
/// events do not have.
fn quiet(position: usize) -> Topic {
    let number = position / 8;
    let name = format!("quiet-{position}");
    let code = |offset: usize| format!("{}-{}", 30_000 + 10 * number + offset, (number + offset) % 10);
    match position % 8 {
        0 => Topic::new(name, "QuestionnaireResponse", CREATE_UPDATE)
            .when(format!("status = 'completed' and questionnaire = 'http://bench.example.org/fhir/Questionnaire/{number}'")),
        // Half of them about other codes, half about limits that nothing reaches.
        1 if number.is_multiple_of(2) => Topic::new(name, "Observation", CREATE_UPDATE)
            .when(ranges(std::array::from_fn(|offset| (code(offset), format!("{number}.5"), "500".to_owned())))),
        1 => Topic::new(name, "Observation", CREATE_UPDATE).when(ranges(
            CRITICAL.map(|(code, ..)| (code.to_owned(), format!("0.{number:03}"), format!("{}", 10_000 + number))),
        )),
        2 => Topic::new(name, "Observation", CREATE_UPDATE).when(format!("status = 'final' and {}", loinc(&code(6)))),
        3 => Topic::new(name, "Encounter", Some("update")).when(format!(
            "%previous.status != %current.status and class.code = 'BENCH-{number}'"
        )),
        4 => Topic::new(name, "Patient", None)
            .when(format!("managingOrganization.reference = 'Organization/elsewhere-{number}'")),
        5 => Topic::new(name, "MedicationRequest", CREATE_UPDATE).when(format!(
            "status = 'active' and medication.coding.where(system = 'http://www.nlm.nih.gov/research/umls/rxnorm' and code = '{}').exists()",
            2_000_000 + number
        )),
        6 => Topic::new(name, "Encounter", None).of(format!("Organization/elsewhere-{number}")),
        _ => Topic::new(name, "Observation", CREATE_UPDATE).when(loinc(&code(7))),
    }
}

fn loinc(code: &str) -> String {
    format!("code.coding.where(system = 'http://loinc.org' and code = '{code}').exists()")
}

/// One criterion: any of the codes with a value outside of its range.
fn ranges(ranges: [(String, String, String); 5]) -> String {
    let parts =
        ranges.map(|(code, low, high)| format!("({} and (value.value < {low} or value.value > {high}))", loinc(&code)));
    parts.join(" or ")
}

fn write_destination(
    out: &mut String,
    id: &str,
    topic: &str,
    kafka_topic: &str,
    content: &str,
    organization: Option<&str>,
) {
    line(out, format_args!("  - id: {id}"));
    line(out, format_args!("    topic: http://bench.example.org/SubscriptionTopic/{topic}"));
    line(out, format_args!("    kafkaTopic: {kafka_topic}"));
    line(out, format_args!("    content: {content}"));
    line(out, format_args!("    key: source"));
    if let Some(organization) = organization {
        line(out, format_args!("    organization: {organization}"));
    }
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("a string takes everything");
}
