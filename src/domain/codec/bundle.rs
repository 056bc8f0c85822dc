//! A FHIR Bundle of changes: one event per entry that changed something.
//!
//! | Bundle | order of events | what an entry did |
//! |---|---|---|
//! | history | last entry to first: the specification puts the newest first | `request.method`, else `response` |
//! | notification: subscription-notification, or history whose first entry is a status | as they stand, without the status | `request.method`; none: context, no event |
//! | transaction, batch | as they stand | `request.method` |
//! | transaction-response, batch-response | as they stand | `request.method`, else `response` |
//!
//! An entry whose `response.status` is no success changed nothing, nor did a GET, a HEAD, a search or an operation.
//! A PUT answered 201 is a create. An entry that changed something of which the Bundle does not tell what makes the
//! whole record undecodable: to pass it over would lose an event in silence.

use std::borrow::Cow;

use crate::domain::event::{Interaction, ResourceEvent};
use crate::domain::json;
use crate::domain::reference::{self, Identity};
use crate::domain::resource::Resource;

use super::{Undecodable, not_an_object};

#[derive(Clone, Copy, PartialEq, Eq)]
enum BundleKind {
    History,
    Notification,
    Request,
    Response,
}

#[derive(Default)]
struct Entry<'a> {
    resource: Option<&'a str>,
    full_url: Option<Cow<'a, str>>,
    request: Request<'a>,
    response: Response<'a>,
}

#[derive(Default)]
struct Request<'a> {
    method: Option<Cow<'a, str>>,
    url: Option<Cow<'a, str>>,
    conditional_create: bool,
}

#[derive(Default)]
struct Response<'a> {
    status: Option<u16>,
    location: Option<Cow<'a, str>>,
    last_modified: Option<Cow<'a, str>>,
}

/// Reads the events in the order in which they happened.
pub(super) fn decode(text: &str) -> Result<Vec<ResourceEvent<'_>>, Undecodable> {
    let (mut resource_type, mut bundle_type, mut entries) = (None, None, None);
    json::members(text, |name, value| match name {
        "resourceType" => resource_type = json::string(value),
        "type" => bundle_type = json::string(value),
        "entry" => entries = json::present(value),
        _ => {}
    })
    .map_err(|_| not_an_object(text))?;
    let kind = resource_type.filter(|name| name == "Bundle").and(bundle_type).and_then(|code| BundleKind::of(&code));
    let kind = kind.ok_or(Undecodable::BundleType)?;
    let entries = entries.map_or(Ok(Vec::new()), json::elements).map_err(|_| Undecodable::BundleEntry)?;
    let entries = entries.into_iter().map(Entry::read).collect::<Result<Vec<_>, _>>()?;

    let has_status = entries.first().is_some_and(Entry::is_status);
    let events = match kind {
        BundleKind::History if !has_status => entries.iter().rev().map(|entry| entry.event(kind)).collect(),
        BundleKind::History | BundleKind::Notification => {
            let changes = entries.iter().skip(usize::from(has_status));
            changes.map(|entry| entry.event(BundleKind::Notification)).collect()
        }
        BundleKind::Request | BundleKind::Response => entries.iter().map(|entry| entry.event(kind)).collect(),
    };
    let events: Result<Vec<_>, _> = events;
    Ok(events?.into_iter().flatten().collect())
}

impl BundleKind {
    fn of(code: &str) -> Option<Self> {
        match code {
            "history" => Some(Self::History),
            "subscription-notification" => Some(Self::Notification),
            "transaction" | "batch" => Some(Self::Request),
            "transaction-response" | "batch-response" => Some(Self::Response),
            _ => None,
        }
    }
}

impl<'a> Entry<'a> {
    fn read(text: &'a str) -> Result<Self, Undecodable> {
        let mut entry = Self::default();
        let (mut request, mut response) = (None, None);
        json::members(text, |name, value| match name {
            "resource" => entry.resource = json::present(value),
            "fullUrl" => entry.full_url = json::string(value),
            "request" => request = json::present(value),
            "response" => response = json::present(value),
            _ => {}
        })
        .map_err(|_| Undecodable::BundleEntry)?;
        entry.request = request.map_or(Ok(Request::default()), Request::read)?;
        entry.response = response.map_or(Ok(Response::default()), Response::read)?;
        Ok(entry)
    }

    /// Whether this is the status that a notification Bundle begins with.
    fn is_status(&self) -> bool {
        let mut resource_type = None;
        let read = json::members(self.resource.unwrap_or_default(), |name, value| {
            if name == "resourceType" {
                resource_type = json::string(value);
            }
        });
        // R4 notifications (the backport guide) carry their status as Parameters, which no server keeps a history of.
        let status = ["SubscriptionStatus", "AidboxSubscriptionStatus", "Parameters"];
        read.is_ok() && resource_type.is_some_and(|name| status.contains(&name.as_ref()))
    }

