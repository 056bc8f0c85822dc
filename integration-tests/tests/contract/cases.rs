//! What a case says, and the configuration that all cases run under.

use integration_tests::kafka::Record;
use serde_json::{Value, json};

/// The time of every ingest record: 2023-11-14T22:13:20Z.
pub(crate) const RECORD_TIME: i64 = 1_700_000_000_000;
pub(crate) const RECORD_INSTANT: &str = "2023-11-14T22:13:20Z";

pub(crate) const TOPICS: &str = "\
fhirBaseUrl: http://fhir.example.org:8080/base/fhir/
ingest:
  - { kafkaTopic: in-changeSUFFIX, format: change }
  - { kafkaTopic: in-fhirSUFFIX, format: fhir, startFrom: earliest }
  - { kafkaTopic: in-bundleSUFFIX, format: bundle, startFrom: 2020-01-01T00:00:00Z }
deadLetter: { kafkaTopic: deadSUFFIX }
organizations:
  extensionUrl: https://aidbox.app/tenant-organization-id
  hierarchy:
    Organization/b: Organization/a
    Organization/c: http://other.example.org/fhir/Organization/b/_history/7
    Organization/y: Organization/x
topics:
  - url: http://example.org/topic/all
    status: active
    trigger: [ { resource: Basic }, { resource: Patient } ]
  - url: http://example.org/topic/multi
    status: active
    trigger:
      - { resource: Task, supportedInteraction: [create, update], fhirPathCriteria: \"status = 'ready'\" }
      - { resource: Task, supportedInteraction: [create], fhirPathCriteria: intent = 'order', description: both can be true }
      - { resource: Task, supportedInteraction: [create] , fhirPathCriteria: \"status = 'ready'\" }
  - url: http://example.org/topic/errors
    status: active
    trigger:
      - { resource: Observation, fhirPathCriteria: code.coding.single().exists() }
      - { resource: Observation, fhirPathCriteria: \"status = 'final'\" }
  - url: http://example.org/topic/beside-errors
    status: active
    trigger: [ { resource: Observation, supportedInteraction: [create] } ]
  - url: http://example.org/topic/changed
    status: active
    trigger:
      - { resource: Encounter, supportedInteraction: [update], fhirPathCriteria: '%previous.status != %current.status' }
  - url: http://example.org/topic/gone
    status: active
    trigger:
      - resource: Medication
        supportedInteraction: [delete]
        fhirPathCriteria: status = 'active' and %previous.status = 'active' and %current.empty()
      - resource: Medication
        supportedInteraction: [create]
        fhirPathCriteria: '%previous.empty() and %current.exists() and %context.exists() and %resource.exists()'
  - url: http://example.org/topic/any
    status: active
    trigger: [ { resource: Resource, supportedInteraction: [create], fhirPathCriteria: id = 'canary-any' } ]
  - url: http://example.org/topic/profile
    status: active
    trigger: [ { resource: 'http://hl7.org/fhir/StructureDefinition/Device' } ]
  - url: http://example.org/topic/drafted
    status: draft
    trigger: [ { resource: Resource } ]
  - url: http://example.org/topic/twice
    status: active
    trigger: [ { resource: Group, fhirPathCriteria: quantity = 2 } ]
  - url: http://example.org/topic/today
    status: active
    trigger: [ { resource: Appointment, fhirPathCriteria: today() = @2020-02-03 } ]
  - url: http://example.org/topic/org
    status: active
    organization: http://elsewhere.example.org/Organization/a
    trigger: [ { resource: Location } ]
  - url: http://example.org/topic/no-org
    status: active
    trigger: [ { resource: Location } ]
destinations:
  - { id: all-full, topic: 'http://example.org/topic/all', kafkaTopic: all-fullSUFFIX, content: full-resource }
  - { id: all-ids, topic: 'http://example.org/topic/all', kafkaTopic: all-idsSUFFIX, content: id-only, key: resource }
  - { id: all-bell, topic: 'http://example.org/topic/all', kafkaTopic: all-bellSUFFIX, content: empty }
  - { id: all-patient, topic: 'http://example.org/topic/all', kafkaTopic: all-patientSUFFIX, key: patient }
  - { id: all-keyless, topic: 'http://example.org/topic/all', kafkaTopic: all-keylessSUFFIX, key: none }
  - { id: all-bell-key, topic: 'http://example.org/topic/all', kafkaTopic: all-bell-keySUFFIX, content: empty, key: source }
  - { id: multi, topic: 'http://example.org/topic/multi', kafkaTopic: multiSUFFIX }
  - { id: errors, topic: 'http://example.org/topic/errors', kafkaTopic: errorsSUFFIX }
  - { id: beside-errors, topic: 'http://example.org/topic/beside-errors', kafkaTopic: beside-errorsSUFFIX }
  - { id: changed, topic: 'http://example.org/topic/changed', kafkaTopic: changedSUFFIX }
  - { id: gone, topic: 'http://example.org/topic/gone', kafkaTopic: goneSUFFIX }
  - { id: any, topic: 'http://example.org/topic/any', kafkaTopic: anySUFFIX }
  - { id: profile, topic: 'http://example.org/topic/profile', kafkaTopic: profileSUFFIX }
  - { id: drafted, topic: 'http://example.org/topic/drafted', kafkaTopic: draftSUFFIX }
  - { id: twice, topic: 'http://example.org/topic/twice', kafkaTopic: twiceSUFFIX }
  - { id: today, topic: 'http://example.org/topic/today', kafkaTopic: todaySUFFIX }
  - { id: org, topic: 'http://example.org/topic/org', kafkaTopic: orgSUFFIX }
  - { id: org-b, topic: 'http://example.org/topic/org', kafkaTopic: org-bSUFFIX, organization: Organization/b }
  - { id: no-org, topic: 'http://example.org/topic/no-org', kafkaTopic: no-orgSUFFIX }
  - { id: no-org-a, topic: 'http://example.org/topic/no-org', kafkaTopic: no-org-aSUFFIX, organization: Organization/a }
  - { id: no-org-lonely, topic: 'http://example.org/topic/no-org', kafkaTopic: no-org-lonelySUFFIX, organization: Organization/lonely }
";

pub(crate) fn topic_of(name: &str) -> String {
    format!("http://example.org/topic/{name}")
}

pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) format: &'static str,
    pub(crate) record: Record,
    pub(crate) expected: Vec<Expected>,
    /// Events that give nothing at all.
    pub(crate) unmatched: usize,
}

pub(crate) enum Expected {
    Notified(Notified),
    Letter(Letter),
}

#[derive(Clone)]
pub(crate) struct Notified {
    pub(crate) topic: &'static str,
    pub(crate) destination: &'static str,
    pub(crate) content: &'static str,
    pub(crate) focus: String,
    pub(crate) interaction: &'static str,
    pub(crate) resource: Option<String>,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) timestamp: String,
    pub(crate) exact_time: bool,
    pub(crate) number: Option<u32>,
}

