//! An object whose text has been checked, and where its members stand.

use super::{Flaw, Malformed, Scanner};

/// An object inside of a record: its own bytes, and where its members stand in them.
///
/// Criteria look at a few members of a resource. That all of it is well-formed has been found when the record was decoded,
/// and whoever has this need not go through the others again.
#[derive(Debug, Clone)]
pub struct Outline<'a> {
    text: &'a str,
    places: Vec<Place>,
}

/// An object's text, with the places of its members where they are known.
#[derive(Debug, Clone, Copy)]
pub struct ObjectText<'e> {
    pub(in crate::domain) text: &'e str,
    /// All of them, or none.
    pub(in crate::domain) places: &'e [Place],
}

impl<'e> From<&'e Outline<'_>> for ObjectText<'e> {
    fn from(outline: &'e Outline<'_>) -> Self {
        Self { text: outline.text, places: &outline.places }
    }
}

/// A text of which no places are known: whoever reads it goes through all of it.
impl<'e> From<&'e str> for ObjectText<'e> {
    fn from(text: &'e str) -> Self {
        Self { text, places: &[] }
    }
}

/// Where a member stands in the text of its object, in bytes.
#[derive(Debug, Clone, Copy)]
pub(in crate::domain) struct Place {
    /// The opening quote of its name.
    pub(in crate::domain) name: u32,
    /// Behind the closing quote of its name.
    pub(in crate::domain) name_end: u32,
    /// Whether the name has escapes.
    pub(in crate::domain) is_escaped: bool,
    /// The first byte of its value.
    pub(in crate::domain) value: u32,
}

/// A resource has far fewer members. The places of an object that has more are not kept, so that they take little
/// memory beside its text.
const MOST_PLACES: usize = 256;

/// The room that most resources need.
const USUAL_PLACES: usize = 24;

/// Why a text is no outline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoOutline {
    /// No JSON object.
    Malformed,
    /// An object that cannot be used.
    Flawed(Flaw),
}

impl<'a> Outline<'a> {
    /// Reads a text that is one object.
    ///
    /// # Errors
    /// See [`NoOutline`].
    pub fn read(text: &'a str) -> Result<Self, NoOutline> {
        let mut scanner = Scanner::new(text);
        let outline = Self::scan(&mut scanner, |_, _| {}).map_err(|Malformed| NoOutline::Malformed)?;
        scanner.end().map_err(|Malformed| NoOutline::Malformed)?;
        outline.map_err(NoOutline::Flawed)
    }

    /// Takes an object, behind white space; shows the name and the text of each member.
    pub(in crate::domain) fn scan(
        scanner: &mut Scanner<'a>,
        mut visit: impl FnMut(&str, &'a str),
    ) -> Result<Result<Self, Flaw>, Malformed> {
        scanner.take_flaw();
        scanner.next();
        let start = scanner.at();
        let mut places = Vec::with_capacity(USUAL_PLACES);
        let mut members = 0;
        scanner.members(|name, scanner| {
            scanner.next();
            let value = scanner.at();
            let place = Place::in_text(start, name.start, name.end, name.is_escaped(), value);
            members += 1;
            places.extend(place.filter(|_| members <= MOST_PLACES));
            visit(&name.text, scanner.value(1)?);
            Ok(())
        })?;
        if places.len() < members {
            places = Vec::new();
        }
        let outline = Self { text: scanner.since(start), places };
        Ok(scanner.take_flaw().map_or(Ok(outline), Err))
    }

    /// The object's text.
    #[must_use]
    pub fn text(&self) -> &'a str {
        self.text
    }
}

impl Place {
    fn in_text(start: usize, name: usize, name_end: usize, is_escaped: bool, value: usize) -> Option<Self> {
        let here = |position: usize| u32::try_from(position - start).ok();
        Some(Self { name: here(name)?, name_end: here(name_end)?, is_escaped, value: here(value)? })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a panic is the failure of a test")]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn members(outline: &Outline<'_>) -> Vec<(String, String)> {
        let text = |from: u32, to: u32| outline.text[from as usize..to as usize].to_owned();
        let value = |place: &Place| {
            let mut scanner = Scanner::new(outline.text);
            scanner.go_to(place.value as usize);
            scanner.value(0).unwrap().to_owned()
        };
        outline.places.iter().map(|place| (text(place.name, place.name_end), value(place))).collect()
    }

    #[test]
    fn places_are_those_of_the_members_in_the_objects_own_text() {
        let text = " \n{ \"a\" : [1, {\"b\":2}] ,\"\\u0062\":\"x\", \"a\":null}\t";
        let outline = Outline::read(text).unwrap();
        assert_eq!(outline.text(), text.trim_ascii());
        let expected = [("\"a\"", "[1, {\"b\":2}]"), ("\"\\u0062\"", "\"x\""), ("\"a\"", "null")];
        assert_eq!(members(&outline), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(outline.places.iter().map(|place| place.is_escaped).collect::<Vec<_>>(), [false, true, false]);
    }

    #[test]
    fn an_object_in_an_envelope_is_told_from_its_own_start() {
        let text = r#"{"first":"\"","resource": {"status":"final"}, "last":1}"#;
        let mut scanner = Scanner::new(text);
        let mut found = None;
        scanner
            .members(|name, scanner| {
                if name.text == "resource" {
                    found = Some(Outline::scan(scanner, |_, _| {})?.unwrap());
                    return Ok(());
                }
                scanner.skip(1)
            })
            .unwrap();
        let outline = found.unwrap();
        assert_eq!(outline.text(), r#"{"status":"final"}"#);
        assert_eq!(members(&outline), [("\"status\"".to_owned(), "\"final\"".to_owned())]);
    }

    #[test]
    fn what_is_no_usable_object_is_refused() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(127), "]".repeat(127));
        assert!(Outline::read(&deep).is_ok());
        let too_deep = format!("{{\"a\":{}{}}}", "[".repeat(128), "]".repeat(128));
        for (text, why) in [
            ("[]", NoOutline::Malformed),
            ("{} {}", NoOutline::Malformed),
            ("{\"a\":1,}", NoOutline::Malformed),
            (too_deep.as_str(), NoOutline::Flawed(Flaw::TooDeep)),
            (r#"{"a":["\ud800"]}"#, NoOutline::Flawed(Flaw::LoneSurrogate)),
        ] {
            assert_eq!(Outline::read(text).unwrap_err(), why, "{text}");
        }
    }

    #[test]
    fn the_places_of_very_many_members_are_not_kept() {
        for (count, kept) in [(MOST_PLACES, MOST_PLACES), (MOST_PLACES + 1, 0)] {
            let mut text = "{\"first\":0".to_owned();
            (1..count).for_each(|number| write!(text, ",\"{number}\":0").unwrap());
            text.push('}');
            let outline = Outline::read(&text).unwrap();
            assert_eq!(outline.places.len(), kept);
            assert_eq!(outline.text(), text);
        }
    }
}
