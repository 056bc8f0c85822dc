//! The notification Bundle: spliced from prepared parts around the resource's own bytes.
//!
//! ```text
//! {"resourceType":"Bundle","id":ID,"type":"history","timestamp":TIME,"entry":[
//!   {"resource":{"resourceType":"AidboxSubscriptionStatus",...,"notificationEvent":[{"eventNumber":1,"focus":FOCUS}],
//!                "topic":...,"topic-destination":...}},             <- prepared once per destination
//!   {"resource":BYTES OF THE RECORD,"fullUrl":...,"request":...}     <- not for `empty`; BYTES only for full-resource
//! ]}
//! ```
//!
//! Nothing is parsed or written anew: the resource's bytes are copied as they stand. The same event and destination give
//! the same bytes, always, the id included: see `BundleIds`.

use sha1::{Digest as _, Sha1};
use uuid::{Uuid, uuid};

use super::event::Interaction;
use super::plan::{Content, Destination, Topic};
use super::reference::Identity;
use super::source::SourceRecord;

/// The namespace of every Bundle id; part of the format, never to be changed.
const NAMESPACE: Uuid = uuid!("20b2bad2-6532-4683-82a7-29090c75f4eb");

/// The ids of one event's notifications, one for each destination, the same at every replay.
///
/// UUIDv5 in the project's namespace of: the source Kafka topic's length in bytes (4 bytes), its name, the partition (4), the
/// offset (8), the event's index in the record (4), the destination's id. Numbers are big-endian. The length in front
/// and the fixed widths leave only one way to read a name, so that two notifications never share one.
#[derive(Debug, Clone)]
pub(crate) struct BundleIds {
    /// Of everything in front of the destination's id.
    hash: Sha1,
}

impl BundleIds {
    pub(crate) fn new(record: &SourceRecord<'_>, event_index: u32) -> Self {
        let mut hash = Sha1::new();
        hash.update(NAMESPACE.as_bytes());
        // A Kafka topic's name has at most 249 bytes.
        hash.update(u32::try_from(record.kafka_topic.len()).unwrap_or(u32::MAX).to_be_bytes());
        hash.update(record.kafka_topic.as_bytes());
        hash.update(record.partition.to_be_bytes());
        hash.update(record.offset.to_be_bytes());
        hash.update(event_index.to_be_bytes());
        Self { hash }
    }

    /// For this destination.
    pub(crate) fn of(&self, destination_id: &str) -> Uuid {
        let digest = self.hash.clone().chain_update(destination_id.as_bytes()).finalize();
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&digest[..16]);
        uuid::Builder::from_sha1_bytes(bytes).into_uuid()
    }
}

impl Default for BundleIds {
    fn default() -> Self {
        Self { hash: Sha1::new() }
    }
}

/// What is the same in every notification of a destination.
#[derive(Debug)]
pub(crate) struct DestinationParts {
    /// From the end of `notificationEvent` to the end of the status entry.
    status_end: Vec<u8>,
}

