//! Rules for single names: Kafka topics, ids, URLs, resource types, organization references.

use crate::config::document::nearest;
use crate::domain::fhirpath::{is_resource_type, resource_types};
use crate::domain::plan::ANY_RESOURCE;

/// What is wrong with a name, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) message: String,
    pub(super) hint: String,
}

fn fault<T>(message: impl Into<String>, hint: impl Into<String>) -> Result<T, Fault> {
    Err(Fault { message: message.into(), hint: hint.into() })
}

/// Kafka's own rule for the names of Kafka topics, and its internal Kafka topics kept out.
pub(super) fn kafka_topic(name: &str, shown: &str) -> Result<(), Fault> {
    let legal = |character: char| character.is_ascii_alphanumeric() || "._-".contains(character);
    if !name.chars().all(legal) {
        return fault(format!("illegal Kafka topic name `{shown}`"), illegal_kafka_topic(shown));
    }
    if name.is_empty() || name.len() > 249 {
        return fault(format!("illegal Kafka topic name `{shown}`: it has {} characters", name.len()), "use 1 to 249");
    }
    if name == "." || name == ".." {
        return fault(format!("illegal Kafka topic name `{shown}`"), "`.` and `..` are no names");
    }
    if name == "__consumer_offsets" || name == "__transaction_state" {
        return fault(format!("Kafka topic `{shown}` belongs to Kafka itself"), "choose another Kafka topic");
    }
    Ok(())
}

/// What was probably meant.
fn illegal_kafka_topic(shown: &str) -> String {
    let variable = shown.strip_prefix('$').filter(|name| !name.starts_with('{'));
    match variable {
        Some(name) => format!("an environment variable is written `${{{name}}}`"),
        None if shown.contains(',') => {
            "one Kafka topic stands here; describe a destination or ingest for each".to_owned()
        }
        None if shown.contains(":9") || shown.contains('/') => {
            "write the name of the Kafka topic alone; brokers are a setting of the deployment (kafka.bootstrapServers)"
                .to_owned()
        }
        None => "use ASCII letters, digits, `.`, `_` and `-`".to_owned(),
    }
}

/// The rule of the FHIR type `id`.
pub(super) fn is_fhir_id(id: &str) -> bool {
    let legal = |character: char| character.is_ascii_alphanumeric() || "-.".contains(character);
    (1..=64).contains(&id.len()) && id.chars().all(legal)
}

/// What can stand in references, headers and metrics, though FHIR's rule is stricter: servers, too, are not always.
pub(super) fn is_usable_id(id: &str) -> bool {
    (1..=255).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic() && !b"/#?|\"\\".contains(&byte))
}

