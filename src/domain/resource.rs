//! A FHIR resource as the service looks at it: its own bytes, and the few members that decide something.

use std::borrow::Cow;

use super::json::{self, Flaw, Malformed, Outline, Scanner};
use super::reference::{self, Identity};

/// A resource inside a record. Its text is the record's own, without surrounding white space.
#[derive(Debug, Clone)]
pub struct Resource<'a> {
    /// The resource's text, unchanged, and where its members stand.
    pub outline: Outline<'a>,
    /// Its type and id.
    pub identity: Identity<'a>,
    meta: Option<&'a str>,
    patients: [Option<&'a str>; PATIENT_MEMBERS.len()],
}

/// The members that name the patient whom a resource is about, the most telling first.
const PATIENT_MEMBERS: [&str; 5] = ["subject", "patient", "beneficiary", "individual", "for"];

/// Why a text is no resource that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadResource {
    /// No JSON object.
    #[error("the resource is not a JSON object")]
    NotAnObject,
    /// More levels than [`json::MAX_DEPTH`].
    #[error("the resource has more than {} levels", json::MAX_DEPTH)]
    TooDeep,
    /// Half of a surrogate pair.
    #[error("the resource contains a lone surrogate")]
    LoneSurrogate,
    /// `resourceType` is missing or no type name.
    #[error("the resource has no resourceType")]
    Type,
    /// `id` is missing or cannot be an id.
    #[error("the resource has no id")]
    Id,
}

impl From<Flaw> for BadResource {
    fn from(flaw: Flaw) -> Self {
        match flaw {
            Flaw::TooDeep => Self::TooDeep,
            Flaw::LoneSurrogate => Self::LoneSurrogate,
        }
    }
}

/// The members of `meta` that matter.
#[derive(Debug, Default)]
pub struct Meta<'a> {
    /// `versionId`.
    pub version_id: Option<Cow<'a, str>>,
    /// `lastUpdated`, as it stands.
    pub last_updated: Option<Cow<'a, str>>,
    /// The text of `extension`.
    pub extension: Option<&'a str>,
}

/// What a resource or an envelope says about the organization it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimedOrganization<'a> {
    /// `Organization/id`.
    Reference(Cow<'a, str>),
    /// Something stands there that is no literal reference to an Organization: it belongs to one, unknown which.
    Unreadable,
}

impl<'a> Resource<'a> {
    /// Reads a resource.
    ///
    /// # Errors
    /// See [`BadResource`].
    pub fn read(json: &'a str) -> Result<Self, BadResource> {
        let mut scanner = Scanner::new(json);
        let resource = Self::scan(&mut scanner).map_err(|Malformed| BadResource::NotAnObject)?;
        scanner.end().map_err(|Malformed| BadResource::NotAnObject)?;
        resource
    }

    /// Takes a value that should be a resource.
    pub(super) fn scan(scanner: &mut Scanner<'a>) -> Result<Result<Self, BadResource>, Malformed> {
        if scanner.next() != b'{' {
            scanner.skip(0)?;
            return Ok(Err(BadResource::NotAnObject));
        }
        let (mut resource_type, mut id, mut meta) = (None, None, None);
        let mut patients = [None; PATIENT_MEMBERS.len()];
        let outline = Outline::scan(scanner, |name, value| match name {
            "resourceType" => resource_type = Some(value),
            "id" => id = Some(value),
            "meta" => meta = json::present(value),
            _ => {
                if let Some(position) = PATIENT_MEMBERS.iter().position(|member| *member == name) {
                    patients[position] = json::present(value);
                }
            }
        })?;
        Ok(outline.map_err(BadResource::from).and_then(|outline| {
            let resource_type = resource_type.and_then(json::string).filter(|text| reference::is_type_name(text));
            let id = id.and_then(json::string).filter(|text| reference::is_id(text));
            let identity =
                Identity { resource_type: resource_type.ok_or(BadResource::Type)?, id: id.ok_or(BadResource::Id)? };
            Ok(Self { outline, identity, meta, patients })
        }))
    }

