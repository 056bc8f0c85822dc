//! What the formats accept, what they refuse, and in which order events come.
#![allow(clippy::unwrap_used, reason = "a panic is the failure of a test")]

use proptest::prelude::*;

use crate::domain::event::{FhirRelease, Interaction, ResourceEvent};
use crate::domain::plan::IngestFormat;
use crate::domain::resource::{BadResource, ClaimedOrganization};
use crate::domain::source::{SourceHeader, SourceRecord};
use crate::domain::testing::{ingest, record};

use super::{Undecodable, decode};

mod bundles;
mod published;

const PATIENT: &str = r#"{"resourceType":"Patient","id":"1"}"#;

fn change(value: &str) -> Result<ResourceEvent<'_>, Undecodable> {
    let events = decode(&ingest("changes", IngestFormat::Change), &record("changes", value))?;
    assert_eq!(events.len(), 1);
    Ok(events.into_iter().next().unwrap())
}

fn fhir<'a>(
    key: Option<&'a str>,
    headers: &[(&'a str, Option<&'a str>)],
    value: Option<&'a str>,
) -> Result<ResourceEvent<'a>, Undecodable> {
    let header = |(name, value): &(&'a str, Option<&'a str>)| SourceHeader { name, value: value.map(str::as_bytes) };
    let record = SourceRecord {
        key: key.map(str::as_bytes),
        value: value.map(str::as_bytes),
        headers: headers.iter().map(header).collect(),
        ..record("resources", "")
    };
    let events = decode(&ingest("resources", IngestFormat::Fhir), &record)?;
    assert_eq!(events.len(), 1);
    Ok(events.into_iter().next().unwrap())
}

