//! Invented people: names, streets, telephone numbers.

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

const FEMALE: &[&str] = &["Amara", "Beatriz", "Chloé", "Dilara", "Edda", "Fatou", "Greta", "Hana", "Ingrid", "Jūratė"];
const MALE: &[&str] = &["Anton", "Bilal", "Cédric", "Dawit", "Emil", "Farid", "Gustav", "Hiro", "Ivo", "Jakub"];
const FAMILY: &[&str] = &[
    "Abbott",
    "Brandt",
    "Castellano",
    "Dvořák",
    "Eriksen",
    "Fontaine",
    "Grübel",
    "Haddad",
    "Ivanova",
    "Jansen",
    "Kovács",
    "Lindqvist",
    "Moreau",
    "Nakamura",
    "O'Hara",
    "Petrov",
    "Quintero",
    "Rahman",
    "Sørensen",
    "Tanaka",
];
const STREETS: &[&str] = &["Alder Lane", "Bridge Street", "Canal Row", "Dover Road", "Elm Avenue", "Foundry Hill"];

/// A person.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) given: &'static str,
    pub(crate) family: &'static str,
    pub(crate) gender: &'static str,
    pub(crate) birth_date: String,
    pub(crate) phone: String,
    pub(crate) street: String,
    pub(crate) postal_code: String,
    pub(crate) record_number: String,
}

impl Person {
    pub(crate) fn new(rng: &mut ChaCha8Rng) -> Self {
        let (gender, given) =
            if rng.random_bool(0.5) { ("female", pick(rng, FEMALE)) } else { ("male", pick(rng, MALE)) };
        let year = rng.random_range(1932..2026);
        Self {
            given,
            family: pick(rng, FAMILY),
            gender,
            birth_date: format!("{year}-{:02}-{:02}", rng.random_range(1..=12), rng.random_range(1..=28)),
            phone: phone(rng),
            street: street(rng),
            postal_code: format!("{:05}", rng.random_range(10_000..99_999)),
            record_number: format!("{:08}", rng.random_range(1_000_000..99_999_999)),
        }
    }

    pub(crate) fn display(&self) -> String {
        format!("{} {}", self.given, self.family)
    }
}

/// One of a list that is not empty.
pub(crate) fn pick<T: Copy>(rng: &mut ChaCha8Rng, items: &[T]) -> T {
    *items.choose(rng).expect("the lists of this module and its callers are not empty")
}

/// A telephone number from the range that is reserved for fiction.
pub(crate) fn phone(rng: &mut ChaCha8Rng) -> String {
    format!("+1-{}-555-01{:02}", rng.random_range(201..990), rng.random_range(0..100))
}

pub(crate) fn street(rng: &mut ChaCha8Rng) -> String {
    format!("{} {}", rng.random_range(1..240), pick(rng, STREETS))
}
