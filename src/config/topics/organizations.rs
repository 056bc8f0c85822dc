//! The organization hierarchy: references reduced, contradictions and cycles refused.

use std::collections::{BTreeMap, BTreeSet};

use super::names;
use super::raw::RawPartOf;
use crate::config::document::{Located, Place, Sink};
use crate::domain::plan::OrganizationHierarchy;

/// The hierarchy, and every organization that it names.
pub(super) struct Organizations {
    pub(super) hierarchy: OrganizationHierarchy,
    known: BTreeSet<String>,
}

impl Organizations {
    /// Checks the entries; problems go to the sink.
    pub(super) fn check(extension_url: String, entries: Vec<RawPartOf>, sink: &Sink) -> Self {
        let mut known = BTreeSet::new();
        let mut parents: BTreeMap<String, (Option<String>, Place)> = BTreeMap::new();
        let mut order = Vec::new();
        let mut labels = Labels::default();
        for entry in entries {
            let child = reference(&entry.child, sink);
            let parent = entry.parent.as_ref().map(|parent| reference(parent, sink));
            let Some(child) = child else { continue };
            // an entry whose parent is no reference is left out
            let Ok(parent) = parent.map(|parent| parent.ok_or(())).transpose() else { continue };
            labels.add(&child, &entry.child);
            known.extend([child.clone()]);
            known.extend(parent.clone());
            match parents.get(&child) {
                Some((earlier, _)) if *earlier == parent => {}
                Some((_, first)) => {
                    let problem =
                        entry.child.place.error(format!("`{}` is part of two organizations", labels.of(&child)));
                    sink.push(problem.hint(format!("the other is given at {}; keep one", first.short())));
                }
                None => {
                    order.push(child.clone());
                    parents.insert(child, (parent, entry.child.place));
                }
            }
        }
        report_cycles(&parents, &order, &labels, sink);
        let parents = parents.into_iter().filter_map(|(child, (parent, _))| Some((child, parent?))).collect();
        Self { hierarchy: OrganizationHierarchy { extension_url, parents }, known }
    }

    /// The reduced organization of a topic or destination; warns of one that the hierarchy does not know.
    pub(super) fn of(&self, organization: Option<&Located<String>>, sink: &Sink) -> Option<String> {
        let given = organization?;
        let reduced = reference(given, sink)?;
        if !self.known.contains(&reduced) {
            let problem = given.place.warning(format!("the hierarchy does not know `{}`", given.shown));
            sink.push(problem.hint(
                "only events of exactly this organization are caught; name it in organizations.hierarchy (`~` as the parent of \
                 one at the top)",
            ));
        }
        Some(reduced)
    }
}

/// What messages call the organizations: the reduced reference, unless a variable is in it.
#[derive(Default)]
struct Labels(BTreeMap<String, String>);

impl Labels {
    fn add(&mut self, reduced: &str, given: &Located<String>) {
        if given.shown != given.value {
            self.0.insert(reduced.to_owned(), given.shown.clone());
        }
    }

    fn of<'l>(&'l self, reduced: &'l str) -> &'l str {
        self.0.get(reduced).map_or(reduced, String::as_str)
    }
}

fn reference(given: &Located<String>, sink: &Sink) -> Option<String> {
    match names::organization(&given.value, &given.shown) {
        Ok(reduced) => Some(reduced),
        Err(fault) => {
            sink.push(given.place.error(fault.message).hint(fault.hint));
            None
        }
    }
}

/// Reports each cycle once, at the entry of it that comes first in the file.
fn report_cycles(parents: &BTreeMap<String, (Option<String>, Place)>, order: &[String], labels: &Labels, sink: &Sink) {
    let mut done: BTreeSet<&str> = BTreeSet::new();
    for start in order {
        let mut way: Vec<&str> = Vec::new();
        let mut next = Some(start.as_str());
        while let Some(at) = next.filter(|at| !done.contains(at)) {
            if let Some(from) = way.iter().position(|passed| *passed == at) {
                let cycle: Vec<&str> = way[from..].iter().chain([&at]).map(|passed| labels.of(passed)).collect();
                if let Some((_, place)) = parents.get(at) {
                    let problem = place.error(format!("the hierarchy has a cycle: {}", cycle.join(" -> ")));
                    sink.push(problem.hint("an organization cannot be part of itself; remove one of these entries"));
                }
                break;
            }
            way.push(at);
            next = parents.get(at).and_then(|(parent, _)| parent.as_deref());
        }
        done.extend(way);
    }
}