impl DestinationParts {
    pub(crate) fn new(topic: &Topic, destination: &Destination) -> Self {
        let mut status_end = Vec::new();
        status_end.extend_from_slice(br#"}],"topic":"#);
        write_string(&mut status_end, &topic.url);
        status_end.extend_from_slice(br#","topic-destination":{"reference":"#);
        write_string(&mut status_end, &format!("AidboxTopicDestination/{}", destination.id));
        status_end.extend_from_slice(b"}}}");
        Self { status_end }
    }
}

/// Where the FHIR server of the resources is: what `fullUrl` and `request.url` begin with.
#[derive(Debug)]
pub(crate) struct BaseUrl {
    full: String,
    path: String,
}

impl BaseUrl {
    /// An empty base leaves relative URLs.
    pub(crate) fn new(fhir_base_url: &str) -> Self {
        let base = fhir_base_url.trim_end_matches('/');
        let full = if base.is_empty() { String::new() } else { format!("{base}/") };
        let path = match base.split_once("://") {
            Some((_, rest)) => rest.find('/').map_or("", |start| &rest[start..]),
            None => base,
        };
        Self { full, path: path.to_owned() }
    }
}

/// What is the same in every notification of an event.
#[derive(Debug, Default)]
pub(crate) struct EventParts {
    /// `Type/id`.
    pub(crate) focus: String,
    /// `focus` as a JSON string.
    focus_json: Vec<u8>,
    /// From `fullUrl` to the end of the resource entry.
    entry_end: Vec<u8>,
    url: String,
}

impl EventParts {
    /// Makes the parts of another event.
    pub(crate) fn set(&mut self, base: &BaseUrl, interaction: Interaction, identity: &Identity<'_>) {
        let Identity { resource_type, id } = identity;
        overwrite(&mut self.focus, &[resource_type, "/", id]);
        self.focus_json.clear();
        write_string(&mut self.focus_json, &self.focus);

        self.entry_end.clear();
        self.entry_end.extend_from_slice(br#""fullUrl":"#);
        overwrite(&mut self.url, &[&base.full, &self.focus]);
        write_string(&mut self.entry_end, &self.url);
        let (method, target) = match interaction {
            Interaction::Create => ("POST", resource_type.as_ref()),
            Interaction::Update => ("PUT", self.focus.as_str()),
            Interaction::Delete => ("DELETE", self.focus.as_str()),
        };
        self.entry_end.extend_from_slice(br#","request":{"method":""#);
        self.entry_end.extend_from_slice(method.as_bytes());
        self.entry_end.extend_from_slice(br#"","url":"#);
        overwrite(&mut self.url, &[&base.path, "/", target]);
        write_string(&mut self.entry_end, &self.url);
        self.entry_end.extend_from_slice(b"}}");
    }
}

/// Writes the Bundle over what `out` holds. `resource` is the text of a created or updated resource.
pub(crate) fn write_bundle(
    out: &mut Vec<u8>,
    id: Uuid,
    time: Option<&str>,
    content: Content,
    event: &EventParts,
    destination: &DestinationParts,
    resource: Option<&str>,
) {
    out.clear();
    out.extend_from_slice(br#"{"resourceType":"Bundle","id":""#);
    out.extend_from_slice(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()).as_bytes());
    out.extend_from_slice(br#"","type":"history""#);
    if let Some(time) = time {
        // An instant has no characters that JSON escapes.
        out.extend_from_slice(br#","timestamp":""#);
        out.extend_from_slice(time.as_bytes());
        out.push(b'"');
    }
    out.extend_from_slice(br#","entry":[{"resource":{"resourceType":"AidboxSubscriptionStatus","status":"active","#);
    out.extend_from_slice(br#""type":"event-notification","notificationEvent":[{"eventNumber":1"#);
    if content != Content::Empty {
        out.extend_from_slice(br#","focus":{"reference":"#);
        out.extend_from_slice(&event.focus_json);
        out.push(b'}');
    }
    out.extend_from_slice(&destination.status_end);
    if content != Content::Empty {
        out.extend_from_slice(b",{");
        if let Some(resource) = resource.filter(|_| content == Content::FullResource) {
            out.extend_from_slice(br#""resource":"#);
            out.extend_from_slice(resource.as_bytes());
            out.push(b',');
        }
        out.extend_from_slice(&event.entry_end);
    }
    out.extend_from_slice(b"]}");
}

fn overwrite(out: &mut String, parts: &[&str]) {
    out.clear();
    for part in parts {
        out.push_str(part);
    }
}

/// Writes a JSON string, escaped and in quotes.
fn write_string(out: &mut Vec<u8>, text: &str) {
    // Looks at all bytes in any case, so that several are looked at at once.
    let is_escaped = |byte: u8| byte < b' ' || byte == b'"' || byte == b'\\';
    if !text.bytes().fold(false, |found, byte| found | is_escaped(byte)) {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
        return;
    }
    serde_json::to_writer(out, text).expect("a string can be written to memory");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(kafka_topic: &str, partition: i32, offset: i64, event_index: u32, destination: &str) -> String {
        let (timestamp_ms, key, value, headers) = (None, None, None, Vec::new());
        let record = SourceRecord { kafka_topic, partition, offset, timestamp_ms, key, value, headers };
        BundleIds::new(&record, event_index).of(destination).to_string()
    }

    #[test]
    fn ids_never_change() {
        insta::assert_snapshot!(id("fhir.changes", 3, 1_234_567_890_123, 0, "kafka-destination"));
    }

    #[test]
    fn ids_are_those_of_the_specification() {
        let mut name = 12_u32.to_be_bytes().to_vec();
        name.extend_from_slice(b"fhir.changes");
        name.extend_from_slice(&3_i32.to_be_bytes());
        name.extend_from_slice(&77_i64.to_be_bytes());
        name.extend_from_slice(&5_u32.to_be_bytes());
        name.extend_from_slice(b"kafka-destination");
        assert_eq!(id("fhir.changes", 3, 77, 5, "kafka-destination"), Uuid::new_v5(&NAMESPACE, &name).to_string());
    }

    #[test]
    fn strings_are_escaped_where_they_must_be() {
        for text in ["", "Type/id", "é“", "a\"b", "a\\b", "a\nb", "\u{1}", "\u{7f}"] {
            let mut out = Vec::new();
            write_string(&mut out, text);
            assert_eq!(String::from_utf8(out).ok(), serde_json::to_string(text).ok(), "{text:?}");
        }
    }

    #[test]
    fn every_part_of_the_origin_makes_another_id() {
        let ids = [
            id("a", 0, 0, 0, "d"),
            id("b", 0, 0, 0, "d"),
            id("a", 1, 0, 0, "d"),
            id("a", 0, 1, 0, "d"),
            id("a", 0, 0, 1, "d"),
            id("a", 0, 0, 0, "e"),
            id("ad", 0, 0, 0, ""),
            id("", 0, 0, 0, "ad"),
        ];
        let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len());
    }

    #[test]
    fn the_path_of_the_base_url_begins_request_urls() {
        for (base, path) in [
            ("http://fhir.example.org/fhir", "/fhir"),
            ("http://fhir.example.org/fhir/", "/fhir"),
            ("http://fhir.example.org:8080/a/b", "/a/b"),
            ("http://fhir.example.org", ""),
            ("", ""),
        ] {
            assert_eq!(BaseUrl::new(base).path, path, "{base}");
        }
    }
}
