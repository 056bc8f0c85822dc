//! Whether outputs flow, as a `read_committed` reader sees it.
//!
//! After a fault the number of the next event to be published is the mark. Outputs flow again when every ingest partition
//! and every partition of every destination has shown an output of an event from the mark on: what was on its way
//! before the fault proves nothing.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Told by the reader, asked by whoever made the fault.
pub(super) struct Flow {
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    mark: u32,
    /// When each lane was reached; the reader's clock.
    sources: Vec<Option<Instant>>,
    outputs: BTreeMap<String, Vec<Option<Instant>>>,
}

impl State {
    fn lanes(&self) -> impl Iterator<Item = Option<Instant>> {
        self.sources.iter().chain(self.outputs.values().flatten()).copied()
    }
}

impl Flow {
    /// With the number of partitions of the ingest and of the Kafka topic of every destination.
    pub(super) fn new(ingest: usize, outputs: &BTreeMap<String, usize>) -> Self {
        let outputs = outputs.iter().map(|(name, partitions)| (name.clone(), vec![None; *partitions])).collect();
        let state = State { mark: 0, sources: vec![None; ingest], outputs };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on only outputs of events with this number or a later one count.
    pub(super) fn arm(&self, mark: u32) {
        let mut state = self.lock();
        state.mark = mark;
        state.sources.fill(None);
        state.outputs.values_mut().for_each(|lanes| lanes.fill(None));
    }

    /// An output of an event was seen.
    pub(super) fn saw(&self, (source, number): (i32, u32), kafka_topic: &str, partition: i32, at: Instant) {
        let mut state = self.lock();
        if number < state.mark {
            return;
        }
        if let Some(lane) = usize::try_from(source).ok().and_then(|index| state.sources.get_mut(index)) {
            lane.get_or_insert(at);
        }
        let lanes = state.outputs.get_mut(kafka_topic);
        let index = usize::try_from(partition).ok();
        if let Some(lane) = lanes.zip(index).and_then(|(lanes, index)| lanes.get_mut(index)) {
            lane.get_or_insert(at);
        }
        drop(state);
        self.changed.notify_all();
    }

    /// Waits until outputs flow everywhere: when the last lane was reached.
    ///
    /// # Errors
    /// When they do not in time, with the lanes that are still dry.
    pub(super) fn wait(&self, within: Duration) -> anyhow::Result<Instant> {
        let is_dry = |state: &mut State| state.lanes().any(|lane| lane.is_none());
        let waited = self.changed.wait_timeout_while(self.lock(), within, is_dry);
        let (state, result) = waited.unwrap_or_else(PoisonError::into_inner);
        anyhow::ensure!(!result.timed_out(), "no outputs for {within:?}: {}", dry(&state));
        state.lanes().flatten().max().ok_or_else(|| anyhow::anyhow!("there is nothing to flow"))
    }
}

fn dry(state: &State) -> String {
    let sources = (0..state.sources.len()).filter(|index| state.sources[*index].is_none());
    let sources = sources.map(|index| format!("ingest:{index}"));
    let outputs = state.outputs.iter().flat_map(|(name, lanes)| {
        (0..lanes.len()).filter(|index| lanes[*index].is_none()).map(move |index| format!("{name}:{index}"))
    });
    sources.chain(outputs).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outputs_flow_when_every_lane_has_shown_an_event_from_the_mark_on() {
        let flow = Flow::new(2, &BTreeMap::from([("to".to_owned(), 1)]));
        let short = Duration::from_millis(1);
        flow.arm(10);
        let start = Instant::now();
        flow.saw((0, 9), "to", 0, start);
        assert!(flow.wait(short).is_err(), "what was on its way before does not count");
        flow.saw((0, 10), "to", 0, start);
        let error = flow.wait(short).expect_err("a partition is still dry");
        assert!(error.to_string().contains("ingest:1") && !error.to_string().contains("to:0"), "{error}");
        let last = start + Duration::from_secs(5);
        flow.saw((1, 11), "to", 0, last);
        assert_eq!(flow.wait(short).expect("all have shown one"), last);
        flow.arm(12);
        assert!(flow.wait(short).is_err());
    }
}
