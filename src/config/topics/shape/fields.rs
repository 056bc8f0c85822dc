//! The fields of topics.yaml. Texts are for people who write the file: they stand in the editor and in the reference.

use super::{Anything, Field, Hierarchy, List, Listed, Map, OneOf, Presence, Rule, Shape, Start, Text};
use crate::domain::event::{FhirRelease, Interaction};
use crate::domain::plan::{Content, IngestFormat, KeySource, OnDestinationError, OnError, OnMissingState, StartFrom};

pub(in crate::config::topics) static ROOT: Shape = Shape {
    title: "The file",
    about: "What fhir-fanout sends where.",
    fields: &[
        &FHIR_BASE_URL,
        &FHIR_RELEASE,
        &INGESTS,
        &DEAD_LETTER,
        &ON_ERROR,
        &ON_MISSING_STATE,
        &ON_DESTINATION_ERROR,
        &ORGANIZATIONS,
        &RESOURCES,
        &TOPICS,
        &DESTINATIONS,
    ],
};

pub(in crate::config::topics) static FHIR_BASE_URL: Field<Text> = Field {
    name: "fhirBaseUrl",
    form: Text::of(Rule::BaseUrl),
    presence: Presence::Required(
        "as in `fhirBaseUrl: http://fhir.example.org/fhir`; notifications need it for fullUrl",
    ),
    about: "Where the resources live: the base of `fullUrl` and of `request.url` in the notifications. Absolute, without query, fragment or credentials.",
};

pub(in crate::config::topics) static FHIR_RELEASE: Field<OneOf<FhirRelease>> = Field {
    name: "fhirRelease",
    form: OneOf { default: FhirRelease::R4 },
    presence: Presence::Default,
    about: "The FHIR release that criteria are evaluated with where an event names none.",
};

pub(in crate::config::topics) static INGESTS: Field<List<Map>> = Field {
    name: "ingest",
    form: List { of: Map(&INGEST), filled: Some("name at least one Kafka topic with change events") },
    presence: Presence::Required("as in `ingest: [{ kafkaTopic: fhir.changes, format: change }]`"),
    about: "The Kafka topics with resource-change events.",
};

pub(in crate::config::topics) static DEAD_LETTER: Field<Map> = Field {
    name: "deadLetter",
    form: Map(&DEAD_LETTERS),
    presence: Presence::Required("as in `deadLetter: { kafkaTopic: fhir.dead-letters }`"),
    about: "Where records go that cannot be decoded, evaluated or delivered, in the same transaction.",
};

pub(in crate::config::topics) static ON_ERROR: Field<OneOf<OnError>> = Field {
    name: "onError",
    form: OneOf { default: OnError::DeadLetter },
    presence: Presence::Default,
    about: "What a criterion does that fails or gives no boolean, where no other trigger of the topic fires.",
};

pub(in crate::config::topics) static ON_MISSING_STATE: Field<OneOf<OnMissingState>> = Field {
    name: "onMissingState",
    form: OneOf { default: OnMissingState::DeadLetter },
    presence: Presence::Default,
    about: "What a criterion does that needs a version (as `%previous`) which the event does not carry.",
};

pub(in crate::config::topics) static ON_DESTINATION_ERROR: Field<OneOf<OnDestinationError>> = Field {
    name: "onDestinationError",
    form: OneOf { default: OnDestinationError::Block },
    presence: Presence::Default,
    about: "What a destination does whose Kafka topic refuses everything.",
};

pub(in crate::config::topics) static ORGANIZATIONS: Field<Map> = Field {
    name: "organizations",
    form: Map(&ORGANIZATION_FIELDS),
    presence: Presence::Optional("no hierarchy"),
    about: "Which organization is part of which, and where a resource names its own.",
};

pub(in crate::config::topics) static RESOURCES: Field<List<Text>> = Field {
    name: "resources",
    form: List { of: Text::of(Rule::Glob), filled: None },
    presence: Presence::Optional("none"),
    about: "JSON files with AidboxSubscriptionTopic, AidboxTopicDestination and Organization resources, next to what stands in this file. Names are relative to its folder, as in `fhir/*.json`.",
};

pub(in crate::config::topics) static TOPICS: Field<List<Map>> = Field {
    name: "topics",
    form: List { of: Map(&TOPIC), filled: None },
    presence: Presence::Optional("none"),
    about: "The FHIR subscription topics: what is worth a notification.",
};

