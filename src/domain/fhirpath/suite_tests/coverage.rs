//! How many of the expressions that others published for subscriptions the compiler takes.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

/// What became of the expressions of one source.
pub(super) struct Coverage {
    pub(super) from: &'static str,
    pub(super) total: usize,
    pub(super) taken: usize,
    /// Those that go to the general engine.
    pub(super) left: Vec<String>,
}

/// An expression and the type that it is asked about.
type Published = BTreeSet<(String, String)>;

/// The criteria of the texts that the project began with; they stand in prose.
const OF_PROSE: [(&str, &str); 1] = [("Observation", "status = 'completed' or status = 'amended'")];

/// Tries all of them.
pub(super) fn take(data: &Path) -> Vec<Coverage> {
    let mut golden = Published::new();
    collect(&data.join("golden"), &mut golden);
    assert!(golden.len() > 15, "the golden data has expressions");
    let prose = OF_PROSE.map(|(focus, text)| (focus.to_owned(), text.to_owned())).into();
    vec![tried("golden data", &golden), tried("examples of Aidbox topics", &prose)]
}

fn tried(from: &'static str, published: &Published) -> Coverage {
    let (taken, left): (Vec<_>, Vec<_>) = published.iter().partition(|(focus, text)| super::is_taken(focus, text));
    let left = left.into_iter().map(|(_, text)| text.clone()).collect();
    Coverage { from, total: published.len(), taken: taken.len(), left }
}

fn collect(folder: &Path, found: &mut Published) {
    for entry in std::fs::read_dir(folder).expect("the golden data is a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, found);
        } else if let Ok(text) = std::fs::read_to_string(&path)
            && let Ok(resource) = serde_json::from_str::<Value>(text.trim_start_matches('\u{feff}'))
        {
            expressions(&resource, found);
        }
    }
}

/// The expressions of a SubscriptionTopic, a SearchParameter or a StructureDefinition.
fn expressions(resource: &Value, found: &mut Published) {
    let mut add = |focus: &Value, text: &Value| {
        if let (Some(focus), Some(text)) = (focus.as_str(), text.as_str()) {
            let focus = focus.rsplit('/').next().unwrap_or(focus).split('.').next().unwrap_or(focus);
            found.insert((focus.to_owned(), text.to_owned()));
        }
    };
    let items = |value: &Value| value.as_array().cloned().unwrap_or_default();
    match resource["resourceType"].as_str() {
        Some("SubscriptionTopic") => {
            for trigger in items(&resource["resourceTrigger"]) {
                add(&trigger["resource"], &trigger["fhirPathCriteria"]);
            }
        }
        Some("SearchParameter") => add(&resource["base"][0], &resource["expression"]),
        Some("StructureDefinition") => {
            for element in [&resource["snapshot"]["element"], &resource["differential"]["element"]].map(items).concat()
            {
                // An invariant of an element is asked about that element, which a criterion never is.
                let of_resource = element["path"] == resource["type"];
                for constraint in items(&element["constraint"]).iter().filter(|_| of_resource) {
                    add(&resource["type"], &constraint["expression"]);
                }
            }
        }
        _ => {}
    }
}