    /// The resource's text, unchanged.
    #[must_use]
    pub fn json(&self) -> &'a str {
        self.outline.text()
    }

    /// Reads `meta`. A member of the wrong type is as good as absent: it decides nothing then.
    #[must_use]
    pub fn meta(&self) -> Meta<'a> {
        let mut meta = Meta::default();
        if let Some(json) = self.meta {
            // A `meta` that is no object leaves everything absent.
            let _ = json::members(json, |name, value| match name {
                "versionId" => meta.version_id = json::string(value),
                "lastUpdated" => meta.last_updated = json::string(value),
                "extension" => meta.extension = json::present(value),
                _ => {}
            });
        }
        meta
    }

    /// The organization that the first extension of this URL in `meta` names.
    #[must_use]
    pub fn organization(&self, extension_url: &str) -> Option<ClaimedOrganization<'a>> {
        let extensions = json::elements(self.meta().extension?).ok()?;
        extensions.into_iter().find_map(|extension| {
            let (mut url, mut reference) = (None, None);
            json::members(extension, |name, value| match name {
                "url" => url = json::string(value),
                "valueReference" => reference = json::present(value),
                _ => {}
            })
            .ok()?;
            (url? == extension_url).then(|| ClaimedOrganization::read(reference.unwrap_or("null")))
        })
    }

    /// The bare id of the patient whom the resource is about.
    #[must_use]
    pub fn patient_id(&self) -> Option<Cow<'a, str>> {
        if self.identity.resource_type == "Patient" {
            return Some(self.identity.id.clone());
        }
        self.patients.iter().flatten().find_map(|member| {
            if member.starts_with('[') {
                json::elements(member).ok()?.into_iter().find_map(referenced_patient)
            } else {
                referenced_patient(member)
            }
        })
    }
}

impl<'a> ClaimedOrganization<'a> {
    /// Reads a reference to an organization: a string, or an object with the member `reference`.
    #[must_use]
    pub fn read(json: &'a str) -> Self {
        literal_reference(json)
            .and_then(reference::reduce_text)
            .filter(|reduced| reduced.starts_with("Organization/"))
            .map_or(Self::Unreadable, Self::Reference)
    }
}

/// The text of a reference that stands as a string or as an object with the member `reference`.
#[must_use]
pub fn literal_reference(json: &str) -> Option<Cow<'_, str>> {
    json::string(json).or_else(|| {
        let mut reference = None;
        json::members(json, |name, value| {
            if name == "reference" {
                reference = json::string(value);
            }
        })
        .ok()?;
        reference
    })
}