pub(in crate::config::topics) static DESTINATIONS: Field<List<Map>> = Field {
    name: "destinations",
    form: List { of: Map(&DESTINATION), filled: None },
    presence: Presence::Optional("none"),
    about: "Who gets the notifications of a topic.",
};

pub(in crate::config::topics) static INGEST: Shape = Shape {
    title: "ingest[]",
    about: "A Kafka topic with resource-change events.",
    fields: &[&INGEST_KAFKA_TOPIC, &FORMAT, &START_FROM, &DEFAULT_INTERACTION],
};

pub(in crate::config::topics) static INGEST_KAFKA_TOPIC: Field<Text> = Field {
    name: "kafkaTopic",
    form: Text::of(Rule::KafkaTopic),
    presence: Presence::Required("name the Kafka topic that carries the change events"),
    about: "The Kafka topic. Another set of these is the one change that needs a restart.",
};

pub(in crate::config::topics) static FORMAT: Field<OneOf<IngestFormat>> = Field {
    name: "format",
    form: OneOf { default: IngestFormat::Change },
    presence: Presence::Required("one of change, fhir, bundle"),
    about: "What a record's value is.",
};

pub(in crate::config::topics) static START_FROM: Field<Start> = Field {
    name: "startFrom",
    form: Start { default: StartFrom::Earliest },
    presence: Presence::Default,
    about: "Where a new consumer group begins: `earliest`, `latest`, or a time with its zone as `2026-01-31T06:00:00Z`. Of no effect where the group has positions.",
};

pub(in crate::config::topics) static DEFAULT_INTERACTION: Field<OneOf<Interaction>> = Field {
    name: "defaultInteraction",
    form: OneOf { default: Interaction::Update },
    presence: Presence::Default,
    about: "The interaction of a `fhir` record that does not tell its own.",
};

pub(in crate::config::topics) static DEAD_LETTERS: Shape = Shape {
    title: "deadLetter",
    about: "Dead letters are patient data of all organizations: give their Kafka topic its own access rights and retention.",
    fields: &[&DEAD_LETTER_KAFKA_TOPIC],
};

pub(in crate::config::topics) static DEAD_LETTER_KAFKA_TOPIC: Field<Text> = Field {
    name: "kafkaTopic",
    form: Text::of(Rule::KafkaTopic),
    presence: Presence::Required("name the Kafka topic that takes the dead letters"),
    about: "The Kafka topic; neither an ingest's nor a destination's.",
};

pub(in crate::config::topics) static ORGANIZATION_FIELDS: Shape = Shape {
    title: "organizations",
    about: "An organization on a topic or destination lets pass what is equal to it or under it.",
    fields: &[&EXTENSION_URL, &HIERARCHY],
};

pub(in crate::config::topics) static EXTENSION_URL: Field<Text> = Field {
    name: "extensionUrl",
    // where Aidbox puts a resource's organization
    form: Text { rule: Rule::Filled, default: "https://aidbox.app/tenant-organization-id" },
    presence: Presence::Default,
    about: "The extension in `meta` that names a resource's organization.",
};

pub(in crate::config::topics) static HIERARCHY: Field<Hierarchy> = Field {
    name: "hierarchy",
    form: Hierarchy,
    presence: Presence::Optional("no organization is part of another"),
    about: "Child to parent, as in `Organization/b: Organization/a`. `~` is no parent: an organization at the top.",
};

pub(in crate::config::topics) static TOPIC: Shape = Shape {
    title: "topics[]",
    about: "A FHIR subscription topic. Only those of status `active` run.",
    fields: &[&URL, &STATUS, &TOPIC_ORGANIZATION, &TRIGGERS],
};

pub(in crate::config::topics) static URL: Field<Text> = Field {
    name: "url",
    form: Text::of(Rule::Canonical),
    presence: Presence::Required("destinations name their topic by its url"),
    about: "The canonical URL. It is compared and sent as it stands.",
};

pub(in crate::config::topics) static STATUS: Field<Listed> = Field {
    name: "status",
    form: Listed {
        words: &[
            ("active", "it runs"),
            ("draft", "it does not run yet"),
            ("retired", "it does not run any more"),
            ("unknown", "it does not run"),
        ],
        default: "active",
    },
    presence: Presence::Default,
    about: "FHIR's publication status.",
};

