//! What comes in which order: exact shares in every thousand events, shuffled.
//!
//! Of a thousand events 600 are of Observations, 150 of Encounters, 100 of QuestionnaireResponses, 100 of Patients and 50
//! of MedicationRequests; 400 are creates, 580 updates and 20 deletes. A Patient's turn is a registration while somebody
//! waits for one, so that its creates are not planned here: [`Slot::Patient`]. The workload keeps the shares of the
//! interactions by turning as many creates of other types into updates.

use fhir_fanout::domain::event::Interaction;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::resource::ResourceKind;

/// One event's plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    /// A Patient is registered if one waits, else changed.
    Patient,
    /// A Patient is deleted.
    PatientDeleted,
    /// Another resource.
    Other(ResourceKind, Interaction),
}

const PATIENTS: usize = 100;
const PATIENTS_DELETED: usize = 2;
const OTHERS: [(ResourceKind, usize); 4] = [
    (ResourceKind::Observation, 600),
    (ResourceKind::Encounter, 150),
    (ResourceKind::QuestionnaireResponse, 100),
    (ResourceKind::MedicationRequest, 50),
];
const INTERACTIONS: [(Interaction, usize); 3] = [
    (Interaction::Create, 400),
    (Interaction::Update, 580 - (PATIENTS - PATIENTS_DELETED)),
    (Interaction::Delete, 20 - PATIENTS_DELETED),
];

/// The endless plan.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    block: Vec<Slot>,
}

impl Schedule {
    pub(super) fn next(&mut self, rng: &mut ChaCha8Rng) -> Slot {
        if self.block.is_empty() {
            self.refill(rng);
        }
        self.block.pop().expect("a block has a thousand slots")
    }

    fn refill(&mut self, rng: &mut ChaCha8Rng) {
        let mut interactions = repeated(&INTERACTIONS);
        interactions.shuffle(rng);
        let others = repeated(&OTHERS).into_iter().zip(interactions);
        self.block.extend(others.map(|(kind, interaction)| Slot::Other(kind, interaction)));
        self.block.extend([Slot::PatientDeleted; PATIENTS_DELETED]);
        self.block.extend([Slot::Patient; PATIENTS - PATIENTS_DELETED]);
        self.block.shuffle(rng);
    }
}

fn repeated<T: Copy>(counts: &[(T, usize)]) -> Vec<T> {
    counts.iter().flat_map(|(item, count)| std::iter::repeat_n(*item, *count)).collect()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn a_thousand_slots_have_the_shares() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut schedule = Schedule::default();
        let slots: Vec<_> = (0..1_000).map(|_| schedule.next(&mut rng)).collect();
        let count = |wanted: &dyn Fn(Slot) -> bool| slots.iter().filter(|slot| wanted(**slot)).count();
        assert!(schedule.block.is_empty());
        assert_eq!(count(&|slot| matches!(slot, Slot::Patient | Slot::PatientDeleted)), 100);
        assert_eq!(count(&|slot| matches!(slot, Slot::Other(ResourceKind::Observation, _))), 600);
        assert_eq!(count(&|slot| matches!(slot, Slot::Other(_, Interaction::Create))), 400);
        assert_eq!(count(&|slot| matches!(slot, Slot::PatientDeleted | Slot::Other(_, Interaction::Delete))), 20);
    }
}
