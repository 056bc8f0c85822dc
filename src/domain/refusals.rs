//! What the broker has refused for good in an earlier try of the same record, so that the next try goes without it.
//!
//! The runtime finds the record that a permanent rejection is about by halving its batch, notes here what was refused,
//! and processes the record again.

use super::output::{DeadLetterClass, OutputKind};
use super::plan::DestinationIndex;

/// The refused outputs of one record.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refusals {
    notifications: Vec<(u32, DestinationIndex, DeadLetterClass)>,
    dead_letters: Vec<(u32, DeadLetterClass)>,
    destinations: Vec<DestinationIndex>,
}

impl Refusals {
    /// Nothing refused: the first try of every record.
    pub const NONE: Self = Self { notifications: Vec::new(), dead_letters: Vec::new(), destinations: Vec::new() };

    /// Whether nothing was refused.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.notifications.is_empty() && self.dead_letters.is_empty() && self.destinations.is_empty()
    }

    /// Notes that the output of this kind and event was refused: a notification becomes a dead letter of `class`, a dead
    /// letter goes without its value (all of the same event and class do).
    ///
    /// Returns false when that was noted before: leaving out more cannot help then.
    pub fn add(&mut self, kind: OutputKind, event_index: u32, class: DeadLetterClass) -> bool {
        match kind {
            OutputKind::Notification(destination) => {
                let known = self.of_notification(event_index, destination).is_some();
                if !known {
                    self.notifications.push((event_index, destination, class));
                }
                !known
            }
            OutputKind::DeadLetter(refused) => {
                let known = self.strips_dead_letter(event_index, refused);
                if !known {
                    self.dead_letters.push((event_index, refused));
                }
                !known
            }
        }
    }

    /// Notes that a destination refuses everything (`onDestinationError: dead-letter`): all its notifications become dead
    /// letters. Holds for every record.
    pub fn add_destination(&mut self, destination: DestinationIndex) {
        if !self.destinations.contains(&destination) {
            self.destinations.push(destination);
        }
    }

    /// The class of the dead letter that goes in place of this notification.
    pub(crate) fn of_notification(&self, event_index: u32, destination: DestinationIndex) -> Option<DeadLetterClass> {
        let mut refused = self.notifications.iter();
        let this =
            refused.find(|(event, of, _)| (*event, *of) == (event_index, destination)).map(|(_, _, class)| *class);
        this.or_else(|| self.destinations.contains(&destination).then_some(DeadLetterClass::Rejected))
    }

    /// Whether this dead letter goes without its value.
    pub(crate) fn strips_dead_letter(&self, event_index: u32, class: DeadLetterClass) -> bool {
        self.dead_letters.contains(&(event_index, class))
    }
}
