//! What a part gave, as a few short texts.

use octofhir_fhirpath::{Collection, FhirPathValue};

use super::values;
use crate::domain::fhirpath::{EvaluationError, operators};

/// The most values that are shown.
const MAX_VALUES: usize = 4;

/// The longest text of a value, in characters.
const MAX_LENGTH: usize = 120;

/// What a part of a criterion gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// So many values, the first of them as texts, cut where they are long; none is the empty collection.
    Values {
        /// How many there are.
        count: usize,
        /// The first of them, as FHIRPath would write them; what has members as JSON.
        shown: Vec<String>,
    },
    /// It failed.
    Failed(EvaluationError),
}

impl Seen {
    pub(super) fn of(result: &Result<Collection, EvaluationError>) -> Self {
        match result {
            Ok(found) => {
                let found = values(found);
                let shown = found.iter().take(MAX_VALUES).map(|value| shown(value)).collect();
                Self::Values { count: found.len(), shown }
            }
            Err(error) => Self::Failed(*error),
        }
    }

    /// The boolean that it gave, if that is all it gave.
    #[must_use]
    pub fn boolean(&self) -> Option<bool> {
        match self {
            Self::Values { count: 1, shown } if shown[0] == "true" => Some(true),
            Self::Values { count: 1, shown } if shown[0] == "false" => Some(false),
            _ => None,
        }
    }
}

fn shown(value: &FhirPathValue) -> String {
    let shorter = operators::shortest_value(value);
    let text = match shorter.as_ref().unwrap_or(value) {
        FhirPathValue::Resource(node, ..) => node.to_json().to_string(),
        FhirPathValue::String(text, ..) => format!("'{text}'"),
        other => format!("{other}"),
    };
    cut(&text)
}

/// A text that moves no cursor and is not long.
fn cut(text: &str) -> String {
    let plain = |letter: char| if letter.is_control() { ' ' } else { letter };
    let mut short: String = text.chars().map(plain).take(MAX_LENGTH).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_are_cut_and_control_characters_left_out() {
        assert_eq!(cut("a\u{1b}[2Jb"), "a [2Jb");
        let long = "é".repeat(MAX_LENGTH);
        assert_eq!(cut(&long), long);
        assert_eq!(cut(&format!("{long}x")), format!("{long}…"));
    }
}
