//! A patient's chart: turns changes of resources into events in the `change` envelope.

use fhir_fanout::domain::event::Interaction;
use jiff::Timestamp;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::json::{Json, object};
use super::{DayOptions, Detail, Facts, ORGANIZATION_EXTENSION, SampleEvent};

/// Where the events of a journey name their organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OrganizationStyle {
    /// In the extension of `meta`, as `Organization/id`.
    Meta,
    /// In the extension of `meta`, as an absolute URL with a version.
    MetaAbsolute,
    /// In the envelope, as a string.
    EnvelopeText,
    /// In the envelope, as a Reference.
    EnvelopeReference,
    /// Nowhere.
    Absent,
}

/// A resource with its history's head.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) resource_type: &'static str,
    pub(super) id: String,
    pub(super) organization: &'static str,
    pub(super) detail: Detail,
    version: u32,
    resource: Json,
}

impl Entry {
    /// A resource that was not published yet. `resource` begins with `resourceType`, `id` and `meta`.
    pub(super) fn new(
        resource_type: &'static str,
        id: &str,
        organization: &'static str,
        detail: Detail,
        resource: Json,
    ) -> Self {
        Self { resource_type, id: id.to_owned(), organization, detail, version: 0, resource }
    }

    pub(super) fn reference(&self) -> String {
        format!("{}/{}", self.resource_type, self.id)
    }

    fn status(&self) -> Option<String> {
        self.resource.get("status").and_then(Json::as_text).map(str::to_owned)
    }
}

/// Collects the events of one patient's journey.
pub(super) struct Chart<'a> {
    pub(super) rng: ChaCha8Rng,
    pub(super) patient: String,
    pub(super) style: OrganizationStyle,
    options: &'a DayOptions,
    events: Vec<SampleEvent>,
}

impl<'a> Chart<'a> {
    pub(super) fn new(options: &'a DayOptions, mut rng: ChaCha8Rng, style: OrganizationStyle) -> Self {
        let patient = random_id(&mut rng);
        Self { rng, patient, style, options, events: Vec::new() }
    }

    pub(super) fn into_events(self) -> Vec<SampleEvent> {
        self.events
    }

    pub(super) fn new_id(&mut self) -> String {
        random_id(&mut self.rng)
    }

    pub(super) fn chance(&mut self, percent: u32) -> bool {
        self.rng.random_range(0..100) < percent
    }

    /// Publishes the first version.
    pub(super) fn create(&mut self, at: Timestamp, mut entry: Entry) -> Entry {
        self.stamp(at, &mut entry);
        let envelope = self.envelope(at, Interaction::Create, &entry, Some(&entry.resource), None);
        let facts = self.facts(&entry, Interaction::Create, None, false, true);
        self.publish(at, &envelope, facts);
        entry
    }

    /// Publishes a new version.
    pub(super) fn update(&mut self, at: Timestamp, entry: &mut Entry, edit: impl FnOnce(&mut Json)) {
        let before = entry.resource.clone();
        let previous_status = entry.status();
        edit(&mut entry.resource);
        self.stamp(at, entry);
        let carries_previous = self.chance(self.options.previous_percent);
        let previous = carries_previous.then_some(&before);
        let envelope = self.envelope(at, Interaction::Update, entry, Some(&entry.resource), previous);
        let facts = self.facts(entry, Interaction::Update, previous_status, carries_previous, true);
        self.publish(at, &envelope, facts);
    }

    /// Publishes that the resource is gone: with its last state as `resource` or as `previous`, or, if the options
    /// want it, by its reference alone.
    pub(super) fn delete(&mut self, at: Timestamp, entry: &Entry) {
        let bare = self.options.bare_deletes && self.chance(20);
        let as_previous = self.chance(50);
        let state = (!bare).then_some(&entry.resource);
        let (resource, previous) = if as_previous { (None, state) } else { (state, None) };
        let envelope = self.envelope(at, Interaction::Delete, entry, resource, previous);
        let facts = self.facts(entry, Interaction::Delete, entry.status(), !bare, !bare);
        self.publish(at, &envelope, facts);
    }

    /// Gives the resource its next version, with its time and organization.
    fn stamp(&self, at: Timestamp, entry: &mut Entry) {
        entry.version += 1;
        let mut meta = object! { "versionId": entry.version.to_string(), "lastUpdated": instant(at) };
        let reference = match self.style {
            OrganizationStyle::Meta => Some(entry.organization.to_owned()),
            OrganizationStyle::MetaAbsolute => {
                Some(format!("https://ehr.example.org/fhir/{}/_history/4", entry.organization))
            }
            OrganizationStyle::EnvelopeText | OrganizationStyle::EnvelopeReference | OrganizationStyle::Absent => None,
        };
        if let Some(reference) = reference {
            let value = object! { "reference": reference };
            meta.set("extension", [object! { "url": ORGANIZATION_EXTENSION, "valueReference": value }]);
        }
        entry.resource.set("meta", meta);
    }

    fn envelope(
        &self,
        at: Timestamp,
        interaction: Interaction,
        entry: &Entry,
        resource: Option<&Json>,
        previous: Option<&Json>,
    ) -> Json {
        let mut envelope = object! { "interaction": interaction.code() };
        if let Some(resource) = resource {
            envelope.set("resource", resource.clone());
        }
        if let Some(previous) = previous {
            envelope.set("previous", previous.clone());
        }
        if interaction == Interaction::Delete {
            envelope.set("reference", entry.reference());
        }
        envelope.set("timestamp", instant(at));
        let bare = resource.is_none() && previous.is_none();
        match self.style {
            OrganizationStyle::EnvelopeText => envelope.set("organization", entry.organization),
            OrganizationStyle::EnvelopeReference => {
                envelope.set("organization", object! { "reference": entry.organization });
            }
            OrganizationStyle::Meta | OrganizationStyle::MetaAbsolute if bare => {
                envelope.set("organization", entry.organization);
            }
            OrganizationStyle::Meta | OrganizationStyle::MetaAbsolute | OrganizationStyle::Absent => {}
        }
        envelope
    }

    fn facts(
        &self,
        entry: &Entry,
        interaction: Interaction,
        previous_status: Option<String>,
        carries_previous: bool,
        carries_content: bool,
    ) -> Facts {
        Facts {
            resource_type: entry.resource_type,
            id: entry.id.clone(),
            patient: self.patient.clone(),
            interaction,
            version: entry.version,
            organization: (self.style != OrganizationStyle::Absent).then_some(entry.organization),
            status: entry.status(),
            previous_status,
            carries_previous,
            carries_content,
            detail: entry.detail.clone(),
            damage: None,
        }
    }

    fn publish(&mut self, at: Timestamp, envelope: &Json, facts: Facts) {
        let value = Some(envelope.to_string().into_bytes());
        self.events.push(SampleEvent { key: self.patient.clone(), value, at, facts });
    }
}

/// A FHIR instant with milliseconds.
pub(super) fn instant(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

fn random_id(rng: &mut ChaCha8Rng) -> String {
    uuid::Builder::from_random_bytes(rng.random()).into_uuid().to_string()
}
