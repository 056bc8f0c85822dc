//! What each destination of the repository's topics.yaml has to get, said about facts instead of JSON.
//!
//! This is topics.yaml a second time, on purpose and by hand: if the two disagree, one of them is wrong, or the service
//! is. A destination without a rule here is not
//! checked, and the demo says so.

use fhir_fanout::domain::event::Interaction::{Create, Delete, Update};

use crate::events::Facts;
use crate::events::hospitals::is_within;

/// Whether a destination gets an event.
pub(super) type Rule = fn(&Facts) -> bool;

/// The rule of a destination.
pub(super) fn rule(destination: &str) -> Option<Rule> {
    Some(match destination {
        "lab-results" => lab_result,
        "cardiology-results" => |facts| lab_result(facts) && within(facts, "Organization/st-anna-cardiology"),
        "billing" => encounter_finished,
        "forms" => |facts| completed_form(facts) && within(facts, "Organization/st-anna"),
        "master-patient-index" => |facts| facts.resource_type == "Patient",
        "order-bell" => active_order,
        "emergency-orders" => |facts| active_order(facts) && within(facts, "Organization/riverside-emergency"),
        _ => return None,
    })
}

/// Every Observation of the sample data is a laboratory result.
fn lab_result(facts: &Facts) -> bool {
    let status = facts.status.as_deref();
    facts.resource_type == "Observation"
        && match facts.interaction {
            Create => status == Some("final"),
            Update => matches!(status, Some("final" | "amended" | "corrected" | "entered-in-error")),
            Delete => true,
        }
}

fn encounter_finished(facts: &Facts) -> bool {
    facts.resource_type == "Encounter"
        && facts.interaction == Update
        && facts.previous_status.as_deref() != Some("finished")
        && facts.status.as_deref() == Some("finished")
}

fn completed_form(facts: &Facts) -> bool {
    facts.resource_type == "QuestionnaireResponse"
        && facts.interaction != Delete
        && matches!(facts.status.as_deref(), Some("completed" | "amended"))
}

/// Every MedicationRequest of the sample data is an order.
fn active_order(facts: &Facts) -> bool {
    facts.resource_type == "MedicationRequest"
        && facts.interaction != Delete
        && facts.status.as_deref() == Some("active")
}

/// The organization filter: what names no organization is never within one.
fn within(facts: &Facts, organization: &str) -> bool {
    facts.organization.is_some_and(|own| is_within(own, organization))
}

#[cfg(test)]
mod tests {
    use super::super::options::repository;
    use super::super::topics::Layout;
    use super::rule;
    use crate::events::{ClinicalDay, DayOptions};

    #[test]
    fn every_destination_of_topics_yaml_has_a_rule_that_takes_some_events_and_leaves_some() {
        let layout = Layout::read(&repository().join("topics.yaml")).expect("the repository has a topics.yaml");
        let facts: Vec<_> = ClinicalDay::new(DayOptions::default()).take(1_500).map(|event| event.facts).collect();
        for destination in &layout.destinations {
            let rule = rule(&destination.id).unwrap_or_else(|| panic!("{} has no rule", destination.id));
            let taken = facts.iter().filter(|facts| rule(facts)).count();
            assert!((1..facts.len()).contains(&taken), "{} takes {taken}", destination.id);
        }
    }
}
