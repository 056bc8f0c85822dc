//! What is written, before it is checked: the same for `topics.yaml` and FHIR resources.

use crate::config::document::{Located, Place};
use crate::domain::event::{FhirRelease, Interaction};
use crate::domain::plan::{Content, IngestFormat, KeySource, OnDestinationError, OnError, OnMissingState, StartFrom};

/// A whole configuration. `None` is a field that is absent, or whose problem is reported already.
#[derive(Debug)]
pub(super) struct RawConfig {
    pub(super) place: Place,
    pub(super) fhir_base_url: Option<Located<String>>,
    pub(super) fhir_release: Option<FhirRelease>,
    pub(super) ingest: Vec<RawIngest>,
    pub(super) dead_letter: Option<Located<String>>,
    pub(super) on_error: Option<OnError>,
    pub(super) on_missing_state: Option<OnMissingState>,
    pub(super) on_destination_error: Option<OnDestinationError>,
    pub(super) extension_url: String,
    pub(super) hierarchy: Vec<RawPartOf>,
    pub(super) resources: Vec<Located<String>>,
    pub(super) topics: Vec<RawTopic>,
    pub(super) destinations: Vec<RawDestination>,
}

/// One ingest.
#[derive(Debug)]
pub(super) struct RawIngest {
    pub(super) kafka_topic: Option<Located<String>>,
    pub(super) format: Option<IngestFormat>,
    pub(super) start_from: Option<StartFrom>,
    pub(super) default_interaction: Option<Interaction>,
}

/// One organization and what it is part of; `None`: it is at the top.
#[derive(Debug)]
pub(super) struct RawPartOf {
    pub(super) child: Located<String>,
    pub(super) parent: Option<Located<String>>,
}

/// One topic.
#[derive(Debug)]
pub(super) struct RawTopic {
    pub(super) url: Option<Located<String>>,
    /// `active` unless it says otherwise.
    pub(super) status: Option<Located<String>>,
    pub(super) organization: Option<Located<String>>,
    pub(super) triggers: Vec<RawTrigger>,
}

/// One trigger.
#[derive(Debug)]
pub(super) struct RawTrigger {
    pub(super) resource: Option<Located<String>>,
    pub(super) interactions: Option<Vec<Interaction>>,
    pub(super) criteria: Option<Located<String>>,
}

/// One destination.
#[derive(Debug)]
pub(super) struct RawDestination {
    pub(super) id: Option<Located<String>>,
    pub(super) topic: Option<Located<String>>,
    pub(super) kafka_topic: Option<Located<String>>,
    pub(super) content: Option<Content>,
    pub(super) key: Option<KeySource>,
    pub(super) organization: Option<Located<String>>,
    pub(super) bootstrap_servers: Option<Located<String>>,
    /// Whether its status lets it run.
    pub(super) is_active: bool,
}
