//! An explanation for people: within 100 columns, a criterion's parts as a tree with their values beside them.

use super::{Scope, reasons};
use crate::config::diagnostic::Colour;
use crate::domain::explain::{
    CriterionExplanation, DestinationExplanation, DestinationOutcome, EventExplanation, Explanation, TopicExplanation,
    TopicOutcome, TriggerExplanation, TriggerOutcome,
};
use crate::domain::fhirpath::{Part, Seen};
use crate::domain::plan::Plan;

/// The widest line.
const WIDTH: usize = 100;

/// The widest column of parts.
const PART_WIDTH: usize = 60;

/// How many topics are named that have no trigger for the type.
const NAMED_TOPICS: usize = 5;

/// The whole explanation of a record, without a line break at the end.
pub(super) fn render(plan: &Plan, scope: Scope, explanation: &Explanation, colour: Colour) -> String {
    let mut page = Page { plan, scope, colour, out: String::new() };
    match &explanation.events {
        Err(error) => {
            page.heading("record", "one dead letter, undecodable", Mood::Bad);
            page.wrapped(2, &error.to_string());
        }
        Ok(events) => {
            for (index, event) in events.iter().enumerate() {
                page.event(index, events.len(), event);
            }
            if explanation.stops {
                page.blank();
                page.heading(
                    "record",
                    "nothing of it comes out: the process stops before it (onError: stop)",
                    Mood::Bad,
                );
            }
        }
    }
    page.out.truncate(page.out.trim_end().len());
    page.out
}

/// How good a piece of news is.
#[derive(Debug, Clone, Copy)]
enum Mood {
    Good,
    Plain,
    Bad,
}

struct Page<'p> {
    plan: &'p Plan,
    scope: Scope,
    colour: Colour,
    out: String,
}

