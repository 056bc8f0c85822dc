//! The change envelope: `{interaction, resource, previous?, reference?, timestamp?, organization?, fhirRelease?}`.

use crate::domain::event::{FhirRelease, Interaction, ResourceEvent};
use crate::domain::json::{self, Malformed, Scanner};
use crate::domain::reference::{self, Identity};
use crate::domain::resource::{BadResource, ClaimedOrganization, Resource, literal_reference};

use super::{Undecodable, not_an_object};

/// The members of the envelope as they stand; null is absent, and of duplicates the last counts.
#[derive(Default)]
struct Envelope<'a> {
    interaction: Option<&'a str>,
    resource: Option<Result<Resource<'a>, BadResource>>,
    previous: Option<Result<Resource<'a>, BadResource>>,
    reference: Option<&'a str>,
    timestamp: Option<&'a str>,
    organization: Option<&'a str>,
    fhir_release: Option<&'a str>,
}

/// Reads the event.
pub(super) fn decode(text: &str) -> Result<ResourceEvent<'_>, Undecodable> {
    let mut envelope = Envelope::read(text).map_err(|Malformed| not_an_object(text))?;
    let interaction = envelope.interaction.and_then(json::string).and_then(|code| Interaction::from_code(&code));
    let mut event = match interaction.ok_or(Undecodable::Interaction)? {
        Interaction::Create => ResourceEvent::with_focus(Interaction::Create, envelope.take_resource()?),
        Interaction::Update => envelope.take_update()?,
        Interaction::Delete => envelope.take_delete()?,
    };
    event.timestamp = envelope.timestamp.and_then(json::string);
    event.organization = envelope.organization.map(ClaimedOrganization::read);
    event.fhir_release = envelope.fhir_release()?;
    Ok(event)
}

impl<'a> Envelope<'a> {
    /// One pass over the record: the versions of the resource are read where they stand.
    fn read(text: &'a str) -> Result<Self, Malformed> {
        let mut envelope = Self::default();
        let mut scanner = Scanner::new(text);
        scanner.members(|name, scanner| {
            let member = match &*name.text {
                "resource" => return version(scanner).map(|version| envelope.resource = version),
                "previous" => return version(scanner).map(|version| envelope.previous = version),
                "interaction" => &mut envelope.interaction,
                "reference" => &mut envelope.reference,
                "timestamp" => &mut envelope.timestamp,
                "organization" => &mut envelope.organization,
                "fhirRelease" => &mut envelope.fhir_release,
                _ => return scanner.skip(1),
            };
            *member = json::present(scanner.value(1)?);
            Ok(())
        })?;
        scanner.end()?;
        Ok(envelope)
    }

    fn take_resource(&mut self) -> Result<Resource<'a>, Undecodable> {
        Ok(self.resource.take().ok_or(Undecodable::NoResource)??)
    }

    /// `previous` must be the same resource: criteria that compare two different ones would decide wrongly in silence.
    fn take_update(&mut self) -> Result<ResourceEvent<'a>, Undecodable> {
        let focus = self.take_resource()?;
        let previous = self.previous.take().transpose().map_err(Undecodable::BadPrevious)?;
        if previous.as_ref().is_some_and(|previous| previous.identity != focus.identity) {
            return Err(Undecodable::OtherPrevious);
        }
        let previous = previous.map(|previous| previous.outline);
        Ok(ResourceEvent { previous, ..ResourceEvent::with_focus(Interaction::Update, focus) })
    }

    /// The last known state stands in `resource` or `previous`; without one, `reference` names what is gone.
    fn take_delete(&mut self) -> Result<ResourceEvent<'a>, Undecodable> {
        let named = self.reference.map(referenced).transpose()?;
        let state = match (self.resource.take(), self.previous.take()) {
            (Some(resource), _) => Some(resource?),
            (None, Some(previous)) => Some(previous.map_err(Undecodable::BadPrevious)?),
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

/// Takes a version of the resource; null is none.
fn version<'a>(scanner: &mut Scanner<'a>) -> Result<Option<Result<Resource<'a>, BadResource>>, Malformed> {
    if scanner.next() == b'n' {
        return scanner.skip(1).map(|()| None);
    }
    Resource::scan(scanner).map(Some)
}

fn referenced(json: &str) -> Result<Identity<'_>, Undecodable> {
    let reduced = literal_reference(json).and_then(reference::reduce_text).ok_or(Undecodable::NothingDeleted)?;
    let identity = match &reduced {
        std::borrow::Cow::Borrowed(text) => Identity::parse(text),
        std::borrow::Cow::Owned(text) => Identity::parse(text).map(Identity::into_owned),
    };
    identity.ok_or(Undecodable::NothingDeleted)
}
