//! Outputs that a broker refuses for good: the one at fault is found, the others go on.
//!
//! A broker refuses a whole produce request, so that an innocent output may be refused with a guilty one. The batch is
//! tried once more, then halved until one record is left, whose outputs are sent one by one: what is refused then is at
//! fault itself. A destination that takes nothing is no record's fault: it is waited for (`onDestinationError: block`),
//! or its outputs become dead letters.

use std::time::Duration;

use super::Task;
use super::attempt::SentOutput;
use crate::domain::output::{DeadLetterClass, OutputKind};
use crate::domain::plan::{DestinationIndex, OnDestinationError};
use crate::domain::refusals::Refusals;
use crate::kafka::errors::Refusal;
use crate::ops::status::TaskState;
use crate::runtime::errors::FatalError;
use crate::runtime::io::TaskIo;
use crate::telemetry::occurrence;

/// How long a blocked destination is left alone between two attempts.
const BLOCKED_PAUSE: Duration = Duration::from_secs(2);

/// How long the notifications of a destination that refuses everything become dead letters before it is tried again.
const DEAD_LETTERED_TIME: Duration = Duration::from_secs(60);

impl<Io: TaskIo> Task<'_, Io> {
    /// Decides how the records are tried again. The transaction is aborted already.
    pub(super) fn refused(&mut self, refused: &[(SentOutput, Refusal)], tried: usize) -> Result<(), FatalError> {
        // A destination that takes nothing is no record's fault: there is nothing to look for.
        let mut destination_at_fault = false;
        for (output, _) in refused.iter().filter(|(_, refusal)| *refusal == Refusal::Destination) {
            match output.kind {
                OutputKind::Notification(destination) if !self.waits_for(output.kind) => {
                    self.dead_letter_destination(destination);
                    destination_at_fault = true;
                }
                OutputKind::Notification(_) | OutputKind::DeadLetter(_) => return self.blocked(output.kind),
            }
        }
        if destination_at_fault {
            return Ok(());
        }
        if refused.iter().any(|(_, refusal)| *refusal == Refusal::TooLarge) {
            self.setup.limits.ask_soon();
        }
        self.trouble.refused += 1;
        if self.trouble.is_careful() {
            let mut news = false;
            for (output, refusal) in refused {
                news |= self.trouble.refusals.add(output.kind, output.event_index, class_of(*refusal));
            }
            if let (false, Some((output, _))) = (news, refused.first()) {
                // Even what went in place of the refused output is refused: only an operator can open this way.
                return self.blocked(output.kind);
            }
        } else if self.trouble.refused >= 2 {
            self.trouble.limit = Some((tried / 2).max(1));
        }
        Ok(())
    }

    /// Whether a destination's Kafka topic that refuses everything is waited for. The dead letters' always is: there is
    /// nowhere else for them.
    fn waits_for(&self, kind: OutputKind) -> bool {
        match kind {
            OutputKind::Notification(_) => self.plan.on_destination_error == OnDestinationError::Block,
            OutputKind::DeadLetter(_) => true,
        }
    }

    /// `onDestinationError: dead-letter`: from now on, for a while, its notifications are dead letters.
    fn dead_letter_destination(&mut self, DestinationIndex(index): DestinationIndex) {
        let destination = &self.plan.destinations[index];
        tracing::error!(
            task = self.setup.number,
            destination = destination.id,
            kafka_topic = destination.kafka_topic,
            "the destination's Kafka topic refuses every record: its notifications become dead letters"
        );
        self.dead_lettered.add_destination(DestinationIndex(index));
        self.trouble.refusals.add_destination(DestinationIndex(index));
        let now = self.io.now();
        self.dead_lettered_until.get_or_insert_with(|| now + DEAD_LETTERED_TIME);
    }

    /// After a while the destination is tried with the next batch: an operator may have mended it.
    pub(super) fn try_dead_lettered_destinations_again(&mut self) {
        if self.dead_lettered_until.is_some_and(|until| self.io.now() >= until) {
            self.dead_lettered_until = None;
            self.dead_lettered = Refusals::NONE;
        }
    }

    fn blocked(&mut self, kind: OutputKind) -> Result<(), FatalError> {
        self.enter(TaskState::Blocked);
        match kind {
            OutputKind::Notification(DestinationIndex(index)) if self.trouble.blocked != Some(index) => {
                self.forget_trouble();
                let destination = &self.plan.destinations[index];
                let error = "the broker does not know it or does not allow it";
                occurrence::destination_blocked(self.setup.number, &destination.id, &destination.kafka_topic, &error);
                self.trouble.blocked = Some(index);
            }
            OutputKind::Notification(_) => {}
            OutputKind::DeadLetter(_) => {
                self.trouble.dead_letters_blocked = true;
                let kafka_topic = &self.plan.dead_letter_kafka_topic;
                tracing::error!(
                    task = self.setup.number,
                    kafka_topic,
                    "the dead letters' Kafka topic refuses every record"
                );
            }
        }
        self.rest(BLOCKED_PAUSE)
    }
}

/// The dead-letter class of what a broker refused.
fn class_of(refusal: Refusal) -> DeadLetterClass {
    match refusal {
        Refusal::TooLarge => DeadLetterClass::TooLarge,
        Refusal::Record | Refusal::Destination => DeadLetterClass::Rejected,
    }
}