impl Page<'_> {
    fn event(&mut self, index: usize, count: usize, event: &EventExplanation) {
        if index > 0 {
            self.blank();
        }
        let name = if count > 1 { format!("event {} of {count}", index + 1) } else { "event".to_owned() };
        let inferred =
            if event.interaction_inferred { " (the ingest's default: the record does not tell)" } else { "" };
        let what = format!("{} of {}/{}{inferred}", event.interaction.code(), event.resource_type, event.id);
        self.heading(&name, &what, Mood::Plain);
        let fixed = if event.has_time { "" } else { " (the record has none: a fixed one)" };
        self.fact("time", &format!("{}{fixed}", event.time));
        self.fact("carries", carries(event));
        self.fact("organization", &reasons::event_organization(&event.organization));
        let (others, told): (Vec<_>, Vec<_>) = event
            .topics
            .iter()
            .partition(|topic| self.scope.destination.is_none() && topic.outcome == TopicOutcome::OtherType);
        for topic in told {
            self.blank();
            self.topic(event, topic);
        }
        self.others(event, &others);
    }

    /// The topics that have nothing to do with the type, in a few lines.
    fn others(&mut self, event: &EventExplanation, topics: &[&TopicExplanation]) {
        if topics.is_empty() {
            return;
        }
        self.blank();
        self.wrapped(0, &format!("no trigger for {}:", event.resource_type));
        for topic in topics.iter().take(NAMED_TOPICS) {
            self.wrapped(2, &self.plan.topics[topic.topic.0].url);
        }
        if topics.len() > NAMED_TOPICS {
            self.wrapped(2, &format!("and {} more", topics.len() - NAMED_TOPICS));
        }
    }

    fn topic(&mut self, event: &EventExplanation, topic: &TopicExplanation) {
        let of_plan = &self.plan.topics[topic.topic.0];
        let (what, mood) = match topic.outcome {
            TopicOutcome::Fired => ("fired", Mood::Good),
            TopicOutcome::DeadLetter(_) | TopicOutcome::Stops | TopicOutcome::FailedAndSkipped => {
                ("could not be decided", Mood::Bad)
            }
            _ => ("did not fire", Mood::Plain),
        };
        self.heading(&format!("topic {}", of_plan.url), what, mood);
        if let Some(reason) = reasons::topic_reason(self.plan, event, topic) {
            self.wrapped(2, &reason);
        } else if let Some(required) = &of_plan.organization {
            self.wrapped(2, &format!("it takes {required} and what is part of it: the event is"));
        }
        for trigger in &topic.triggers {
            self.trigger(topic, trigger);
        }
        for destination in &topic.destinations {
            if self.scope.destination.is_none_or(|only| only == destination.destination) {
                self.destination(event, destination);
            }
        }
    }

    fn trigger(&mut self, topic: &TopicExplanation, explained: &TriggerExplanation) {
        let trigger = &self.plan.topics[topic.topic.0].triggers[explained.index];
        let interactions: Vec<&str> = trigger.interactions.iter().map(|interaction| interaction.code()).collect();
        let name = format!("trigger {} ({}: {})", explained.index + 1, trigger.resource, interactions.join(", "));
        match &explained.outcome {
            TriggerOutcome::OtherType => self.item(&name, "another resource type", Mood::Plain),
            TriggerOutcome::OtherInteraction => self.item(&name, "other interactions", Mood::Plain),
            TriggerOutcome::NoCriterion => self.item(&name, "no criterion, so it fires", Mood::Good),
            TriggerOutcome::NotAsked => self.item(&name, "its criterion is not asked", Mood::Plain),
            TriggerOutcome::Criterion(criterion) => self.criterion(&name, criterion),
        }
    }

    fn criterion(&mut self, name: &str, explained: &CriterionExplanation) {
        use crate::domain::explain::Answer;
        let mood = match explained.answer {
            Answer::True => Mood::Good,
            Answer::False | Answer::FalseForLackOfState => Mood::Plain,
            Answer::Failed | Answer::Missing => Mood::Bad,
        };
        let engine = reasons::engine(explained.engine);
        self.item(name, &format!("{} [{engine}]", reasons::answer(explained.answer)), mood);
        let text = self.plan.criteria[explained.criterion.0].text();
        self.wrapped(6, &text.split_whitespace().collect::<Vec<_>>().join(" "));
        match &explained.parts {
            Ok(part) => self.parts(part),
            Err(error) => self.wrapped(6, &format!("its parts cannot be shown: {error}")),
        }
        if let Some(note) = reasons::disagreement(explained) {
            self.wrapped(6, note);
        }
    }

    fn parts(&mut self, whole: &Part) {
        let mut rows = Vec::new();
        rows.push(Row { indent: 0, text: "=".to_owned(), value: seen(&whole.seen), is_true: whole.seen.boolean() });
        below(whole, 1, &mut rows);
        let width = rows.iter().map(|row| 2 * row.indent + row.text.chars().count()).max().unwrap_or(0).min(PART_WIDTH);
        for row in rows {
            let indent = 2 * row.indent.min(PART_WIDTH / 4);
            let text = cut(&row.text, width.saturating_sub(indent));
            let value = cut(&row.value, WIDTH.saturating_sub(6 + width + 2));
            let mood = match row.is_true {
                Some(true) => Mood::Good,
                Some(false) | None => Mood::Plain,
            };
            let fill = " ".repeat((width + 2).saturating_sub(indent + text.chars().count()));
            self.out += &format!("      {}{text}{fill}{}\n", " ".repeat(indent), self.paint(&value, mood));
        }
    }

    fn destination(&mut self, event: &EventExplanation, explained: &DestinationExplanation) {
        let destination = &self.plan.destinations[explained.destination.0];
        let name = format!("destination {}", destination.id);
        match &explained.outcome {
            DestinationOutcome::Notified { key, bytes } => {
                let key =
                    key.as_ref().map_or("no key".to_owned(), |key| format!("key {}", String::from_utf8_lossy(key)));
                let text = format!("notified: Kafka topic {}, {key}, {bytes} bytes", destination.kafka_topic);
                self.item(&name, &text, Mood::Good);
            }
            DestinationOutcome::TopicDidNotFire => self.item(&name, "nothing: its topic did not fire", Mood::Plain),
            DestinationOutcome::Filtered(reason) => {
                let reason = reasons::organization(event, destination.organization.as_deref(), *reason);
                self.item(&name, &format!("nothing: {reason}"), Mood::Plain);
            }
            DestinationOutcome::DeadLetter(class) => {
                self.item(&name, &format!("one dead letter, {}", class.name()), Mood::Bad);
            }
            DestinationOutcome::HeldBack => self.item(&name, "nothing: the process stops before the record", Mood::Bad),
        }
    }

    fn blank(&mut self) {
        self.out.push('\n');
    }

    fn heading(&mut self, name: &str, text: &str, mood: Mood) {
        let name = match self.colour {
            Colour::Always => format!("\u{1b}[1m{}\u{1b}[0m", printable(name)),
            Colour::Never => printable(name),
        };
        self.out += &format!("{name}: {}\n", self.paint(&printable(text), mood));
    }

    fn fact(&mut self, name: &str, text: &str) {
        self.hanging(&format!("  {name:<14}"), text, Mood::Plain);
    }

    fn item(&mut self, name: &str, text: &str, mood: Mood) {
        self.hanging(&format!("  {}: ", printable(name)), text, mood);
    }

    /// Text behind a beginning; further lines stand under the text, or a little to the right of a long beginning.
    fn hanging(&mut self, beginning: &str, text: &str, mood: Mood) {
        let length = beginning.chars().count();
        let indent = if length <= 24 { length } else { 6 };
        for (index, line) in lines(&printable(text), WIDTH - length.min(60), WIDTH - indent).into_iter().enumerate() {
            let before = if index == 0 { beginning.to_owned() } else { " ".repeat(indent) };
            self.out += &format!("{before}{}\n", self.paint(&line, mood));
        }
    }

    fn wrapped(&mut self, indent: usize, text: &str) {
        self.hanging(&" ".repeat(indent), text, Mood::Plain);
    }

    fn paint(&self, text: &str, mood: Mood) -> String {
        match (self.colour, mood) {
            (Colour::Never, _) | (_, Mood::Plain) => text.to_owned(),
            (Colour::Always, Mood::Good) => format!("\u{1b}[1;32m{text}\u{1b}[0m"),
            (Colour::Always, Mood::Bad) => format!("\u{1b}[1;31m{text}\u{1b}[0m"),
        }
    }
}

