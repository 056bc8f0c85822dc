//! What a dry run has counted, for people and for programs.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::Tried;
use crate::cli::output::{line, many};
use crate::config::diagnostic::Colour;
use crate::domain::output::DeadLetterClass;
use crate::domain::tally::{EventOutcome, FilterReason};
use crate::runtime::trial::{ByClass, Comparison, Delivery, Difference, Trial};

/// The counts, and of what.
pub(super) struct Report {
    pub(super) servers: String,
    pub(super) kafka_topics: Vec<String>,
    pub(super) partitions: usize,
    pub(super) since: Timestamp,
    pub(super) until: Timestamp,
    pub(super) took: Duration,
    pub(super) records: u64,
    pub(super) bytes: u64,
    pub(super) tried: Tried,
}

impl Report {
    /// For people.
    pub(super) fn print(&self, colour: Colour) {
        let kafka_topics = self.kafka_topics.join(", ");
        let partitions = many(self.partitions, "partition");
        line(format_args!("{}: {kafka_topics} ({partitions}), {} to {}", self.servers, self.since, self.until));
        let (records, bytes) = (self.records, spoken_bytes(self.bytes));
        line(format_args!("{records} records, {bytes}, in {:.1} s; nothing was written", self.took.as_secs_f64()));
        let new = self.tried.new_plan();
        line(format_args!("events: {}", outcomes(new)));
        print_stops(new, "this plan", colour);
        if let Tried::Both(comparison) = &self.tried {
            line(format_args!("events of the present plan: {}", outcomes(&comparison.present)));
            print_stops(&comparison.present, "the present plan", colour);
        }
        for (position, topic) in new.plan().topics.iter().enumerate() {
            line(format_args!("\ntopic {}", colour.bold().paint(&topic.url)));
            print_counts("  filtered", &reasons(&new.tally.filtered_by_topic[position]));
            print_counts("  dead letters", &classes(&new.undecided[position]));
            for destination in &topic.destinations {
                self.print_destination(new, destination.0, colour);
            }
        }
        self.print_gone(colour);
    }

    fn print_destination(&self, trial: &Trial, at: usize, colour: Colour) {
        let (destination, delivery) = (&trial.plan().destinations[at], &trial.deliveries[at]);
        let id = colour.bold().paint(&destination.id);
        line(format_args!("  destination {id}, Kafka topic {}: {}", destination.kafka_topic, self.delivered(delivery)));
        print_counts("    filtered", &reasons(&trial.tally.filtered_by_destination[at]));
        print_counts("    dead letters", &classes(&delivery.dead_letters));
        let Tried::Both(comparison) = &self.tried else { return };
        match delivery_of(&comparison.present, &destination.id) {
            None => line(format_args!("    {}", colour.yellow().paint("the present plan has no such destination"))),
            Some(present) => {
                line(format_args!("    present: {}", self.delivered(present)));
                let difference = comparison.differences.get(&destination.id).copied().unwrap_or_default();
                let ink = if difference.is_none() { colour.blue() } else { colour.yellow() };
                line(format_args!("    difference: {}", ink.paint(&told(difference))));
            }
        }
    }

    /// Destinations that the new plan has not.
    fn print_gone(&self, colour: Colour) {
        let Tried::Both(comparison) = &self.tried else { return };
        for (id, delivery) in gone(comparison) {
            let lost = colour.yellow().paint("this plan has no such destination");
            let id = colour.bold().paint(id);
            line(format_args!("\n  destination {id}: {lost}\n    present: {}", self.delivered(delivery)));
        }
    }

    fn delivered(&self, delivery: &Delivery) -> String {
        let per_hour = delivery.notifications as f64 / self.hours();
        format!(
            "{} notifications, {}, {per_hour:.0} an hour (at most {})",
            delivery.notifications,
            spoken_bytes(delivery.bytes),
            delivery.busiest_hour()
        )
    }

    /// The time that the traffic is of.
    fn hours(&self) -> f64 {
        (self.until.duration_since(self.since).as_secs_f64() / 3_600.0).max(1.0 / 3_600.0)
    }

    /// For programs.
    pub(super) fn as_json(&self) -> Value {
        let mut report = json!({
            "bootstrapServers": self.servers,
            "ingest": self.kafka_topics,
            "since": self.since.to_string(),
            "until": self.until.to_string(),
            "records": self.records,
            "bytes": self.bytes,
            "new": self.trial_as_json(self.tried.new_plan()),
        });
        if let Tried::Both(comparison) = &self.tried {
            report["present"] = self.trial_as_json(&comparison.present);
            let differences = comparison.differences.iter().map(|(id, difference)| {
                let Difference { same, changed, more, fewer } = difference;
                (id.clone(), json!({ "same": same, "changed": changed, "more": more, "fewer": fewer }))
            });
            report["differences"] = Value::Object(differences.collect());
        }
        report
    }