    /// The event that the entry tells of, if it tells of one.
    fn event(&self, kind: BundleKind) -> Result<Option<ResourceEvent<'a>>, Undecodable> {
        let Some(interaction) = self.interaction(kind)? else { return Ok(None) };
        let resource = self.resource.map(Resource::read).transpose()?;
        let mut event = match (interaction, resource) {
            (_, Some(resource)) => ResourceEvent::with_focus(interaction, resource),
            (Interaction::Delete, None) => ResourceEvent::new(interaction, self.deleted()?),
            (Interaction::Create | Interaction::Update, None) => return Err(Undecodable::NoResource),
        };
        event.timestamp.clone_from(&self.response.last_modified);
        Ok(Some(event))
    }

    fn interaction(&self, kind: BundleKind) -> Result<Option<Interaction>, Undecodable> {
        if self.response.status.is_some_and(|status| !(200..300).contains(&status)) {
            return Ok(None);
        }
        let Some(method) = &self.request.method else { return self.interaction_of_response(kind) };
        match method.as_ref() {
            "GET" | "HEAD" => Ok(None),
            "POST" if self.request.is_operation() || self.found_instead_of_created() => Ok(None),
            "POST" => Ok(Some(Interaction::Create)),
            "PUT" if self.response.status == Some(201) => Ok(Some(Interaction::Create)),
            "PUT" | "PATCH" => Ok(Some(Interaction::Update)),
            "DELETE" => Ok(Some(Interaction::Delete)),
            _ => Err(Undecodable::Interaction),
        }
    }

    /// What happened, for an entry that does not tell its request: a write is answered with 201, or with its location.
    fn interaction_of_response(&self, kind: BundleKind) -> Result<Option<Interaction>, Undecodable> {
        match (kind, self.response.status) {
            // Resources that a notification carries beside its focus.
            (BundleKind::Notification, _) => Ok(None),
            (BundleKind::History | BundleKind::Response, Some(201)) => Ok(Some(Interaction::Create)),
            (BundleKind::History | BundleKind::Response, Some(_)) if self.response.location.is_some() => {
                Ok(Some(Interaction::Update))
            }
            _ => Err(Undecodable::Interaction),
        }
    }

    /// A conditional create that is answered 200 found the resource there.
    fn found_instead_of_created(&self) -> bool {
        self.request.conditional_create && self.response.status == Some(200)
    }

    fn deleted(&self) -> Result<Identity<'a>, Undecodable> {
        let urls = [&self.request.url, &self.full_url];
        let deleted = urls.into_iter().flatten().find_map(|url| match url {
            Cow::Borrowed(url) => Identity::parse(reference::reduce_request_url(url)?),
            Cow::Owned(url) => Identity::parse(reference::reduce_request_url(url)?).map(Identity::into_owned),
        });
        deleted.ok_or(Undecodable::NothingDeleted)
    }
}

impl<'a> Request<'a> {
    fn read(text: &'a str) -> Result<Self, Undecodable> {
        let mut request = Self::default();
        let mut method = None;
        json::members(text, |name, value| match name {
            "method" => method = json::present(value),
            "url" => request.url = json::string(value),
            "ifNoneExist" => request.conditional_create = json::present(value).is_some(),
            _ => {}
        })
        .map_err(|_| Undecodable::BundleEntry)?;
        request.method = method.map(|method| json::string(method).ok_or(Undecodable::Interaction)).transpose()?;
        Ok(request)
    }

    /// `POST [type]/_search` and `POST [..]/$operation` create nothing.
    fn is_operation(&self) -> bool {
        let path = self.url.as_deref().and_then(|url| url.split('?').next());
        path.and_then(|path| path.rsplit('/').next()).is_some_and(|last| last.starts_with('$') || last == "_search")
    }
}

impl<'a> Response<'a> {
    fn read(text: &'a str) -> Result<Self, Undecodable> {
        let mut response = Self::default();
        let mut status = None;
        json::members(text, |name, value| match name {
            "status" => status = json::present(value),
            "location" => response.location = json::string(value),
            "lastModified" => response.last_modified = json::string(value),
            _ => {}
        })
        .map_err(|_| Undecodable::BundleEntry)?;
        response.status = status.map(status_code).transpose()?;
        Ok(response)
    }
}

/// The HTTP status at the beginning of a `response.status` such as `201 Created`.
fn status_code(json: &str) -> Result<u16, Undecodable> {
    let text = json::string(json).ok_or(Undecodable::ResponseStatus)?;
    let digits = text.split(' ').next().filter(|digits| digits.len() == 3);
    digits.and_then(|digits| digits.parse().ok()).ok_or(Undecodable::ResponseStatus)
}
