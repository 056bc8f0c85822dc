//! Observation: laboratory results.

use jiff::Timestamp;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::super::chart::instant;
use super::super::json::{Json, object};
use super::super::{Criticality, LabResult};
use super::{Visit, coding, narrative};

/// A laboratory test. Ranges are in thousandths of the unit, ends included.
#[derive(Debug)]
pub(crate) struct Test {
    pub(crate) code: &'static str,
    pub(crate) display: &'static str,
    pub(crate) unit: &'static str,
    /// Digits behind the point that the laboratory reports.
    digits: u32,
    /// Values that occur at all.
    possible: (i64, i64),
    /// The reference range.
    pub(crate) normal: (i64, i64),
    /// Values below or above are critical.
    critical: (i64, i64),
}

/// The metabolic panel and haemoglobin.
pub(crate) const PANEL: &[Test] = &[
    Test {
        code: "2345-7",
        display: "Glucose [Mass/volume] in Serum or Plasma",
        unit: "mg/dL",
        digits: 0,
        possible: (32_000, 620_000),
        normal: (70_000, 140_000),
        critical: (50_000, 450_000),
    },
    Test {
        code: "2160-0",
        display: "Creatinine [Mass/volume] in Serum or Plasma",
        unit: "mg/dL",
        digits: 2,
        possible: (400, 9_000),
        normal: (600, 1_300),
        critical: (400, 5_000),
    },
    Test {
        code: "6298-4",
        display: "Potassium [Moles/volume] in Blood",
        unit: "mmol/L",
        digits: 1,
        possible: (2_000, 8_000),
        normal: (3_500, 5_100),
        critical: (2_800, 6_200),
    },
    Test {
        code: "2951-2",
        display: "Sodium [Moles/volume] in Serum or Plasma",
        unit: "mmol/L",
        digits: 0,
        possible: (112_000, 168_000),
        normal: (135_000, 145_000),
        critical: (120_000, 160_000),
    },
    Test {
        code: "718-7",
        display: "Hemoglobin [Mass/volume] in Blood",
        unit: "g/dL",
        digits: 1,
        possible: (5_000, 21_000),
        normal: (12_000, 17_000),
        critical: (7_000, 20_000),
    },
];

impl Test {
    /// A value: mostly normal, sometimes outside of the range, now and then critical.
    pub(crate) fn draw(&self, rng: &mut ChaCha8Rng) -> LabResult {
        let step = 10_i64.pow(3 - self.digits);
        let (low, high) = match rng.random_range(0..100) {
            0..70 => self.normal,
            70..92 if rng.random_bool(0.5) => (self.critical.0, self.normal.0),
            70..92 => (self.normal.1, self.critical.1),
            _ if rng.random_bool(0.4) => (self.possible.0, self.critical.0),
            _ => (self.critical.1, self.possible.1),
        };
        let thousandths = rng.random_range(low / step..=high / step) * step;
        LabResult { code: self.code, thousandths, criticality: self.criticality(thousandths) }
    }

    fn criticality(&self, thousandths: i64) -> Criticality {
        let within = |(low, high): (i64, i64)| (low..=high).contains(&thousandths);
        if !within(self.critical) {
            Criticality::Critical
        } else if within(self.normal) {
            Criticality::Normal
        } else {
            Criticality::Abnormal
        }
    }

    /// The value with the laboratory's digits: `4.0`, not `4`.
    pub(crate) fn decimal(&self, thousandths: i64) -> String {
        if self.digits == 0 {
            return (thousandths / 1000).to_string();
        }
        let fraction = thousandths % 1000 / 10_i64.pow(3 - self.digits);
        format!("{}.{fraction:0width$}", thousandths / 1000, width = self.digits as usize)
    }

    fn quantity(&self, thousandths: i64) -> Json {
        object! {
            "value": Json::number(self.decimal(thousandths)),
            "unit": self.unit,
            "system": "http://unitsofmeasure.org",
            "code": self.unit,
        }
    }

    fn interpretation(&self, result: LabResult) -> Json {
        let low = result.thousandths < self.normal.0;
        let (code, display) = match (result.criticality, low) {
            (Criticality::Normal, _) => ("N", "Normal"),
            (Criticality::Abnormal, true) => ("L", "Low"),
            (Criticality::Abnormal, false) => ("H", "High"),
            (Criticality::Critical, true) => ("LL", "Critical low"),
            (Criticality::Critical, false) => ("HH", "Critical high"),
        };
        let system = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation";
        object! { "coding": [coding(system, code, display)] }
    }

    /// Puts a result into the resource; a new one or a corrected one.
    pub(in super::super) fn report(&self, resource: &mut Json, result: LabResult) {
        resource.set("valueQuantity", self.quantity(result.thousandths));
        resource.set("interpretation", [self.interpretation(result)]);
        let text = format!("{}: {} {}", self.display, self.decimal(result.thousandths), self.unit);
        resource.set("text", narrative(&text));
    }
}

pub(in super::super) fn observation(
    visit: &Visit<'_>,
    id: &str,
    status: &str,
    test: &Test,
    result: LabResult,
    at: Timestamp,
) -> Json {
    let category_system = "http://terminology.hl7.org/CodeSystem/observation-category";
    let range = |bound| test.quantity(bound);
    let mut resource = object! {
        "resourceType": "Observation",
        "id": id,
        "meta": object! {},
        "text": object! {},
        "identifier": [object! {
            "system": "http://northwind.example.org/laboratory-result",
            "value": format!("{}-{}", visit.person.record_number, &id[..8]),
        }],
        "status": status,
        "category": [object! { "coding": [coding(category_system, "laboratory", "Laboratory")] }],
        "code": object! { "coding": [coding("http://loinc.org", test.code, test.display)], "text": test.display },
        "subject": visit.subject(),
        "encounter": visit.encounter(),
        "effectiveDateTime": instant(at),
        "issued": instant(at),
        "performer": [visit.place()],
        "valueQuantity": object! {},
        "interpretation": Vec::new(),
        "referenceRange": [object! { "low": range(test.normal.0), "high": range(test.normal.1) }],
    };
    test.report(&mut resource, result);
    resource
}
