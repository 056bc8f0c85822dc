//! Tests that criteria have in common, evaluated once per event.

use std::cell::Cell;

use super::{Evaluation, Flow, Halt, Scope};
use crate::domain::fhirpath::compiled::program::Shared;

/// The answers of shared tests about the current event, by their slots. Kept over events: forgetting is the turn of a
/// counter.
#[derive(Debug, Default)]
pub(super) struct Memo {
    event: u64,
    answers: Vec<Cell<Kept>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Kept {
    /// About which event; none has the number 0.
    event: u64,
    /// What the evaluation took, whoever paid.
    steps: u64,
    /// What it held in the arena.
    bytes: usize,
    answer: Answer,
}

#[derive(Debug, Clone, Copy, Default)]
enum Answer {
    #[default]
    Empty,
    Is(bool),
    Failed,
}

impl Memo {
    /// Forgets everything: another event, whose programs have so many slots.
    pub(super) fn begin(&mut self, slots: usize) {
        self.event += 1;
        if self.answers.len() < slots {
            self.answers.resize_with(slots, Cell::default);
        }
    }

    fn get(&self, slot: u32) -> Option<Kept> {
        self.answers.get(slot as usize).map(Cell::get).filter(|kept| kept.event == self.event && kept.event != 0)
    }

    fn set(&self, slot: u32, (steps, bytes): (u64, usize), answer: Answer) {
        if let Some(place) = self.answers.get(slot as usize) {
            place.set(Kept { event: self.event, steps, bytes, answer });
        }
    }
}

impl<'e> Evaluation<'e> {
    /// A test whose answer may be known. What stopped for want of steps or memory is not: another
    /// criterion may have more left.
    pub(super) fn shared(&self, shared: &'e Shared, scope: &Scope<'e>) -> Result<Option<bool>, Halt> {
        if let Some(kept) = self.memo.get(shared.slot) {
            self.pay_again(kept.steps)?;
            self.arena.take(kept.bytes)?;
            return match kept.answer {
                Answer::Empty => Ok(None),
                Answer::Is(value) => Ok(Some(value)),
                Answer::Failed => Err(Halt::Failed),
            };
        }
        let (before, free) = (self.own_steps(), self.arena.left());
        let result = self.test(&shared.test, scope);
        let answer = match result {
            Ok(None) => Answer::Empty,
            Ok(Some(value)) => Answer::Is(value),
            Err(Halt::Failed) => Answer::Failed,
            Err(Halt::Done | Halt::TooCostly) => return result,
        };
        if !self.arena.is_full() {
            self.memo.set(shared.slot, (before - self.own_steps(), free - self.arena.left()), answer);
        }
        result
    }

    /// What is left by the evaluation's own limit, whatever the record has.
    fn own_steps(&self) -> u64 {
        self.left.get() + self.beyond.get()
    }

    /// Pays by the evaluation's own limit for what the record has paid for already.
    fn pay_again(&self, steps: u64) -> Flow {
        let beyond = self.beyond.get();
        let of_beyond = steps.min(beyond);
        self.beyond.set(beyond - of_beyond);
        let rest = steps - of_beyond;
        if rest <= self.left.get() {
            self.reused.set(self.reused.get() + rest);
        }
        self.spend(rest)
    }
}
