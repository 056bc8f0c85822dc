//! The texts of the resources with places for what differs: `$place$` in the files of `templates/`.
//!
//! A template is cut at its places once; making a resource is copying pieces and writing what stands between them, so
//! that millions of events cost little.

use super::resource::ResourceKind;

/// A resource's text, cut at its places.
#[derive(Debug)]
pub(super) struct Template {
    pieces: Vec<Piece>,
    end: String,
}

/// Text, and the place behind it.
#[derive(Debug)]
struct Piece {
    text: String,
    place: Place,
}

/// A place of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) field: Field,
    /// Which place of the template this is, so that two questions of a form have two answers.
    pub(super) ordinal: u64,
}

macro_rules! fields {
    ($($field:ident = $name:literal),* $(,)?) => {
        /// What a place stands for.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Field { $($field),* }

        impl Field {
            fn of_name(name: &str) -> Option<Self> {
                match name { $($name => Some(Self::$field),)* _ => None }
            }
        }
    };
}

fields! {
    Id = "id", Number = "number", Version = "version", Updated = "updated", Created = "created", Status = "status",
    Organization = "organization", PlaceName = "place", Room = "room", Patient = "patient", Encounter = "encounter",
    Name = "name", Given = "given", Family = "family", Gender = "gender", BirthDate = "birth-date",
    RecordNumber = "record-number", Phone = "phone", HomePhone = "home-phone", Street = "street",
    SecondStreet = "second-street", PostalCode = "postal-code", Practitioner = "practitioner",
    TestCode = "test-code", TestName = "test-name", TestShort = "test-short", Value = "value", Unit = "unit",
    NormalLow = "normal-low", NormalHigh = "normal-high", Flag = "flag", Specimen = "specimen", Remark = "remark",
    Class = "class", ClassName = "class-name", PeriodEnd = "period-end", Complaint = "complaint",
    MedicineCode = "medicine-code", Medicine = "medicine", Dosage = "dosage", MedicineTaken = "medicine-taken",
    Digit = "digit", YesOrNo = "yes-or-no",
}

impl Template {
    /// The template of a resource type.
    pub(super) fn of(kind: ResourceKind) -> Self {
        Self::cut(match kind {
            ResourceKind::Observation => include_str!("templates/observation.json"),
            ResourceKind::Encounter => include_str!("templates/encounter.json"),
            ResourceKind::QuestionnaireResponse => include_str!("templates/questionnaire_response.json"),
            ResourceKind::Patient => include_str!("templates/patient.json"),
            ResourceKind::MedicationRequest => include_str!("templates/medication_request.json"),
        })
    }

    /// Lines are joined without anything between them.
    fn cut(text: &str) -> Self {
        let text: String = text.lines().collect();
        let mut parts = text.split('$');
        let mut pieces = Vec::new();
        let mut end = String::new();
        while let Some(text) = parts.next() {
            let Some(name) = parts.next() else {
                end = text.to_owned();
                break;
            };
            let field = Field::of_name(name).unwrap_or_else(|| panic!("a template has an unknown place ${name}$"));
            let ordinal = pieces.len() as u64;
            pieces.push(Piece { text: text.to_owned(), place: Place { field, ordinal } });
        }
        Self { pieces, end }
    }

    /// Appends the text to `out`; `fill` writes what a place stands for.
    pub(super) fn write(&self, out: &mut String, mut fill: impl FnMut(Place, &mut String)) {
        for piece in &self.pieces {
            out.push_str(&piece.text);
            fill(piece.place, out);
        }
        out.push_str(&self.end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_numbered_and_filled() {
        let template = Template::cut("{\"a\":\"$id$\",\n\"b\":$digit$,\"c\":$digit$}");
        let mut out = String::new();
        template.write(&mut out, |place, out| out.push_str(&format!("{:?}{}", place.field, place.ordinal)));
        assert_eq!(out, "{\"a\":\"Id0\",\"b\":Digit1,\"c\":Digit2}");
    }
}