#[derive(Default)]
pub(crate) struct Letter {
    pub(crate) class: &'static str,
    pub(crate) event: u32,
    pub(crate) topic: Option<&'static str>,
    pub(crate) destination: Option<&'static str>,
}

impl Notified {
    /// The resource that the notification carries, if it carries one.
    pub(crate) fn carried(&self) -> Option<&str> {
        self.resource.as_deref().filter(|_| self.content == "full-resource" && self.interaction != "delete")
    }

    /// The Bundle without id and time.
    pub(crate) fn bundle(&self, topic: &str) -> Value {
        let base = "/base/fhir";
        let resource_type = self.focus.split('/').next().unwrap();
        let (method, url) = match self.interaction {
            "create" => ("POST", format!("{base}/{resource_type}")),
            "update" => ("PUT", format!("{base}/{}", self.focus)),
            _ => ("DELETE", format!("{base}/{}", self.focus)),
        };
        let mut event = json!({"eventNumber": 1});
        if self.content != "empty" {
            event["focus"] = json!({"reference": self.focus});
        }
        let mut entries = vec![json!({"resource": {
            "resourceType": "AidboxSubscriptionStatus",
            "status": "active",
            "type": "event-notification",
            "notificationEvent": [event],
            "topic": topic,
            "topic-destination": {"reference": format!("AidboxTopicDestination/{}", self.destination)},
        }})];
        if self.content != "empty" {
            let mut entry = json!({
                "fullUrl": format!("http://fhir.example.org:8080{base}/{}", self.focus),
                "request": {"method": method, "url": url},
            });
            if let Some(resource) = self.carried() {
                entry["resource"] = serde_json::from_str(resource).unwrap();
            }
            entries.push(entry);
        }
        json!({"resourceType": "Bundle", "type": "history", "timestamp": null, "entry": entries})
    }
}

