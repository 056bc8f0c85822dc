//! The words of topics.yaml for what is chosen from a few: the reader, its hints, the plan's hash, the comparison of plans,
//! the JSON Schema and the reference page all take them from here.

use super::event::{FhirRelease, Interaction};
use super::plan::{Content, IngestFormat, KeySource, OnDestinationError, OnError, OnMissingState, StartFrom};

/// A type whose values have words.
pub trait Word: Copy + 'static {
    /// Each value with its word and what it means.
    const WORDS: &'static [(&'static str, Self, &'static str)];

    /// The value's word.
    #[must_use]
    fn word(self) -> &'static str;
}

/// The table and its way back from one list, so that the compiler finds a value without a word.
macro_rules! words {
    ($type:ident: $($value:ident = $word:literal, $meaning:literal;)+) => {
        impl Word for $type {
            const WORDS: &'static [(&'static str, Self, &'static str)] = &[$(($word, Self::$value, $meaning)),+];

            fn word(self) -> &'static str {
                match self { $(Self::$value => $word),+ }
            }
        }
    };
}

words! { FhirRelease:
    R4 = "R4", "FHIR 4.0.1";
    R4B = "R4B", "FHIR 4.3.0";
    R5 = "R5", "FHIR 5.0.0";
}

words! { Interaction:
    Create = "create", "the resource is new";
    Update = "update", "the resource has a new version";
    Delete = "delete", "the resource is gone";
}

words! { IngestFormat:
    Change = "change", "the change envelope `{\"interaction\", \"resource\", \"previous\", ...}`";
    Fhir = "fhir", "bare FHIR resources";
    Bundle = "bundle", "FHIR Bundles, one event per entry";
}

words! { OnError:
    DeadLetter = "dead-letter", "one dead letter per event and topic";
    Skip = "skip", "it is counted only";
    Stop = "stop", "the process ends with code 2 before the record";
}

words! { OnMissingState:
    DeadLetter = "dead-letter", "one dead letter per event and topic";
    Skip = "skip", "the criterion is evaluated with the state empty";
}

words! { OnDestinationError:
    Block = "block", "processing waits, with an alarm, until the destination takes records again";
    DeadLetter = "dead-letter", "its notifications become dead letters for 60 s, then it is tried again";
}

words! { Content:
    FullResource = "full-resource", "the focus and the resource itself";
    IdOnly = "id-only", "the focus, and the entry without the resource";
    Empty = "empty", "only that something happened";
}

words! { KeySource:
    Source = "source", "the ingest record's key; where that is null, `Type/id`";
    Resource = "resource", "`Type/id`";
    Patient = "patient", "the bare id of the patient; where there is none, `Type/id`";
    None = "none", "null";
}

impl StartFrom {
    /// As topics.yaml has it; a time in UTC.
    #[must_use]
    pub fn text(self) -> String {
        match self {
            Self::Earliest => "earliest".to_owned(),
            Self::Latest => "latest".to_owned(),
            Self::Time(time) => time.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check<T: Word + PartialEq + std::fmt::Debug>() {
        for (word, value, meaning) in T::WORDS {
            assert_eq!(value.word(), *word);
            assert!(!meaning.is_empty());
            assert_eq!(T::WORDS.iter().filter(|(other, ..)| other == word).count(), 1, "{word} stands for two");
        }
    }

    #[test]
    fn each_word_stands_for_one_value() {
        check::<FhirRelease>();
        check::<Interaction>();
        check::<IngestFormat>();
        check::<OnError>();
        check::<OnMissingState>();
        check::<OnDestinationError>();
        check::<Content>();
        check::<KeySource>();
        assert!(Interaction::ALL.iter().all(|interaction| interaction.word() == interaction.code()));
        assert!(FhirRelease::WORDS.iter().all(|(word, release, _)| FhirRelease::parse(word) == Some(*release)));
    }
}
