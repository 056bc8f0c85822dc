//! What the demo needs to know from topics.yaml: names of Kafka topics and destinations, nothing more.
//!
//! Read without the service's own configuration code, so that the check at the end does not rest on what it checks.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context;
use saphyr::{LoadableYamlNode, Yaml};

/// The Kafka topics of a topics.yaml.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    /// The first ingest Kafka topic.
    pub(super) ingest: String,
    /// The Kafka topic of the dead letters.
    pub(super) dead_letters: String,
    /// Destinations in their order.
    pub(super) destinations: Vec<Destination>,
}

/// A destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Destination {
    /// Its id.
    pub(super) id: String,
    /// Its Kafka topic.
    pub(super) kafka_topic: String,
}

impl Layout {
    /// Reads a topics.yaml.
    ///
    /// # Errors
    /// When the file is not there or lacks what every topics.yaml has.
    pub(super) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("{} is no topics.yaml that the demo can run", path.display()))
    }

    /// The Kafka topics of the destinations, each once.
    pub(super) fn kafka_topics(&self) -> Vec<String> {
        let names: BTreeSet<&String> = self.destinations.iter().map(|destination| &destination.kafka_topic).collect();
        names.into_iter().cloned().collect()
    }

    /// All Kafka topics: ingest, dead letters, destinations.
    pub(super) fn all_kafka_topics(&self) -> Vec<String> {
        let mut names = self.kafka_topics();
        names.extend([self.ingest.clone(), self.dead_letters.clone()]);
        names
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let documents = Yaml::load_from_str(text)?;
        let root = documents.first().context("it is empty")?;
        let ingest = root.as_mapping_get("ingest").and_then(|list| list.as_sequence_get(0)).context("no ingest")?;
        let destinations =
            root.as_mapping_get("destinations").and_then(Yaml::as_sequence).context("no destinations")?;
        let destinations = destinations.iter().map(|destination| {
            Ok(Destination { id: text_of(destination, "id")?, kafka_topic: text_of(destination, "kafkaTopic")? })
        });
        Ok(Self {
            ingest: text_of(ingest, "kafkaTopic")?,
            dead_letters: text_of(root.as_mapping_get("deadLetter").context("no deadLetter")?, "kafkaTopic")?,
            destinations: destinations.collect::<anyhow::Result<_>>()?,
        })
    }
}

fn text_of(yaml: &Yaml<'_>, name: &str) -> anyhow::Result<String> {
    let value = yaml.as_mapping_get(name).and_then(Yaml::as_str);
    Ok(value.with_context(|| format!("no {name}"))?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found() {
        let text = "ingest:\n  - kafkaTopic: in\n    format: change\ndeadLetter: { kafkaTopic: dead }\ndestinations:\n  - id: a\n    kafkaTopic: out\n";
        let layout = Layout::parse(text).expect("it is complete");
        assert_eq!((layout.ingest.as_str(), layout.dead_letters.as_str()), ("in", "dead"));
        assert_eq!(layout.destinations, [Destination { id: "a".to_owned(), kafka_topic: "out".to_owned() }]);
        assert!(Layout::parse("ingest: []").is_err());
    }
}
