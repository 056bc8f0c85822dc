//! What is measured: the choice of a workload.

use clap::ValueEnum;

use super::stage::Names;
use super::subject::Subject;
use super::workload::{HospitalEvents, Kind, Record, Workload};

/// Everybody measures the same events.
const SEED: u64 = 6;

/// A workload to choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Source {
    /// Hospital events, 8 topics, 10 destinations, about one output per event.
    W1,
    /// The same events with 1,000 topics, of which as many fire.
    W2,
    /// Synthea's hospital (`FANOUT_FHIR_DATA`) with the topics of w1.
    W3,
}

impl Source {
    /// Its name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::W1 => "w1",
            Self::W2 => "w2",
            Self::W3 => "w3",
        }
    }

    fn kind(self) -> Kind {
        match self {
            Self::W1 | Self::W3 => Kind::W1,
            Self::W2 => Kind::W2,
        }
    }

    /// Ids of its destinations: what their Kafka topics end with.
    pub(super) fn destinations(self) -> Vec<String> {
        let kafka_topics = self.kind().kafka_topics("");
        kafka_topics.iter().map(|name| name.trim_start_matches('.').to_owned()).collect()
    }

    /// How many events are measured when nobody says how many; of a file, all.
    pub(super) fn usual_events(self) -> u64 {
        match self {
            Self::W1 | Self::W2 => 400_000,
            Self::W3 => u64::MAX,
        }
    }

    /// Whether this subject has its topics: the hand-coded program knows those of w1.
    pub(super) fn suits(self, subject: Subject) -> bool {
        self != Self::W2 || !subject.is_peer()
    }

    /// Its events, from the first on; `None`, said loudly, where they are not there.
    pub(super) fn events(self) -> anyhow::Result<Option<Box<dyn Iterator<Item = anyhow::Result<Record>>>>> {
        Ok(match self {
            Self::W1 | Self::W2 => Some(Box::new(Workload::new(self.kind(), SEED).map(Ok))),
            Self::W3 => HospitalEvents::open()?.map(|events| Box::new(events) as _),
        })
    }

    /// The service's topics file.
    pub(super) fn topics(self, names: &Names) -> String {
        self.kind().topics_yaml(&names.prefix, &names.ingest, &names.dead_letters)
    }
}