fn nested(levels: usize) -> String {
    // The resource's own braces are one level.
    let inner = "[".repeat(levels - 1) + &"]".repeat(levels - 1);
    format!(r#"{{"resourceType":"Patient","id":"1","x":{inner}}}"#)
}

fn identity(event: &ResourceEvent<'_>) -> String {
    format!("{}/{}", event.identity.resource_type, event.identity.id)
}

#[test]
fn a_change_tells_everything() {
    let event = change(
        r#"{"interaction":"update","resource":{"resourceType":"Patient","id":"1","v":2},"previous":{"resourceType":"Patient","id":"1","v":1},
            "timestamp":"2024-10-03T10:07:55Z","organization":{"reference":"Organization/a"},"fhirRelease":"R5","other":[{}]}"#,
    )
    .unwrap();
    assert_eq!(event.interaction, Interaction::Update);
    assert!(!event.interaction_inferred);
    assert_eq!(identity(&event), "Patient/1");
    assert_eq!(event.focus.unwrap().json(), r#"{"resourceType":"Patient","id":"1","v":2}"#);
    assert_eq!(event.previous.unwrap().text(), r#"{"resourceType":"Patient","id":"1","v":1}"#);
    assert_eq!(event.timestamp.as_deref(), Some("2024-10-03T10:07:55Z"));
    assert_eq!(event.organization, Some(ClaimedOrganization::Reference("Organization/a".into())));
    assert_eq!(event.fhir_release, Some(FhirRelease::R5));
}

#[test]
fn null_members_of_a_change_are_absent() {
    let event = change(&format!(
        r#"{{"interaction":"update","resource":{PATIENT},"previous":null,"reference":null,"timestamp":null,"organization":null,"fhirRelease":null}}"#
    ))
    .map(|event| (event.previous.is_none(), event.timestamp.is_none(), event.organization.is_none(), event.fhir_release));
    assert_eq!(event, Ok((true, true, true, None)));
}

#[test]
fn previous_on_a_create_is_ignored_whatever_it_is() {
    for previous in ["7", r#"{"resourceType":"Group","id":"9"}"#, PATIENT] {
        let value = format!(r#"{{"interaction":"create","resource":{PATIENT},"previous":{previous}}}"#);
        assert!(change(&value).unwrap().previous.is_none(), "{previous}");
    }
}

#[test]
fn the_last_of_duplicate_members_counts_in_envelope_and_resource() {
    let value = r#"{"interaction":"create","resource":{"resourceType":"Patient","id":"0"},"interaction":"update",
        "resource":{"resourceType":"Patient","id":"1","id":"2"}}"#;
    let event = change(value).unwrap();
    assert_eq!((event.interaction, identity(&event)), (Interaction::Update, "Patient/2".to_owned()));
    let nulled = format!(r#"{{"interaction":"update","resource":{PATIENT},"resource":null}}"#);
    assert_eq!(change(&nulled).unwrap_err(), Undecodable::NoResource);
}

#[test]
fn a_deletes_state_stands_in_resource_or_previous() {
    let state = |members: &str| {
        let value = format!(r#"{{"interaction":"delete",{members}}}"#);
        change(&value).map(|event| (identity(&event), event.focus.map(|focus| focus.json().to_owned())))
    };
    let (r, p) = (r#"{"resourceType":"Patient","id":"r"}"#, r#"{"resourceType":"Patient","id":"p"}"#);
    let of = |id: &str, json: &str| Ok((format!("Patient/{id}"), Some(json.to_owned())));
    assert_eq!(state(&format!(r#""resource":{r},"previous":{p}"#)), of("r", r), "the first wins");
    assert_eq!(state(&format!(r#""resource":null,"previous":{p}"#)), of("p", p));
    assert_eq!(state(&format!(r#""resource":{r},"reference":"Patient/r/_history/2""#)), of("r", r));
    for reference in [r#""Patient/1""#, r#""http://h/fhir/Patient/1/_history/3""#, r#"{"reference":"Patient\/1"}"#] {
        assert_eq!(state(&format!(r#""reference":{reference}"#)), Ok(("Patient/1".to_owned(), None)), "{reference}");
    }
    assert_eq!(state(&format!(r#""resource":{r},"reference":"Patient/other""#)), Err(Undecodable::TwoDeleted));
    for nothing in [r#""x":1"#, r#""reference":"urn:uuid:1""#, r#""reference":"Patient?name=x""#, r#""reference":7"#] {
        assert_eq!(state(nothing), Err(Undecodable::NothingDeleted), "{nothing}");
    }
}

#[test]
fn changes_that_are_refused() {
    let with = |members: &str| format!("{{{members}}}");
    let update = |resource: &str| with(&format!(r#""interaction":"update","resource":{resource}"#));
    let previous =
        |previous: &str| with(&format!(r#""interaction":"update","resource":{PATIENT},"previous":{previous}"#));
    for (value, expected) in [
        (with(""), Undecodable::Interaction),
        (with(&format!(r#""resource":{PATIENT}"#)), Undecodable::Interaction),
        (with(&format!(r#""interaction":"Update","resource":{PATIENT}"#)), Undecodable::Interaction),
        (with(&format!(r#""interaction":"patch","resource":{PATIENT}"#)), Undecodable::Interaction),
        (with(&format!(r#""interaction":1,"resource":{PATIENT}"#)), Undecodable::Interaction),
        (with(r#""interaction":"create""#), Undecodable::NoResource),
        (with(r#""interaction":"update","resource":null"#), Undecodable::NoResource),
        (update("[]"), BadResource::NotAnObject.into()),
        (update("\"Patient/1\""), BadResource::NotAnObject.into()),
        (update(r#"{"id":"1"}"#), BadResource::Type.into()),
        (update(r#"{"resourceType":"Patient"}"#), BadResource::Id.into()),
        (update(&nested(129)), BadResource::TooDeep.into()),
        (update(&nested(100_000)), BadResource::TooDeep.into()),
        (update(r#"{"resourceType":"Patient","id":"1","x":["\udc00"]}"#), BadResource::LoneSurrogate.into()),
        (
            previous(r#"{"resourceType":"Patient","id":"1","x":"\ud800"}"#),
            Undecodable::BadPrevious(BadResource::LoneSurrogate),
        ),
        (previous(&nested(129)), Undecodable::BadPrevious(BadResource::TooDeep)),
        (previous("{}"), Undecodable::BadPrevious(BadResource::Type)),
        (previous(r#"{"resourceType":"Patient","id":"2"}"#), Undecodable::OtherPrevious),
        (previous(r#"{"resourceType":"Group","id":"1"}"#), Undecodable::OtherPrevious),
        (with(&format!(r#""interaction":"update","resource":{PATIENT},"fhirRelease":"R9""#)), Undecodable::FhirRelease),
        (with(&format!(r#""interaction":"update","resource":{PATIENT},"fhirRelease":4"#)), Undecodable::FhirRelease),
    ] {
        let shown = value.get(..200).unwrap_or(&value);
        assert_eq!(change(&value).unwrap_err(), expected, "{shown}");
    }
}

#[test]
fn the_deepest_accepted_resource_and_deep_strangers_pass() {
    assert!(change(&format!(r#"{{"interaction":"update","resource":{0},"previous":{0}}}"#, nested(128))).is_ok());
    assert!(fhir(None, &[], Some(&nested(128))).is_ok());
    // What the envelope carries beside its members is not looked at.
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    assert!(change(&format!(r#"{{"interaction":"update","resource":{PATIENT},"x":{deep}}}"#)).is_ok());
}

#[test]
fn values_that_are_no_text_or_no_json() {
    for format in [IngestFormat::Change, IngestFormat::Fhir, IngestFormat::Bundle] {
        let ingest = ingest("k", format);
        let of = |value: Option<&[u8]>| {
            let record = SourceRecord { value, ..record("k", "") };
            decode(&ingest, &record).map(drop).unwrap_err()
        };
        if format != IngestFormat::Fhir {
            assert_eq!(of(None), Undecodable::NoValue);
            assert_eq!(of(Some(b"")), Undecodable::Blank);
        }
        for blank in [b" ".as_slice(), b"\r\n\t ", b"\xef\xbb\xbf", b"\xef\xbb\xbf \n"] {
            assert_eq!(of(Some(blank)), Undecodable::Blank, "{format:?} {blank:?}");
        }
        for bytes in [b"\xff\xfe".as_slice(), b"{\"a\":\"\xc3\"}", b"{\"a\":\"\xed\xa0\x80\"}"] {
            assert_eq!(of(Some(bytes)), Undecodable::NotUtf8, "{format:?} {bytes:?}");
        }
        for text in [
            "null",
            "7",
            "[]",
            "{",
            "{}x",
            "{} {}",
            "{\"a\":1,}",
            "{\"a\":\u{1}}",
            "{\"a\":\"\n\"}",
            "\u{feff}\u{feff}{}",
        ] {
            assert!(matches!(of(Some(text.as_bytes())), Undecodable::NotAnObject { .. }), "{format:?} {text:?}");
        }
    }
}

#[test]
fn faults_tell_their_place_and_never_what_stands_there() {
    let error = change("{\"interaction\":\"update\",\n \"resource\":{\"name\":\"Secret\" \"Person\"}}").unwrap_err();
    assert_eq!(error, Undecodable::NotAnObject { line: 2, column: 30 });
    assert_eq!(error.to_string(), "the value is not one JSON object: line 2, column 30");
}

#[test]
fn a_bare_resources_interaction_is_told_or_inferred() {
    let v1 = r#"{"resourceType":"Patient","id":"1","meta":{"versionId":"1"}}"#;
    let of = |headers: &[(&str, Option<&str>)], value| {
        fhir(Some("k"), headers, Some(value)).map(|event| (event.interaction, event.interaction_inferred))
    };
    for (code, interaction) in [
        ("create", Interaction::Create),
        ("update", Interaction::Update),
        ("delete", Interaction::Delete),
        ("POST", Interaction::Create),
        ("PUT", Interaction::Update),
        ("PATCH", Interaction::Update),
        ("DELETE", Interaction::Delete),
    ] {
        assert_eq!(of(&[("interaction", Some(code))], v1), Ok((interaction, false)));
    }
    assert_eq!(
        of(&[("interaction", Some("update")), ("interaction", Some("create"))], PATIENT),
        Ok((Interaction::Create, false))
    );
    assert_eq!(of(&[], v1), Ok((Interaction::Create, false)));
    assert_eq!(of(&[("interaction", None)], v1), Ok((Interaction::Create, false)));
    assert_eq!(of(&[("Interaction", Some("delete"))], PATIENT), Ok((Interaction::Update, true)));
    assert_eq!(
        of(&[], r#"{"resourceType":"Patient","id":"1","meta":{"versionId":1}}"#),
        Ok((Interaction::Update, true))
    );
    assert_eq!(of(&[("interaction", Some("read"))], PATIENT), Err(Undecodable::Interaction));
}

#[test]
fn a_tombstone_is_a_delete_of_its_key() {
    for value in [None, Some("")] {
        let event = fhir(Some("Patient/1"), &[], value).unwrap();
        assert_eq!((event.interaction, identity(&event)), (Interaction::Delete, "Patient/1".to_owned()));
        assert!(event.focus.is_none() && !event.interaction_inferred);
        for key in
            [None, Some(""), Some("1"), Some("Patient"), Some("Patient/"), Some("Patient/1/_history/2"), Some("a/1")]
        {
            assert_eq!(fhir(key, &[], value).unwrap_err(), Undecodable::NothingDeleted, "{key:?}");
        }
    }
}

/// Texts that are near to being events.
fn near_events() -> impl Strategy<Value = Vec<u8>> {
    let seeds = prop::sample::select(vec![
        format!(r#"{{"interaction":"update","resource":{PATIENT},"previous":{PATIENT},"timestamp":"2024-10-03T10:07:55Z","organization":"Organization/a","reference":"Patient/1"}}"#),
        r#"{"resourceType":"Patient","id":"1","meta":{"versionId":"1","extension":[{"url":"x"}]},"subject":[{"reference":"Patient\/1"}],"x":"\ud83d\ude00"}"#.to_owned(),
        r#"{"resourceType":"Bundle","type":"history","entry":[{"fullUrl":"http://h/Patient/1","resource":{"resourceType":"Patient","id":"1"},"request":{"method":"PUT","url":"Patient/1"},"response":{"status":"201 Created","location":"Patient/1/_history/1"}},{"request":{"method":"DELETE","url":"Patient/2"}}]}"#.to_owned(),
    ]);
    let edits = prop::collection::vec((any::<prop::sample::Index>(), 0..3_u8, any::<u8>()), 0..6);
    (seeds, edits).prop_map(|(seed, edits)| {
        let mut bytes = seed.into_bytes();
        for (index, kind, byte) in edits {
            let position = index.index(bytes.len());
            match kind {
                0 => bytes[position] = byte,
                1 => bytes.insert(position, b"{}[]\",:\\u0dn"[usize::from(byte) % 12]),
                _ => bytes.truncate(position.max(1)),
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn nothing_panics_and_what_is_taken_is_whole(value in prop_oneof![any::<Vec<u8>>(), near_events()], key in any::<Option<Vec<u8>>>()) {
        for format in [IngestFormat::Change, IngestFormat::Fhir, IngestFormat::Bundle] {
            let record = SourceRecord { value: Some(&value), key: key.as_deref(), ..record("k", "") };
            for event in decode(&ingest("k", format), &record).unwrap_or_default() {
                prop_assert!(!event.identity.id.is_empty());
                prop_assert!(event.focus.is_some() || event.interaction == Interaction::Delete);
                if let Some(focus) = event.focus {
                    // Only a number out of every range can be in the way.
                    if let Ok(built) = crate::domain::json::value(focus.json()) {
                        prop_assert_eq!(built["id"].as_str(), Some(event.identity.id.as_ref()));
                    }
                    let _ = (focus.patient_id(), focus.organization("x"));
                }
            }
        }
    }
}
