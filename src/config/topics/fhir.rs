//! FHIR JSON resources to the same raw form: AidboxSubscriptionTopic, AidboxTopicDestination and Organization, alone, in an
//! array or in a Bundle.
//!
//! FHIR resources may carry elements that say nothing to this service: the standard ones are passed over silently, others
//! with a warning. Elements that would narrow what is sent are errors: passing over them would send too much.

use std::sync::Arc;

use super::raw::{RawConfig, RawDestination, RawPartOf, RawTopic, RawTrigger};
use super::read::interactions;
use super::shape::{fields as field, refuse_empty, word};
use crate::config::document::{Cursor, Fields, Located, Node, Sink, SourceFile, nearest, unknown};

/// Reads one file; `stem` is its name without extension.
pub(super) fn read(root: &Node, file: &Arc<SourceFile>, stem: &str, raw: &mut RawConfig, sink: &Sink) {
    let cursor = Cursor::new(root, file, sink);
    if cursor.is_list() {
        for item in cursor.items().unwrap_or_default() {
            resource(&item, None, raw);
        }
    } else {
        resource(&cursor, Some(stem), raw);
    }
}

/// Reads one resource; `stem` is the id where it has none and stands alone in its file.
fn resource(cursor: &Cursor<'_>, stem: Option<&str>, raw: &mut RawConfig) {
    let Some(fields) = cursor.map() else { return };
    let hint = "the file is to hold FHIR resources";
    let Some(kind) = fields.require("resourceType", hint).and_then(|kind| kind.filled_text()) else { return };
    match kind.value.as_str() {
        "Bundle" => {
            let entries = fields.get("entry").and_then(|entries| entries.items()).unwrap_or_default();
            for entry in entries.iter().filter_map(Cursor::map) {
                if let Some(inner) = entry.get("resource") {
                    resource(&inner, None, raw);
                }
            }
        }
        "AidboxSubscriptionTopic" => {
            let read = Resource { fields: &fields, cursor, stem, extension_url: &raw.extension_url };
            let topic = read.topic();
            raw.topics.push(topic);
        }
        "AidboxTopicDestination" => {
            let read = Resource { fields: &fields, cursor, stem, extension_url: &raw.extension_url };
            let destination = read.destination();
            raw.destinations.push(destination);
        }
        "Organization" => {
            if let Some(part_of) = organization(&fields) {
                raw.hierarchy.push(part_of);
            }
        }
        "SubscriptionTopic" | "Subscription" => {
            let problem = kind.place.error(format!("resources of type {} are not supported yet", kind.value));
            cursor.push(problem.hint("use AidboxSubscriptionTopic and AidboxTopicDestination, or topics.yaml"));
        }
        _ => {
            let problem = kind.place.warning(format!("a resource of type `{}` has no meaning here", kind.shown));
            let known = ["AidboxSubscriptionTopic", "AidboxTopicDestination", "Organization", "Bundle"];
            cursor.push(match nearest(&kind.value, known) {
                Some(near) => problem.hint(format!("did you mean `{near}`?")),
                None => problem.hint(format!("types that are read: {}", known.join(", "))),
            });
        }
    }
}

/// Elements of any FHIR resource of this sort that decide nothing here.
const STANDARD: &[&str] = &[
    "resourceType",
    "id",
    "meta",
    "implicitRules",
    "language",
    "text",
    "contained",
    "extension",
    "identifier",
    "version",
    "versionAlgorithmString",
    "versionAlgorithmCoding",
    "name",
    "title",
    "derivedFrom",
    "experimental",
    "date",
    "publisher",
    "contact",
    "description",
    "useContext",
    "jurisdiction",
    "purpose",
    "copyright",
    "copyrightLabel",
    "approvalDate",
    "lastReviewDate",
    "effectivePeriod",
];

/// Elements that narrow what a topic or destination sends, or change what the resource means.
const NARROWING: &[(&str, &str)] = &[
    ("modifierExtension", "a modifier extension may change the meaning, and none is known here"),
    ("queryCriteria", "query criteria are not supported yet; say it in fhirPathCriteria"),
    ("eventTrigger", "event triggers are not supported; describe the change under `trigger`"),
    ("event", "event triggers are not supported; leave it out"),
    ("filterBy", "filters of a destination are not supported yet; say it in the topic's fhirPathCriteria"),
];

/// Elements that have no effect here, though a reader might expect one.
const WITHOUT_EFFECT: &[(&str, &str)] = &[
    ("canFilterBy", "destinations cannot filter yet"),
    ("notificationShape", "a notification holds the changed resource alone"),
];

