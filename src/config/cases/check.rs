//! Whether the names in a suite are those of the plan that it tests.

use super::{Named, Suite};
use crate::config::diagnostic::{Diagnostic, Diagnostics};
use crate::config::document::unknown;
use crate::domain::plan::Plan;

impl Suite {
    /// Every name that the plan does not have.
    #[must_use]
    pub fn check(&self, plan: &Plan) -> Diagnostics {
        let ids: Vec<&str> = plan.destinations.iter().map(|destination| destination.id.as_str()).collect();
        let urls: Vec<&str> = plan.topics.iter().map(|topic| topic.url.as_str()).collect();
        let ingests: Vec<&str> = plan.ingest.iter().map(|ingest| ingest.kafka_topic.as_str()).collect();
        let mut problems = Vec::new();
        for case in &self.cases {
            for given in &case.given {
                match &given.ingest {
                    Some(named) => problems.extend(missing(named, "ingest Kafka topic", &ingests)),
                    None if ingests.len() > 1 => {
                        let problem = given.place.error("topics.yaml has several ingest Kafka topics");
                        problems.push(problem.hint(format!("add `ingest`, one of {}", ingests.join(", "))));
                    }
                    None => {}
                }
            }
            let of_notifications = case.expected.notifications.iter().map(|expected| &expected.destination);
            let of_dead_letters =
                case.expected.dead_letters.iter().filter_map(|expected| expected.destination.as_ref());
            let only = case.only.iter().flatten();
            for named in of_notifications.chain(of_dead_letters).chain(only) {
                problems.extend(missing(named, "active destination", &ids));
            }
            for named in case.expected.dead_letters.iter().filter_map(|expected| expected.topic.as_ref()) {
                problems.extend(missing(named, "active topic", &urls));
            }
        }
        problems.into_iter().collect()
    }
}

fn missing(named: &Named, what: &str, known: &[&str]) -> Option<Diagnostic> {
    let is_there = known.contains(&named.text.as_str());
    (!is_there).then(|| unknown(&named.place, what, &named.text, known.to_vec()))
}