pub(in crate::config::topics) static TOPIC_ORGANIZATION: Field<Text> = Field {
    name: "organization",
    form: Text::of(Rule::Organization),
    presence: Presence::Optional("events of all organizations"),
    about: "Only events of this organization or of one under it. May be absolute or versioned.",
};

pub(in crate::config::topics) static TRIGGERS: Field<List<Map>> = Field {
    name: "trigger",
    form: List { of: Map(&TRIGGER), filled: Some("a topic without a trigger never fires") },
    presence: Presence::Required("a topic without a trigger never fires"),
    about: "The triggers. One that fires is enough.",
};

pub(in crate::config::topics) static TRIGGER: Shape = Shape {
    title: "topics[].trigger[]",
    about: "A change that is worth a notification.",
    fields: &[&RESOURCE, &SUPPORTED_INTERACTION, &FHIR_PATH_CRITERIA, &TRIGGER_DESCRIPTION],
};

pub(in crate::config::topics) static RESOURCE: Field<Text> = Field {
    name: "resource",
    form: Text::of(Rule::ResourceType),
    presence: Presence::Required("name a resource type, or `Resource` for any"),
    about: "A resource type of FHIR R4, R4B or R5, its StructureDefinition URL, or `Resource` for any.",
};

pub(in crate::config::topics) static SUPPORTED_INTERACTION: Field<List<OneOf<Interaction>>> = Field {
    name: "supportedInteraction",
    form: List {
        of: OneOf { default: Interaction::Update },
        filled: Some("a trigger without an interaction never fires; leave the field out for all three"),
    },
    presence: Presence::Optional("all three"),
    about: "The interactions that fire it.",
};

pub(in crate::config::topics) static FHIR_PATH_CRITERIA: Field<Text> = Field {
    name: "fhirPathCriteria",
    form: Text::of(Rule::FhirPath),
    presence: Presence::Optional("every such change"),
    about: "A FHIRPath expression that is true of the change. `%current` is the version after it, `%previous` the one before.",
};

pub(in crate::config::topics) static TRIGGER_DESCRIPTION: Field<Anything> =
    Field { name: "description", form: Anything, presence: Presence::Optional("nothing"), about: "For people." };

pub(in crate::config::topics) static DESTINATION: Shape = Shape {
    title: "destinations[]",
    about: "A Kafka topic that gets the notifications of a topic.",
    fields: &[&ID, &DESTINATION_TOPIC, &DESTINATION_KAFKA_TOPIC, &CONTENT, &KEY, &DESTINATION_ORGANIZATION],
};

pub(in crate::config::topics) static ID: Field<Text> = Field {
    name: "id",
    form: Text::of(Rule::Id),
    presence: Presence::Required("notifications name the destination by its id"),
    about: "Notifications, dead letters and metrics name the destination by it. 1 to 64 ASCII letters, digits, `-` and `.`; others are warned of.",
};

pub(in crate::config::topics) static DESTINATION_TOPIC: Field<Text> = Field {
    name: "topic",
    form: Text::of(Rule::Filled),
    presence: Presence::Required("give the url of a topic"),
    about: "The url of the FHIR subscription topic.",
};

pub(in crate::config::topics) static DESTINATION_KAFKA_TOPIC: Field<Text> = Field {
    name: "kafkaTopic",
    form: Text::of(Rule::KafkaTopic),
    presence: Presence::Required("name the Kafka topic that takes the notifications"),
    about: "The Kafka topic; neither an ingest's nor that of the dead letters. Destinations may share one.",
};

pub(in crate::config::topics) static CONTENT: Field<OneOf<Content>> = Field {
    name: "content",
    form: OneOf { default: Content::FullResource },
    presence: Presence::Default,
    about: "How much of the resource a notification carries.",
};

pub(in crate::config::topics) static KEY: Field<OneOf<KeySource>> = Field {
    name: "key",
    form: OneOf { default: KeySource::Source },
    presence: Presence::Optional("`source`; with content `empty`: `none`"),
    about: "The key of the records: records of one key keep their order.",
};

pub(in crate::config::topics) static DESTINATION_ORGANIZATION: Field<Text> = Field {
    name: "organization",
    form: Text::of(Rule::Organization),
    presence: Presence::Optional("events of all organizations"),
    about: "Only events of this organization or of one under it, after the topic's own filter. May be absolute or versioned.",
};