/// Reports the elements that are none of the known ones.
fn check_elements(fields: &Fields<'_>, cursor: &Cursor<'_>, own: &[&str], standard: &[&str]) {
    for (key, _) in fields.iter() {
        let name = key.value.as_str();
        if let Some((_, why)) = NARROWING.iter().find(|(element, _)| *element == name) {
            cursor.push(key.place.error(format!("element `{name}` cannot be honoured")).hint(*why));
        } else if let Some((_, why)) = WITHOUT_EFFECT.iter().find(|(element, _)| *element == name) {
            cursor.push(key.place.warning(format!("element `{name}` has no effect")).hint(*why));
        } else if !own.contains(&name) && !standard.contains(&name) && !name.starts_with('_') {
            let known: Vec<&str> = own.iter().chain(standard).copied().collect();
            let mut problem = unknown(&key.place, "element", &key.shown, known);
            problem.severity = crate::config::diagnostic::Severity::Warning;
            problem.message += ": it is passed over";
            cursor.push(problem);
        }
    }
}

struct Resource<'r, 'a> {
    fields: &'r Fields<'a>,
    cursor: &'r Cursor<'a>,
    stem: Option<&'r str>,
    extension_url: &'r str,
}

impl Resource<'_, '_> {
    /// The id; one that is missing comes from the file's name.
    fn id(&self) -> Option<Located<String>> {
        if let Some(id) = self.fields.get("id") {
            return id.filled_text();
        }
        let place = self.cursor.place().below("id");
        let Some(stem) = self.stem else {
            let problem = place.error("`id` is missing");
            self.cursor.push(problem.hint("only a resource alone in its file takes its id from the file's name"));
            return None;
        };
        let problem = place.warning(format!("`id` is missing: the file's name gives `{stem}`"));
        self.cursor.push(problem.hint("write the id into the resource, so that renaming the file changes nothing"));
        let style = crate::config::document::Style::Plain;
        Some(Located { value: stem.to_owned(), shown: stem.to_owned(), style, place })
    }

    fn required_text(&self, name: &str, hint: &str) -> Option<Located<String>> {
        self.fields.require(name, hint)?.filled_text()
    }

    /// `meta.extension[url = extensionUrl].valueReference.reference`, of the first such extension.
    fn organization(&self) -> Option<Located<String>> {
        let extensions = self.fields.get("meta")?.map()?.get("extension")?.items()?;
        let is_it = |fields: &Fields<'_>| {
            fields.get("url").and_then(|url| url.scalar()).is_some_and(|url| url.text == self.extension_url)
        };
        let extension = extensions.iter().filter_map(Cursor::map).find(is_it)?;
        let hint = "the extension names the organization by valueReference: { reference: Organization/id }";
        extension.require("valueReference", hint)?.map()?.require("reference", hint)?.filled_text()
    }

    fn topic(&self) -> RawTopic {
        check_elements(self.fields, self.cursor, &["url", "status", "trigger"], STANDARD);
        if self.stem.is_some() || self.fields.get("id").is_some() {
            self.id();
        }
        let status = field::STATUS.text(self.fields);
        if self.fields.get("status").is_none() {
            let problem = self.cursor.place().warning("the topic has no status: it runs as if it were active");
            self.cursor.push(problem.hint("FHIR requires it: active, draft, retired or unknown"));
        }
        let hint = "a topic without a trigger never fires";
        let triggers = self.fields.require("trigger", hint);
        if let Some(triggers) = &triggers {
            refuse_empty(triggers, hint);
        }
        let triggers = triggers.and_then(|triggers| triggers.items()).unwrap_or_default();
        RawTopic {
            url: self.required_text("url", "destinations name their topic by its url"),
            status,
            organization: self.organization(),
            triggers: triggers.iter().filter_map(trigger).collect(),
        }
    }

    fn destination(&self) -> RawDestination {
        check_elements(self.fields, self.cursor, &["status", "topic", "kind", "parameter", "content"], STANDARD);
        self.kind();
        let parameters = self.parameters();
        RawDestination {
            id: self.id(),
            topic: self.required_text("topic", "give the url of a topic"),
            kafka_topic: parameters.kafka_topic,
            content: self.fields.get("content").and_then(|value| word(&value)),
            key: None,
            organization: self.organization(),
            bootstrap_servers: parameters.bootstrap_servers,
            is_active: self.is_active(),
        }
    }

    fn is_active(&self) -> bool {
        let Some(status) = self.fields.get("status") else { return true };
        let Some(found) = status.choice(&[("active", true), ("off", false)]) else { return false };
        if !found.value {
            self.cursor.push(found.place.warning("the destination has status off: nothing will be sent"));
        }
        found.value
    }

    fn kind(&self) {
        const SUPPORTED: &str = "supported are kafka-at-least-once and kafka-best-effort, both served exactly once";
        let Some(kind) = self.required_text("kind", SUPPORTED) else { return };
        if !["kafka-at-least-once", "kafka-best-effort"].contains(&kind.value.as_str()) {
            self.cursor.push(
                kind.place.error(format!("destinations of kind `{}` are not supported", kind.shown)).hint(SUPPORTED),
            );
        }
    }

    fn parameters(&self) -> Parameters {
        const HINT: &str = "as in { \"name\": \"kafkaTopic\", \"valueString\": \"forms\" }";
        let mut found = Parameters::default();
        let Some(list) = self.fields.require("parameter", HINT) else { return found };
        let mut names: Vec<Located<String>> = Vec::new();
        for parameter in list.items().unwrap_or_default() {
            let Some(fields) = parameter.map() else { continue };
            let Some(name) = fields.require("name", HINT).and_then(|name| name.filled_text()) else { continue };
            if let Some(first) = names.iter().find(|earlier| earlier.value == name.value) {
                let problem = name.place.error(format!("parameter `{}` is given twice", name.shown));
                self.cursor.push(problem.hint(format!("the first is at {}; keep one", first.place.short())));
            }
            match name.value.as_str() {
                "kafkaTopic" => {
                    found.kafka_topic = fields.require("valueString", HINT).and_then(|value| value.filled_text());
                }
                "bootstrapServers" => {
                    found.bootstrap_servers = fields.require("valueString", HINT).and_then(|value| value.filled_text());
                }
                _ => self.client_parameter(&name),
            }
            names.push(name);
        }
        if !names.iter().any(|name| name.value == "kafkaTopic") {
            self.cursor.push(list.place().error("parameter `kafkaTopic` is missing").hint(HINT));
        }
        found
    }

    /// A parameter of Aidbox's own producer. Points at its name: its value may be a password.
    fn client_parameter(&self, name: &Located<String>) {
        if let Some((_, instead)) = CLIENT_PARAMETERS.iter().find(|(known, _)| *known == name.value) {
            let problem = name
                .place
                .warning(format!("parameter `{}` is not used: one producer serves all destinations", name.shown));
            self.cursor.push(problem.hint(format!("set {instead}")));
        } else {
            let known = CLIENT_PARAMETERS.iter().map(|(known, _)| *known).chain(["kafkaTopic", "bootstrapServers"]);
            self.cursor.push(unknown(&name.place, "parameter", &name.shown, known.collect()));
        }
    }
}

