//! What to say about fields that belong somewhere else.

use super::fields::ROOT;
use super::{Kind, Shape};
use crate::config::settings;

/// What to do about a field that this map does not have, where that is known.
pub(super) fn hint(shape: &Shape, name: &str) -> Option<String> {
    if name.contains(['(', ')', '=', '\'', '"']) {
        return Some("inside of { } a comma ends a value: put the value before it in double quotes".to_owned());
    }
    if name.starts_with("Organization/") {
        return Some("organizations stand under `organizations.hierarchy`, each as child: parent".to_owned());
    }
    let mut places = Vec::new();
    owners(&ROOT, name, &mut places);
    places.retain(|title| *title != shape.title);
    if !places.is_empty() {
        return Some(format!("it is a field of {}: look at the indentation", places.join(", ")));
    }
    let of_setting = |setting: &str| setting == name || setting.split('.').next() == Some(name);
    settings::reference().iter().any(|row| of_setting(row.name)).then(|| {
        "it is a setting of the deployment: it belongs into the file of --config, or into the environment".to_owned()
    })
}

/// The titles of the maps that have a field of this name.
fn owners(shape: &'static Shape, name: &str, places: &mut Vec<&'static str>) {
    for field in shape.fields {
        if field.name() == name {
            places.push(if shape.title == ROOT.title { "the file itself" } else { shape.title });
        }
        if let Some(inner) = inner(field.kind()) {
            owners(inner, name, places);
        }
    }
}

fn inner(kind: Kind) -> Option<&'static Shape> {
    match kind {
        Kind::Map(shape) => Some(shape),
        Kind::List(items, _) => inner(*items),
        _ => None,
    }
}
