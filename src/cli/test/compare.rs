//! What came out of a case beside what was expected.
//!
//! Each expected output is matched with one that came, so that as many as possible have a partner (augmenting paths: a wide
//! expectation takes nothing away from a narrow one). What is left is told: the expected ones with the nearest that came,
//! and what came without being expected, unless the case looks at other destinations only.

use super::difference;
use super::run::{Came, Output};
use crate::config::cases::{Case, ExpectedDeadLetter, ExpectedNotification};
use crate::domain::output::{DeadLetterClass, OutputKind};
use crate::domain::plan::Plan;

/// How many differences of one output are told.
const MAX_DIFFERENCES: usize = 20;

/// How many outputs that were not expected are told one by one.
const MAX_UNEXPECTED: usize = 20;

/// One expected output.
#[derive(Clone, Copy)]
enum Wanted<'c> {
    Notification(&'c ExpectedNotification),
    DeadLetter(&'c ExpectedDeadLetter),
}

/// What was otherwise than expected, a block of lines each; none: the case passed.
pub(super) fn compare(plan: &Plan, case: &Case, came: &Came) -> Vec<String> {
    let mut wanted = Vec::new();
    for expected in &case.expected.notifications {
        wanted.extend(std::iter::repeat_n(Wanted::Notification(expected), expected.count));
    }
    for expected in &case.expected.dead_letters {
        wanted.extend(std::iter::repeat_n(Wanted::DeadLetter(expected), expected.count));
    }
    let outputs: Vec<&Output> = came.outputs.iter().collect();
    let partners = matched(&wanted, &outputs, plan);
    let mut told = Vec::new();
    if let Some(position) = came.stopped_before {
        told.push(format!("the process stops before record {} (onError: stop)", position + 1));
    }
    let taken: Vec<bool> = (0..outputs.len()).map(|output| partners.contains(&Some(output))).collect();
    let free = outputs.iter().zip(&taken).filter(|(_, taken)| !**taken);
    let mut free: Vec<&Output> = free.map(|(output, _)| *output).collect();
    for (wanted, _) in wanted.iter().zip(&partners).filter(|(_, partner)| partner.is_none()) {
        told.push(missing(*wanted, &mut free, &outputs, plan));
    }
    let unexpected: Vec<&Output> = free.into_iter().filter(|output| is_looked_at(plan, case, output)).collect();
    told.extend(
        unexpected.iter().take(MAX_UNEXPECTED).map(|output| format!("not expected: {}", describe(plan, output))),
    );
    if unexpected.len() > MAX_UNEXPECTED {
        told.push(format!("not expected: {} more", unexpected.len() - MAX_UNEXPECTED));
    }
    told
}

/// For each wanted output the one that came for it.
fn matched(wanted: &[Wanted<'_>], outputs: &[&Output], plan: &Plan) -> Vec<Option<usize>> {
    let fits: Vec<Vec<usize>> = wanted
        .iter()
        .map(|wanted| {
            (0..outputs.len())
                .filter(|output| wanted.differences(plan, outputs[*output]).is_some_and(|found| found.is_empty()))
                .collect()
        })
        .collect();
    let mut owner = vec![None; outputs.len()];
    for position in 0..wanted.len() {
        augment(position, &fits, &mut owner, &mut vec![false; outputs.len()]);
    }
    let mut partners = vec![None; wanted.len()];
    for (output, owner) in owner.into_iter().enumerate() {
        if let Some(position) = owner {
            partners[position] = Some(output);
        }
    }
    partners
}

/// Finds an output for one that is wanted, moving others to another of theirs where that helps. Without recursion: chains
/// are as long as there are outputs.
fn augment(start: usize, fits: &[Vec<usize>], owner: &mut [Option<usize>], seen: &mut [bool]) {
    // (who wants, which of its candidates is tried next, the output that it would take)
    let mut path: Vec<(usize, usize, Option<usize>)> = vec![(start, 0, None)];
    while let Some((position, next, taking)) = path.last_mut() {
        let Some(output) = fits[*position].get(*next).copied() else {
            path.pop();
            continue;
        };
        *next += 1;
        if std::mem::replace(&mut seen[output], true) {
            continue;
        }
        *taking = Some(output);
        match owner[output] {
            Some(other) => path.push((other, 0, None)),
            None => {
                for (position, _, taking) in path {
                    owner[taking.expect("everyone on the path takes one")] = Some(position);
                }
                return;
            }
        }
    }
}

/// A wanted output that did not come, with the nearest that did, which is told by that and no more free.
fn missing(wanted: Wanted<'_>, free: &mut Vec<&Output>, all: &[&Output], plan: &Plan) -> String {
    let differences = |output: &&Output| wanted.differences(plan, output);
    let of_free = free.iter().enumerate().filter_map(|(position, output)| Some((position, differences(output)?)));
    let mut out = format!("missing: {}", wanted.describe());
    match of_free.min_by_key(|(_, differences)| differences.len()) {
        None if all.iter().any(|output| differences(output).is_some()) => {
            out += "\n  what came is taken by other expectations: one came too few";
        }
        None => {}
        Some((position, differences)) => {
            free.remove(position);
            out += "\n  one came that differs:";
            for difference in differences.iter().take(MAX_DIFFERENCES) {
                out += &format!("\n    {difference}");
            }
            if differences.len() > MAX_DIFFERENCES {
                out += &format!("\n    and {} more", differences.len() - MAX_DIFFERENCES);
            }
        }
    }
    out
}

impl Wanted<'_> {
    fn describe(self) -> String {
        match self {
            Self::Notification(expected) => format!("a notification for {}", expected.destination.text),
            Self::DeadLetter(expected) => {
                let about = [&expected.topic, &expected.destination];
                let about: String = about.into_iter().flatten().map(|named| format!(" of {}", named.text)).collect();
                format!("a dead letter, {}{about}", expected.class.name())
            }
        }
    }

    /// Where an output differs from what is wanted; `None`: it is something else.
    fn differences(self, plan: &Plan, output: &Output) -> Option<Vec<String>> {
        match (self, output.kind) {
            (Self::Notification(expected), OutputKind::Notification(destination)) => {
                let id = &plan.destinations[destination.0].id;
                (*id == expected.destination.text).then(|| notification(expected, output))
            }
            (Self::DeadLetter(expected), OutputKind::DeadLetter(class)) => Some(dead_letter(expected, class, output)),
            _ => None,
        }
    }
}

fn notification(expected: &ExpectedNotification, output: &Output) -> Vec<String> {
    let mut differences = Vec::new();
    let shown = |text: &Option<String>| text.as_ref().map_or("none".to_owned(), |text| format!("{text:?}"));
    if let Some(key) = &expected.key
        && *key != output.key()
    {
        differences.push(format!("key: expected {}, found {}", shown(key), shown(&output.key())));
    }
    for (name, value) in &expected.headers {
        let found = output.header(name);
        if found.as_ref() != Some(value) {
            differences.push(format!("header {name}: expected {value:?}, found {}", shown(&found)));
        }
    }
    if let Some(bundle) = &expected.bundle {
        let found: serde_json::Value =
            output.value.as_deref().and_then(|value| serde_json::from_slice(value).ok()).unwrap_or_default();
        differences.extend(difference::between(bundle, &found, expected.exactly));
    }
    differences
}

fn dead_letter(expected: &ExpectedDeadLetter, class: DeadLetterClass, output: &Output) -> Vec<String> {
    let mut differences = Vec::new();
    if class != expected.class {
        differences.push(format!("class: expected {}, found {}", expected.class.name(), class.name()));
    }
    let about = [("topic", &expected.topic, TOPIC_HEADER), ("destination", &expected.destination, DESTINATION_HEADER)];
    for (name, expected, header) in about {
        let found = output.header(header);
        if let Some(expected) = expected
            && found.as_ref() != Some(&expected.text)
        {
            let found = found.unwrap_or_else(|| "none".to_owned());
            differences.push(format!("{name}: expected {}, found {found}", expected.text));
        }
    }
    differences
}

const TOPIC_HEADER: &str = "fhir-dead-letter-topic";
const DESTINATION_HEADER: &str = "fhir-dead-letter-destination";

/// Whether the case looks at this output: at all, or at those of the destinations that it names, the dead letters of their
/// topics, and those of whole records.
fn is_looked_at(plan: &Plan, case: &Case, output: &Output) -> bool {
    let Some(only) = &case.only else { return true };
    let is_named = |id: &str| only.iter().any(|named| named.text == id);
    let is_of = |url: &str| {
        plan.destinations
            .iter()
            .any(|destination| plan.topics[destination.topic.0].url == url && is_named(&destination.id))
    };
    match output.kind {
        OutputKind::Notification(destination) => is_named(&plan.destinations[destination.0].id),
        OutputKind::DeadLetter(_) => match (output.header(DESTINATION_HEADER), output.header(TOPIC_HEADER)) {
            (Some(id), _) => is_named(&id),
            (None, Some(url)) => is_of(&url),
            (None, None) => true,
        },
    }
}

fn describe(plan: &Plan, output: &Output) -> String {
    match output.kind {
        OutputKind::Notification(destination) => {
            let key = output.key().map_or("no key".to_owned(), |key| format!("key {key:?}"));
            let focus = output.header("fhir-focus").map(|focus| format!(", focus {focus}")).unwrap_or_default();
            format!("a notification for {}, {key}{focus}", plan.destinations[destination.0].id)
        }
        OutputKind::DeadLetter(class) => {
            let about = [TOPIC_HEADER, DESTINATION_HEADER].into_iter().filter_map(|name| output.header(name));
            let about: String = about.map(|name| format!(" of {name}")).collect();
            format!("a dead letter, {}{about}", class.name())
        }
    }
}