/// A line of the tree of parts.
struct Row {
    indent: usize,
    text: String,
    value: String,
    is_true: Option<bool>,
}

fn below(part: &Part, indent: usize, rows: &mut Vec<Row>) {
    let mut push = |part: &Part, text: String| {
        rows.push(Row { indent, text, value: seen(&part.seen), is_true: part.seen.boolean() });
        below(part, indent + 1, rows);
    };
    for part in &part.parts {
        push(part, part.text.clone());
    }
    for item in &part.items {
        push(&item.part, format!("item {}: {}", item.index + 1, item.part.text));
    }
    if part.more_items > 0 {
        rows.push(Row {
            indent,
            text: format!("and {} more items", part.more_items),
            value: String::new(),
            is_true: None,
        });
    }
}

/// What a part gave, in one line.
fn seen(seen: &Seen) -> String {
    match seen {
        Seen::Failed(error) => format!("failed: {error}"),
        Seen::Values { count: 0, .. } => "{} (empty)".to_owned(),
        Seen::Values { count: 1, shown } => shown.concat(),
        Seen::Values { count, shown } => {
            let more = if *count > shown.len() { ", …" } else { "" };
            format!("{count} values: {}{more}", shown.join(", "))
        }
    }
}

fn carries(event: &EventExplanation) -> &'static str {
    match (event.has_content, event.has_previous) {
        (true, true) => "the resource and its previous version",
        (true, false) => "the resource, no previous version",
        (false, _) => "no content",
    }
}

/// The text in lines of at most so many characters; a word that is longer stands alone.
fn lines(text: &str, first: usize, others: usize) -> Vec<String> {
    let mut lines: Vec<String> = vec![String::new()];
    for word in text.split(' ') {
        let limit = if lines.len() == 1 { first } else { others };
        let current = lines.last_mut().expect("there is always one");
        if current.is_empty() {
            current.push_str(word);
        } else if current.chars().count() + 1 + word.chars().count() <= limit {
            current.push(' ');
            current.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return printable(text);
    }
    let mut short: String = text.chars().take(width.saturating_sub(1)).collect();
    short.push('…');
    printable(&short)
}

/// Control characters would move a terminal's cursor.
fn printable(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}
