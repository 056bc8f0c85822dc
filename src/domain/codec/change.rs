//! The change envelope: `{interaction, resource, previous?, reference?, timestamp?, organization?, fhirRelease?}`.

use crate::domain::event::{FhirRelease, Interaction, ResourceEvent};
use crate::domain::json;
use crate::domain::reference::{self, Identity};
use crate::domain::resource::{ClaimedOrganization, Resource, literal_reference};

use super::{Undecodable, not_an_object};

/// The members of the envelope as they stand; null is absent, and of duplicates the last counts.
#[derive(Default)]
struct Envelope<'a> {
    interaction: Option<&'a str>,
    resource: Option<&'a str>,
    previous: Option<&'a str>,
    reference: Option<&'a str>,
    timestamp: Option<&'a str>,
    organization: Option<&'a str>,
    fhir_release: Option<&'a str>,
}

/// Reads the event.
pub(super) fn decode(text: &str) -> Result<ResourceEvent<'_>, Undecodable> {
    let envelope = Envelope::read(text)?;
    let interaction = envelope.interaction.and_then(json::string).and_then(|code| Interaction::from_code(&code));
    let mut event = match interaction.ok_or(Undecodable::Interaction)? {
        Interaction::Create => ResourceEvent::with_focus(Interaction::Create, Resource::read(envelope.resource()?)?),
        Interaction::Update => envelope.update()?,
        Interaction::Delete => envelope.delete()?,
    };
    event.timestamp = envelope.timestamp.and_then(json::string);
    event.organization = envelope.organization.map(ClaimedOrganization::read);
    event.fhir_release = envelope.fhir_release()?;
    Ok(event)
}

impl<'a> Envelope<'a> {
    fn read(text: &'a str) -> Result<Self, Undecodable> {
        let mut envelope = Self::default();
        json::members(text, |name, value| {
            let member = match name {
                "interaction" => &mut envelope.interaction,
                "resource" => &mut envelope.resource,
                "previous" => &mut envelope.previous,
                "reference" => &mut envelope.reference,
                "timestamp" => &mut envelope.timestamp,
                "organization" => &mut envelope.organization,
                "fhirRelease" => &mut envelope.fhir_release,
                _ => return,
            };
            *member = json::present(value);
        })
        .map_err(not_an_object)?;
        Ok(envelope)
    }

    fn resource(&self) -> Result<&'a str, Undecodable> {
        self.resource.ok_or(Undecodable::NoResource)
    }

    /// `previous` must be the same resource: criteria that compare two different ones would decide wrongly in silence.
    fn update(&self) -> Result<ResourceEvent<'a>, Undecodable> {
        let focus = Resource::read(self.resource()?)?;
        let previous = self.previous.map(Resource::read).transpose().map_err(Undecodable::BadPrevious)?;
        if previous.as_ref().is_some_and(|previous| previous.identity != focus.identity) {
            return Err(Undecodable::OtherPrevious);
        }
        let previous = previous.map(|previous| previous.json);
        Ok(ResourceEvent { previous, ..ResourceEvent::with_focus(Interaction::Update, focus) })
    }

    /// The last known state stands in `resource` or `previous`; without one, `reference` names what is gone.
    fn delete(&self) -> Result<ResourceEvent<'a>, Undecodable> {
        let named = self.reference.map(referenced).transpose()?;
        let state = match (self.resource, self.previous) {
            (Some(resource), _) => Some(Resource::read(resource)?),
            (None, Some(previous)) => Some(Resource::read(previous).map_err(Undecodable::BadPrevious)?),
            (None, None) => None,
        };
        match (state, named) {
            (Some(state), Some(named)) if state.identity != named => Err(Undecodable::TwoDeleted),
            (Some(state), _) => Ok(ResourceEvent::with_focus(Interaction::Delete, state)),
            (None, Some(named)) => Ok(ResourceEvent::new(Interaction::Delete, named)),
            (None, None) => Err(Undecodable::NothingDeleted),
        }
    }

    fn fhir_release(&self) -> Result<Option<FhirRelease>, Undecodable> {
        let Some(json) = self.fhir_release else { return Ok(None) };
        let release = json::string(json).and_then(|text| FhirRelease::parse(&text));
        release.map(Some).ok_or(Undecodable::FhirRelease)
    }
}

fn referenced(json: &str) -> Result<Identity<'_>, Undecodable> {
    let reduced = literal_reference(json).and_then(reference::reduce_text).ok_or(Undecodable::NothingDeleted)?;
    let identity = match &reduced {
        std::borrow::Cow::Borrowed(text) => Identity::parse(text),
        std::borrow::Cow::Owned(text) => Identity::parse(text).map(Identity::into_owned),
    };
    identity.ok_or(Undecodable::NothingDeleted)
}