impl Case {
    pub(crate) fn new(name: &'static str, format: &'static str, record: Record) -> Self {
        Self { name, format, record: record.timestamp(RECORD_TIME), expected: Vec::new(), unmatched: 0 }
    }

    pub(crate) fn undecodable(mut self) -> Self {
        self.expected.push(Expected::Letter(Letter { class: "undecodable", ..Letter::default() }));
        self
    }

    pub(crate) fn letter(mut self, class: &'static str, topic: &'static str) -> Self {
        self.expected.push(Expected::Letter(Letter { class, topic: Some(topic), ..Letter::default() }));
        self
    }

    pub(crate) fn unmatched(mut self, events: usize) -> Self {
        self.unmatched = events;
        self
    }

    pub(crate) fn notified(mut self, notified: Notified) -> Self {
        self.expected.push(Expected::Notified(notified));
        self
    }

    /// A notification of a destination with the default key and content, at the record's time.
    pub(crate) fn gives(self, topic: &'static str, destination: &'static str, event: &Event) -> Self {
        let key = self.record.key.clone().unwrap_or_else(|| event.focus.clone().into_bytes());
        self.notified(event.notified(topic, destination, Some(key)))
    }

    /// The notifications of all destinations of the topic `all`.
    pub(crate) fn gives_all(mut self, event: &Event, patient: Option<&str>) -> Self {
        let focus = event.focus.clone().into_bytes();
        let source = self.record.key.clone().unwrap_or_else(|| focus.clone());
        let patient = patient.map_or_else(|| focus.clone(), |id| id.as_bytes().to_vec());
        for (destination, content, key) in [
            ("all-full", "full-resource", Some(source.clone())),
            ("all-ids", "id-only", Some(focus)),
            ("all-bell", "empty", None),
            ("all-patient", "full-resource", Some(patient)),
            ("all-keyless", "full-resource", None),
            ("all-bell-key", "empty", Some(source)),
        ] {
            self = self.notified(Notified { content, ..event.notified("all", destination, key) });
        }
        self
    }

    /// Events that were notified, dead-lettered only, unmatched.
    pub(crate) fn outcomes(&self) -> [usize; 3] {
        let notified: std::collections::BTreeSet<u32> = self.expected.iter().filter_map(Expected::notified).collect();
        let only_letters = self.expected.iter().filter(|one| matches!(one, Expected::Letter(_))).count();
        [notified.len(), if notified.is_empty() { usize::from(only_letters > 0) } else { 0 }, self.unmatched]
    }
}

impl Expected {
    fn notified(&self) -> Option<u32> {
        match self {
            Self::Notified(notified) => Some(notified.number.unwrap_or_default()),
            Self::Letter(_) => None,
        }
    }
}

/// One event of a record.
pub(crate) struct Event {
    pub(crate) focus: String,
    pub(crate) interaction: &'static str,
    pub(crate) resource: Option<String>,
    pub(crate) timestamp: Option<&'static str>,
    pub(crate) number: Option<u32>,
}

impl Event {
    pub(crate) fn new(interaction: &'static str, focus: &str, resource: Option<&str>) -> Self {
        Self {
            focus: focus.to_owned(),
            interaction,
            resource: resource.map(str::to_owned),
            timestamp: None,
            number: None,
        }
    }

    pub(crate) fn at(mut self, timestamp: &'static str) -> Self {
        self.timestamp = Some(timestamp);
        self
    }

    fn notified(&self, topic: &'static str, destination: &'static str, key: Option<Vec<u8>>) -> Notified {
        Notified {
            topic,
            destination,
            content: "full-resource",
            focus: self.focus.clone(),
            interaction: self.interaction,
            resource: self.resource.clone(),
            key,
            timestamp: self.timestamp.unwrap_or(RECORD_INSTANT).to_owned(),
            exact_time: self.timestamp.is_some(),
            number: self.number,
        }
    }
}