#[derive(Default)]
struct Parameters {
    kafka_topic: Option<Located<String>>,
    bootstrap_servers: Option<Located<String>>,
}

/// What Aidbox's Kafka destinations configure for each destination, and the service for all: with the setting to use.
const CLIENT_PARAMETERS: &[(&str, &str)] = &[
    ("compressionType", "compression.type under kafka.producer"),
    ("batchSize", "batch.size under kafka.producer"),
    ("deliveryTimeoutMs", "transactionTimeoutMs"),
    ("maxBlockMs", "queue.buffering.max.kbytes under kafka.producer"),
    ("maxRequestSize", "maxMessageBytes"),
    ("requestTimeoutMs", "request.timeout.ms under kafka.producer"),
    ("sslKeystoreKey", "ssl.key.pem or ssl.key.location under kafka.options"),
    ("securityProtocol", "security.protocol under kafka.options"),
    ("saslMechanism", "sasl.mechanism under kafka.options"),
    ("saslJaasConfig", "sasl.username and sasl.password under kafka.options"),
    ("saslClientCallbackHandlerClass", "sasl.oauthbearer.method and its options under kafka.options"),
];

fn trigger(cursor: &Cursor<'_>) -> Option<RawTrigger> {
    let fields = cursor.map()?;
    check_elements(
        &fields,
        cursor,
        &["resource", "supportedInteraction", "fhirPathCriteria"],
        &["id", "extension", "description"],
    );
    let text = |name| fields.get(name).and_then(|value: Cursor<'_>| value.filled_text());
    let resource = fields.require("resource", "name a resource type, or `Resource` for any");
    Some(RawTrigger {
        resource: resource.and_then(|resource| resource.filled_text()),
        interactions: fields.get("supportedInteraction").map(|value| match value.is_list() {
            true => interactions(&value),
            // one alone, as Aidbox's documentation has it
            false => word(&value).into_iter().collect(),
        }),
        criteria: text("fhirPathCriteria"),
    })
}

/// Organization resources are the hierarchy by their `partOf`; other elements are their own business.
fn organization(fields: &Fields<'_>) -> Option<RawPartOf> {
    let id = fields.require("id", "an Organization is referred to by its id")?.filled_text()?;
    let name = format!("Organization/{}", id.value);
    let child = Located { value: name.clone(), shown: name, ..id };
    let parent = match fields.get("partOf") {
        Some(part_of) => {
            let hint = "partOf is a reference, as in { \"reference\": \"Organization/hospital-a\" }";
            Some(part_of.map()?.require("reference", hint)?.filled_text()?)
        }
        None => None,
    };
    Some(RawPartOf { child, parent })
}