    fn trial_as_json(&self, trial: &Trial) -> Value {
        let topics = trial.plan().topics.iter().enumerate().map(|(at, topic)| {
            json!({
                "topic": topic.url,
                "filtered": object(&reasons(&trial.tally.filtered_by_topic[at])),
                "deadLetters": object(&classes(&trial.undecided[at])),
            })
        });
        let destinations = trial.plan().destinations.iter().zip(&trial.deliveries).enumerate();
        let destinations = destinations.map(|(at, (destination, delivery))| {
            let hour = |(hour, count): (&i64, &u64)| {
                let time =
                    Timestamp::from_second(hour * 3_600).map_or_else(|_| hour.to_string(), |time| time.to_string());
                (time, Value::from(*count))
            };
            json!({
                "destination": destination.id,
                "kafkaTopic": destination.kafka_topic,
                "notifications": delivery.notifications,
                "bytes": delivery.bytes,
                "perHour": delivery.notifications as f64 / self.hours(),
                "hours": delivery.by_hour.iter().map(hour).collect::<Map<_, _>>(),
                "filtered": object(&reasons(&trial.tally.filtered_by_destination[at])),
                "deadLetters": object(&classes(&delivery.dead_letters)),
            })
        });
        json!({
            "plan": trial.plan().hash,
            "events": object(&events(trial)),
            "deadLetters": object(&classes(&trial.tally.dead_letters)),
            "undecodable": trial.undecodable,
            "stops": trial.stops,
            "firstStop": trial.first_stop,
            "topics": topics.collect::<Vec<_>>(),
            "destinations": destinations.collect::<Vec<_>>(),
        })
    }
}

fn print_stops(trial: &Trial, whose: &str, colour: Colour) {
    if let Some(position) = &trial.first_stop {
        let warning = colour.red().paint("stops");
        line(format_args!(
            "{whose} {warning} the service (onError: stop) at {} records, first {position}",
            trial.stops
        ));
    }
}

fn delivery_of<'t>(trial: &'t Trial, id: &str) -> Option<&'t Delivery> {
    let at = trial.plan().destinations.iter().position(|destination| destination.id == id)?;
    trial.deliveries.get(at)
}

fn gone(comparison: &Comparison) -> BTreeMap<&str, &Delivery> {
    let ids = comparison.differences.keys().map(String::as_str);
    ids.filter(|id| delivery_of(&comparison.new, id).is_none())
        .filter_map(|id| Some((id, delivery_of(&comparison.present, id)?)))
        .collect()
}

fn told(difference: Difference) -> String {
    if difference.is_none() {
        return "none".to_owned();
    }
    let Difference { same, changed, more, fewer } = difference;
    let counted = [(more, "more"), (fewer, "fewer"), (changed, "changed"), (same, "the same")];
    let counted = counted.into_iter().filter(|(count, _)| *count > 0);
    counted.map(|(count, what)| format!("{count} {what}")).collect::<Vec<_>>().join(", ")
}

fn outcomes(trial: &Trial) -> String {
    let counted = events(trial).into_iter().map(|(name, count)| format!("{count} {name}"));
    counted.collect::<Vec<_>>().join(", ")
}

fn events(trial: &Trial) -> Vec<(&'static str, u64)> {
    let count = |outcome: EventOutcome| trial.tally.events.iter().map(|counts| counts[outcome.index()]).sum();
    EventOutcome::ALL.map(|outcome| (outcome.name(), count(outcome))).into()
}

fn reasons(counts: &[u64; FilterReason::ALL.len()]) -> Vec<(&'static str, u64)> {
    FilterReason::ALL.iter().map(|reason| (reason.name(), counts[reason.index()])).collect()
}

fn classes(counts: &ByClass) -> Vec<(&'static str, u64)> {
    DeadLetterClass::ALL.iter().map(|class| (class.name(), counts[class.index()])).collect()
}

/// Those that are not zero.
fn print_counts(what: &str, counts: &[(&'static str, u64)]) {
    let counted = counts.iter().filter(|(_, count)| *count > 0);
    let counted: Vec<String> = counted.map(|(name, count)| format!("{name} {count}")).collect();
    if !counted.is_empty() {
        line(format_args!("{what}: {}", counted.join(", ")));
    }
}

fn object(counts: &[(&'static str, u64)]) -> Value {
    Value::Object(counts.iter().map(|(name, count)| ((*name).to_owned(), (*count).into())).collect())
}

/// `512 B`, `1.5 MB`.
fn spoken_bytes(bytes: u64) -> String {
    for (unit, of) in [("GB", 1e9), ("MB", 1e6), ("kB", 1e3)] {
        if bytes as f64 >= of {
            return format!("{:.1} {unit}", bytes as f64 / of);
        }
    }
    format!("{bytes} B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_and_sizes_read_well() {
        assert_eq!(told(Difference { same: 5, ..Difference::default() }), "none");
        let all = Difference { same: 4, changed: 3, more: 2, fewer: 1 };
        assert_eq!(told(all), "2 more, 1 fewer, 3 changed, 4 the same");
        assert_eq!([0, 999, 1_500, 2_000_000].map(spoken_bytes), ["0 B", "999 B", "1.5 kB", "2.0 MB"]);
    }
}