/// An absolute http(s) URL without query, fragment or credentials; gives it without slashes at its end.
pub(super) fn base_url(text: &str, shown: &str) -> Result<String, Fault> {
    const HINT: &str = "as in http://fhir.example.org/fhir";
    let host = text.split('/').next().unwrap_or_default();
    if !text.contains("://") && host.contains('.') && format!("http://{text}").parse::<axum::http::Uri>().is_ok() {
        return fault(format!("`{shown}` has no scheme"), format!("did you mean `http://{shown}`?"));
    }
    let Ok(uri) = text.parse::<axum::http::Uri>() else {
        return fault(format!("`{shown}` is no URL"), HINT);
    };
    let is_http = matches!(uri.scheme_str(), Some("http" | "https"));
    if !is_http || uri.host().is_none_or(str::is_empty) {
        return fault(format!("`{shown}` is no absolute http or https URL"), HINT);
    }
    if text.contains(['?', '#']) {
        return fault("the base URL has a query or fragment", "the type and id of a resource are appended to it");
    }
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return fault("the base URL has credentials in it", "it becomes part of every notification; leave them out");
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// A topic's canonical URL: it goes into headers and is compared as it is.
pub(super) fn canonical(text: &str) -> Result<(), Fault> {
    if text.contains(|character: char| character.is_whitespace() || character.is_control()) {
        return fault(
            "a topic's url has blanks in it",
            "it is compared and sent as it stands: write it without blanks",
        );
    }
    Ok(())
}

/// `Organization/id`, from a relative, absolute or versioned reference.
pub(super) fn organization(reference: &str, shown: &str) -> Result<String, Fault> {
    let unversioned = reference.split_once("/_history/").map_or(reference, |(before, _)| before);
    let mut parts = unversioned.rsplit('/');
    let (id, kind) = (parts.next().unwrap_or_default(), parts.next());
    let rest_is_a_base = parts.next().is_none() || unversioned.contains("://");
    match kind {
        Some("Organization") if is_usable_id(id) && rest_is_a_base => Ok(format!("Organization/{id}")),
        None if is_usable_id(id) => fault(
            format!("`{shown}` is no reference to an Organization"),
            format!("did you mean `Organization/{shown}`?"),
        ),
        _ => fault(format!("`{shown}` is no reference to an Organization"), "as in Organization/hospital-a"),
    }
}

const STRUCTURE_DEFINITION: &str = "http://hl7.org/fhir/StructureDefinition/";

/// A trigger's resource: a type name, its StructureDefinition URL, or `Resource`; gives the type name.
pub(super) fn resource_type(text: &str, shown: &str) -> Result<String, Fault> {
    let unversioned = text.split_once('|').map_or(text, |(url, _)| url);
    let is_url = text.contains("://");
    let name = unversioned.strip_prefix(STRUCTURE_DEFINITION).unwrap_or(text);
    if is_url && name == text {
        let hint = format!(
            "name the resource type, or its definition as in {STRUCTURE_DEFINITION}Patient; profiles are not followed"
        );
        return fault(format!("`{shown}` is no definition of a FHIR resource type"), hint);
    }
    if name == ANY_RESOURCE || is_resource_type(name) {
        return Ok(name.to_owned());
    }
    let hint = match nearest(name, resource_types().iter().copied()) {
        _ if ["*", "any", "all", "every"].contains(&name.to_lowercase().as_str()) => {
            format!("write `{ANY_RESOURCE}` for any")
        }
        Some(near) => format!("did you mean `{near}`?"),
        None => "a type of FHIR R4, R4B or R5, or `Resource` for any".to_owned(),
    };
    fault(format!("unknown resource type `{shown}`"), hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kafka_topics_follow_kafkas_rule() {
        for name in ["a", "fhir.changes", "A_b-1.2", "...", &"x".repeat(249)] {
            assert_eq!(kafka_topic(name, name), Ok(()));
        }
        for name in ["", ".", "..", "a b", "a/b", "é", "a:b", &"x".repeat(250), "__consumer_offsets"] {
            assert!(kafka_topic(name, name).is_err(), "{name}");
        }
    }

    #[test]
    fn base_urls_are_absolute_and_lose_their_last_slash() {
        assert_eq!(base_url("http://x/fhir/", "").as_deref(), Ok("http://x/fhir"));
        assert_eq!(base_url("https://x:8080", "").as_deref(), Ok("https://x:8080"));
        for text in [
            "",
            "/fhir",
            "fhir.example.org/fhir",
            "ftp://x/",
            "http://",
            "http:///fhir",
            "http://a b",
            "http://x/?a",
            "http://x/#a",
            "http://u:p@x/",
        ] {
            assert!(base_url(text, text).is_err(), "{text}");
        }
    }

    #[test]
    fn organization_references_are_reduced() {
        for text in [
            "Organization/a",
            "Organization/a/_history/3",
            "http://x/fhir/Organization/a",
            "https://x/Organization/a/_history/1",
        ] {
            assert_eq!(organization(text, text).as_deref(), Ok("Organization/a"), "{text}");
        }
        for text in [
            "a",
            "Patient/a",
            "Organization/",
            "Organization/a b",
            "x/Organization/a",
            "urn:uuid:1",
            "",
            "Organization/a/b",
        ] {
            assert!(organization(text, text).is_err(), "{text}");
        }
        assert_eq!(organization("a", "a").expect_err("no reference").hint, "did you mean `Organization/a`?");
    }

    #[test]
    fn resource_types_may_be_urls() {
        for text in [
            "Patient",
            "http://hl7.org/fhir/StructureDefinition/Patient",
            "http://hl7.org/fhir/StructureDefinition/Patient|4.0.1",
        ] {
            assert_eq!(resource_type(text, text).as_deref(), Ok("Patient"), "{text}");
        }
        assert_eq!(resource_type("Resource", "").as_deref(), Ok("Resource"));
        assert_eq!(resource_type("http://hl7.org/fhir/StructureDefinition/Resource", "").as_deref(), Ok("Resource"));
        assert!(resource_type("http://example.org/StructureDefinition/Patient", "").is_err());
    }
}
