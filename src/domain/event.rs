//! What happened to a resource: the event that every ingest format is decoded to.

use std::borrow::Cow;

use serde::Deserialize;

use super::json::Outline;
use super::reference::Identity;
use super::resource::{ClaimedOrganization, Resource};
use super::source::SourceRecord;
use super::time;

/// One change of one resource, borrowed from its record.
#[derive(Debug, Clone)]
pub struct ResourceEvent<'a> {
    /// What was done.
    pub interaction: Interaction,
    /// Whether the interaction is the ingest's default because the record does not tell.
    pub interaction_inferred: bool,
    /// The resource it was done to.
    pub identity: Identity<'a>,
    /// The resource: the new version, or a delete's last known state. `None` only for a delete that came without.
    pub focus: Option<Resource<'a>>,
    /// The version before an update, where the record carries it.
    pub previous: Option<Outline<'a>>,
    /// The event's own time as the envelope tells it; anything but a full instant is passed over.
    pub timestamp: Option<Cow<'a, str>>,
    /// The organization that the envelope names, over that of the focus.
    pub organization: Option<ClaimedOrganization<'a>>,
    /// The FHIR release that the envelope names.
    pub fhir_release: Option<FhirRelease>,
}

impl<'a> ResourceEvent<'a> {
    /// An event of which nothing is known but what happened to which resource.
    #[must_use]
    pub fn new(interaction: Interaction, identity: Identity<'a>) -> Self {
        Self {
            interaction,
            interaction_inferred: false,
            identity,
            focus: None,
            previous: None,
            timestamp: None,
            organization: None,
            fhir_release: None,
        }
    }

    /// An event whose focus the record carries.
    #[must_use]
    pub fn with_focus(interaction: Interaction, focus: Resource<'a>) -> Self {
        let identity = focus.identity.clone();
        Self { focus: Some(focus), ..Self::new(interaction, identity) }
    }

    /// Writes the event's time: the first full instant among its own `timestamp`, the focus's `meta.lastUpdated` (both as
    /// they stand) and the record's time. Writes nothing and returns false when there is none.
    pub fn write_time(&self, record: &SourceRecord<'_>, out: &mut String) -> bool {
        let own = self.timestamp.clone().filter(|text| time::is_instant(text));
        let told = own.or_else(|| self.focus.as_ref()?.meta().last_updated.filter(|text| time::is_instant(text)));
        match told {
            Some(instant) => {
                out.push_str(&instant);
                true
            }
            None => record.timestamp_ms.is_some_and(|millis| time::write_millis(millis, out)),
        }
    }

    /// The organization that the event belongs to.
    #[must_use]
    pub fn claimed_organization(&self, extension_url: &str) -> Option<ClaimedOrganization<'a>> {
        self.organization.clone().or_else(|| self.focus.as_ref()?.organization(extension_url))
    }
}

/// What was done to a resource (FHIR `supportedInteraction` of a subscription topic's trigger).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interaction {
    /// The resource is new.
    Create,
    /// The resource has a new version.
    Update,
    /// The resource is gone.
    Delete,
}

impl Interaction {
    /// All three, in the order of [`Interaction::index`].
    pub const ALL: [Self; 3] = [Self::Create, Self::Update, Self::Delete];

    /// The code as FHIR writes it.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }

    /// The interaction that a FHIR code names, if it is one of the three.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|interaction| interaction.code() == code)
    }

    /// A small number for tables: 0 create, 1 update, 2 delete.
    #[must_use]
    pub fn index(self) -> usize {
        self as usize
    }
}

/// The FHIR release whose element types the criteria of an event are evaluated with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum FhirRelease {
    /// 4.0.1
    #[default]
    R4,
    /// 4.3.0
    R4B,
    /// 5.0.0
    R5,
}

impl FhirRelease {
    /// All releases, in their order.
    pub const ALL: [Self; 3] = [Self::R4, Self::R4B, Self::R5];

    /// How many releases there are.
    pub const COUNT: usize = Self::ALL.len();

    /// Reads a release's name (`R4`) or version (`4.0`, `4.0.1`).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "R4" | "r4" | "4.0" | "4.0.1" => Some(Self::R4),
            "R4B" | "r4b" | "4.3" | "4.3.0" => Some(Self::R4B),
            "R5" | "r5" | "5.0" | "5.0.0" => Some(Self::R5),
            _ => None,
        }
    }
}