fn referenced_patient(json: &str) -> Option<Cow<'_, str>> {
    match reference::reduce_text(literal_reference(json)?)? {
        Cow::Borrowed(reduced) => reduced.strip_prefix("Patient/").map(Cow::Borrowed),
        Cow::Owned(reduced) => reduced.strip_prefix("Patient/").map(|id| Cow::Owned(id.to_owned())),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is the failure of a test")]
mod tests {
    use super::*;

    const TENANT: &str = "https://aidbox.app/tenant-organization-id";

    fn organization(meta: &str) -> Option<String> {
        let json = format!(r#"{{"resourceType":"Patient","id":"1","meta":{meta}}}"#);
        Resource::read(&json).unwrap().organization(TENANT).map(|claim| match claim {
            ClaimedOrganization::Reference(reference) => reference.into_owned(),
            ClaimedOrganization::Unreadable => "unreadable".into(),
        })
    }

    fn patient_of(members: &str) -> Option<String> {
        let json = format!(r#"{{"resourceType":"Observation","id":"1",{members}}}"#);
        Resource::read(&json).unwrap().patient_id().map(Cow::into_owned)
    }

    #[test]
    fn type_and_id_are_needed_as_strings_that_can_be_such() {
        for (json, expected) in [
            ("[]", BadResource::NotAnObject),
            ("\"Patient/1\"", BadResource::NotAnObject),
            (r#"{"id":"1"}"#, BadResource::Type),
            (r#"{"resourceType":7,"id":"1"}"#, BadResource::Type),
            (r#"{"resourceType":"patient","id":"1"}"#, BadResource::Type),
            (r#"{"resourceType":"Pa tient","id":"1"}"#, BadResource::Type),
            (r#"{"resourceType":"Patient"}"#, BadResource::Id),
            (r#"{"resourceType":"Patient","id":1}"#, BadResource::Id),
            (r#"{"resourceType":"Patient","id":null}"#, BadResource::Id),
            (r#"{"resourceType":"Patient","id":""}"#, BadResource::Id),
            (r#"{"resourceType":"Patient","id":"a/b"}"#, BadResource::Id),
            (r#"{"resourceType":"Patient","id":"a\nb"}"#, BadResource::Id),
            (r#"{"resourceType":"Patient","id":"1","x":"\ud800"}"#, BadResource::LoneSurrogate),
        ] {
            assert_eq!(Resource::read(json).unwrap_err(), expected, "{json}");
        }
    }

    #[test]
    fn the_last_of_duplicate_members_wins() {
        let json = r#"{"resourceType":"Patient","id":"1","id":"2","resourceType":"Group","meta":{"versionId":"1"},"meta":{"versionId":"2"}}"#;
        let resource = Resource::read(json).unwrap();
        assert_eq!(resource.identity, Identity { resource_type: "Group".into(), id: "2".into() });
        assert_eq!(resource.meta().version_id.unwrap(), "2");
    }

    #[test]
    fn members_of_meta_of_the_wrong_type_are_absent() {
        for meta in ["7", "[]", "null", r#"{"versionId":1,"lastUpdated":{},"extension":null}"#] {
            let json = format!(r#"{{"resourceType":"Patient","id":"1","meta":{meta}}}"#);
            let read = Resource::read(&json).unwrap();
            let meta = read.meta();
            assert!(meta.version_id.is_none() && meta.last_updated.is_none() && meta.extension.is_none(), "{json}");
        }
    }

    #[test]
    fn the_first_tenant_extension_names_the_organization() {
        let extension = |url: &str, value: &str| format!(r#"{{"url":"{url}",{value}}}"#);
        let to = |reference: &str| extension(TENANT, &format!(r#""valueReference":{{"reference":"{reference}"}}"#));
        let among = |extensions: &[String]| organization(&format!(r#"{{"extension":[{}]}}"#, extensions.join(",")));

        assert_eq!(among(&[to("Organization/a")]).unwrap(), "Organization/a");
        assert_eq!(among(&[to("http://h/fhir/Organization/a/_history/2")]).unwrap(), "Organization/a");
        assert_eq!(among(&[to("Organization/a"), to("Organization/b")]).unwrap(), "Organization/a");
        let other = extension("ex:createdAt", r#""valueInstant":"2024-10-03T10:07:42Z""#);
        assert_eq!(among(&[other.clone(), "7".into(), to("Organization/b")]).unwrap(), "Organization/b");
        assert_eq!(among(&[other]), None);
        assert_eq!(among(&[to("Patient/a")]).unwrap(), "unreadable");
        assert_eq!(among(&[extension(TENANT, r#""valueString":"a""#), to("Organization/b")]).unwrap(), "unreadable");
        assert_eq!(organization("{}"), None);
        assert_eq!(organization(r#"{"extension":{}}"#), None);
    }

    #[test]
    fn the_patient_is_the_first_member_that_references_one() {
        assert_eq!(patient_of(r#""subject":{"reference":"Patient/p"}"#).unwrap(), "p");
        assert_eq!(patient_of(r#""for":{"reference":"http://h/fhir/Patient/p/_history/1"}"#).unwrap(), "p");
        assert_eq!(patient_of(r#""patient":{"reference":"Patient\/p"}"#).unwrap(), "p");
        for member in ["beneficiary", "individual"] {
            assert_eq!(patient_of(&format!(r#""{member}":{{"reference":"Patient/p"}}"#)).unwrap(), "p");
        }
        assert_eq!(
            patient_of(r#""patient":{"reference":"Patient/second"},"subject":{"reference":"Patient/first"}"#).unwrap(),
            "first"
        );
        assert_eq!(
            patient_of(r#""subject":{"reference":"Group/g"},"patient":{"reference":"Patient/p"}"#).unwrap(),
            "p"
        );
        assert_eq!(patient_of(r#""subject":[{"reference":"Group/g"},{"reference":"Patient/p"}]"#).unwrap(), "p");
        for none in [
            r#""subject":{"reference":"urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"}"#,
            r##""subject":{"reference":"#p"}"##,
            r#""subject":{"identifier":{"value":"1"}}"#,
            r#""subject":null"#,
            r#""performer":{"reference":"Patient/p"}"#,
        ] {
            assert_eq!(patient_of(none), None, "{none}");
        }
    }

    #[test]
    fn a_patient_is_its_own_patient() {
        let resource = Resource::read(r#"{"resourceType":"Patient","id":"p"}"#).unwrap();
        assert_eq!(resource.patient_id().unwrap(), "p");
    }
}
