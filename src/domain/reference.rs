//! Literal references: `Type/id`, and the longer forms that are reduced to it.

use std::borrow::Cow;

/// The type and id of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity<'a> {
    /// The resource type's name.
    pub resource_type: Cow<'a, str>,
    /// The logical id.
    pub id: Cow<'a, str>,
}

impl Identity<'_> {
    /// Reads `Type/id`, and nothing longer.
    #[must_use]
    pub fn parse(text: &str) -> Option<Identity<'_>> {
        let (resource_type, id) = text.split_once('/')?;
        (is_type_name(resource_type) && is_id(id))
            .then_some(Identity { resource_type: resource_type.into(), id: id.into() })
    }

    /// Detached from the text it was read from.
    #[must_use]
    pub fn into_owned(self) -> Identity<'static> {
        Identity { resource_type: self.resource_type.into_owned().into(), id: self.id.into_owned().into() }
    }
}

/// Whether this can be the name of a resource type: `[A-Z][A-Za-z]+`. Releases to come bring new ones.
#[must_use]
pub fn is_type_name(text: &str) -> bool {
    text.len() > 1
        && text.starts_with(|first: char| first.is_ascii_uppercase())
        && text.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// Whether this can be an id: not empty, and free of what would break references, keys and headers. FHIR itself is
/// stricter; servers are not always.
#[must_use]
pub fn is_id(text: &str) -> bool {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
    let is_bad = |char: char| char == '/' || char.is_control() || char.is_whitespace();
    !text.is_empty() && (is_plain || !text.chars().any(is_bad))
}

/// Reduces a literal reference to its `Type/id`: relative as it is, absolute and versioned ones cut. `None` for
/// everything else: `urn:`, `#contained`, conditional references, text.
#[must_use]
pub fn reduce(reference: &str) -> Option<&str> {
    let path = without_version(reference)?;
    match path.split_once("://") {
        // Scheme and authority are no part of the path: `http://Host/x` names no resource of type Host.
        Some((_, rest)) => last_two_segments(rest.split_once('/')?.1),
        None => last_two_segments(path).filter(|reduced| reduced.len() == path.len()),
    }
}

/// Reduces the `request.url` of a Bundle entry; like [`reduce`], and also from a path such as `/fhir/Type/id`.
#[must_use]
pub fn reduce_request_url(url: &str) -> Option<&str> {
    reduce(url).or_else(|| last_two_segments(without_version(url)?.strip_prefix('/')?))
}

/// [`reduce`] for a text that may have been unescaped.
#[must_use]
pub fn reduce_text(reference: Cow<'_, str>) -> Option<Cow<'_, str>> {
    match reference {
        Cow::Borrowed(text) => reduce(text).map(Cow::Borrowed),
        Cow::Owned(text) => reduce(&text).map(|reduced| Cow::Owned(reduced.to_owned())),
    }
}

fn without_version(reference: &str) -> Option<&str> {
    if reference.contains('?') {
        return None;
    }
    let path = reference.split('#').next()?;
    // Few ids have an underscore, and looking for one byte costs little.
    let version = if path.contains('_') { path.find("/_history") } else { None };
    Some(version.map_or(path, |end| &path[..end]))
}

fn last_two_segments(path: &str) -> Option<&str> {
    let (before, id) = path.rsplit_once('/')?;
    let start = before.rfind('/').map_or(0, |slash| slash + 1);
    (is_type_name(&before[start..]) && is_id(id)).then(|| &path[start..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_reduced_to_type_and_id() {
        for reference in [
            "Organization/b",
            "Organization/b/_history/3",
            "http://fhir.example.org/fhir/Organization/b",
            "https://fhir.example.org/Organization/b/_history/3",
            "http://fhir.example.org:8080/a/b/Organization/b#part",
        ] {
            assert_eq!(reduce(reference), Some("Organization/b"), "{reference}");
        }
    }

    #[test]
    fn what_names_no_resource_is_not_reduced() {
        for reference in [
            "",
            "b",
            "Organization",
            "Organization/",
            "/b",
            "organization/b",
            "fhir/Organization/b",
            "#Organization/b",
            "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0",
            "Organization?identifier=x|1",
            "http://h/fhir/Organization?identifier=x/1",
            "http://Host/x",
            "Organization/a b",
            "Organization/a\u{7}",
        ] {
            assert_eq!(reduce(reference), None, "{reference}");
        }
    }

    #[test]
    fn request_urls_may_be_paths() {
        assert_eq!(reduce_request_url("/fhir/Patient/1"), Some("Patient/1"));
        assert_eq!(reduce_request_url("/Patient/1/_history/2"), Some("Patient/1"));
        assert_eq!(reduce_request_url("Patient/1"), Some("Patient/1"));
        assert_eq!(reduce_request_url("Patient?identifier=1"), None);
        assert_eq!(reduce_request_url("/fhir/Patient"), None);
    }

    #[test]
    fn identities_are_plain_references_only() {
        let identity = Identity::parse("Patient/a.b-1");
        assert_eq!(identity, Some(Identity { resource_type: "Patient".into(), id: "a.b-1".into() }));
        for text in ["Patient/1/_history/2", "patient/1", "Patient", "P/1", "Patient/"] {
            assert_eq!(Identity::parse(text), None, "{text}");
        }
    }
}
