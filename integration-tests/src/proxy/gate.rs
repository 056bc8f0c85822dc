//! What may pass between an instance and one node, and when.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// Which way bytes flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Requests.
    ToBroker,
    /// Responses.
    FromBroker,
}

/// What holds one direction up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Flow {
    cut: bool,
    delay: Duration,
}

#[derive(Debug, Clone, Copy, Default)]
struct State {
    to_broker: Flow,
    from_broker: Flow,
    refusing: bool,
    /// How often all connections were closed.
    resets: u64,
}

impl State {
    fn flow(&mut self, direction: Direction) -> &mut Flow {
        match direction {
            Direction::ToBroker => &mut self.to_broker,
            Direction::FromBroker => &mut self.from_broker,
        }
    }
}

/// The way to one node, open or not. Tests turn it; connections look at it.
#[derive(Debug, Default)]
pub(super) struct Gate {
    state: watch::Sender<State>,
}

impl Gate {
    pub(super) fn cut(&self, direction: Direction) {
        self.state.send_modify(|state| state.flow(direction).cut = true);
    }

    pub(super) fn delay(&self, direction: Direction, delay: Duration) {
        self.state.send_modify(|state| state.flow(direction).delay = delay);
    }

    pub(super) fn reset(&self) {
        self.state.send_modify(|state| state.resets += 1);
    }

    pub(super) fn refuse(&self) {
        self.state.send_modify(|state| {
            state.refusing = true;
            state.resets += 1;
        });
    }

    pub(super) fn heal(&self) {
        self.state.send_modify(|state| *state = State { resets: state.resets, ..State::default() });
    }

    pub(super) fn is_refusing(&self) -> bool {
        self.state.borrow().refusing
    }

    pub(super) fn watch(&self) -> Passage {
        let state = self.state.subscribe();
        let resets = state.borrow().resets;
        Passage { state, resets }
    }
}

/// One connection's view of its gate.
#[derive(Clone)]
pub(super) struct Passage {
    state: watch::Receiver<State>,
    resets: u64,
}

impl Passage {
    /// Waits until something that came at this time may pass.
    pub(super) async fn open(&mut self, direction: Direction, came: Instant) {
        loop {
            let flow = *self.state.borrow_and_update().clone().flow(direction);
            let due = came + flow.delay;
            if !flow.cut && Instant::now() >= due {
                return;
            }
            let changed = if flow.cut {
                self.state.changed().await
            } else {
                tokio::select! {
                    changed = self.state.changed() => changed,
                    () = tokio::time::sleep_until(due) => Ok(()),
                }
            };
            if changed.is_err() {
                // The link is gone, and its runtime with it.
                return;
            }
        }
    }

    /// Waits until the connections are closed.
    pub(super) async fn closed(mut self) {
        let resets = self.resets;
        // An error means that the link is gone: that closes them too.
        let _ = self.state.wait_for(|state| state.resets != resets).await;
    }
}
