//! The organizations of the sample data.
//!
//! ```text
//! Organization/northwind-health           the health system
//!   Organization/st-anna                  a hospital
//!     Organization/st-anna-cardiology     its departments
//!     Organization/st-anna-laboratory
//!   Organization/riverside                a hospital; its wards have no organization of their own
//!     Organization/riverside-emergency
//! Organization/harbor-clinic              a clinic outside of the health system
//!   Organization/harbor-clinic-practice
//! ```

/// The health system: the root of [`hierarchy`].
pub const HEALTH_SYSTEM: &str = "Organization/northwind-health";
/// A clinic that belongs to nobody else.
pub const UNRELATED_CLINIC: &str = "Organization/harbor-clinic";
/// An organization that no hierarchy names.
pub const UNKNOWN_ORGANIZATION: &str = "Organization/visiting-team";

/// A hospital or clinic.
#[derive(Debug, PartialEq, Eq)]
pub struct Hospital {
    /// `Organization/id`.
    pub organization: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Its parent, if it has one.
    pub parent: Option<&'static str>,
    /// Where it stands.
    pub city: &'static str,
    /// Its departments.
    pub departments: &'static [Department],
    /// How many of ten patients come here.
    pub share: u32,
}

/// A department of a hospital.
#[derive(Debug, PartialEq, Eq)]
pub struct Department {
    /// `Organization/id`.
    pub organization: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What its encounters are.
    pub class: EncounterClass,
}

/// HL7 v3 ActCode of an encounter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EncounterClass {
    /// AMB: ambulatory.
    Ambulatory,
    /// EMER: emergency.
    Emergency,
    /// IMP: inpatient.
    Inpatient,
}

impl EncounterClass {
    /// The code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Ambulatory => "AMB",
            Self::Emergency => "EMER",
            Self::Inpatient => "IMP",
        }
    }

    /// The code's display.
    #[must_use]
    pub fn display(self) -> &'static str {
        match self {
            Self::Ambulatory => "ambulatory",
            Self::Emergency => "emergency",
            Self::Inpatient => "inpatient encounter",
        }
    }
}

/// All hospitals.
pub const HOSPITALS: &[Hospital] = &[
    Hospital {
        organization: "Organization/st-anna",
        name: "St. Anna Hospital",
        parent: Some(HEALTH_SYSTEM),
        city: "Ashford",
        departments: &[
            Department {
                organization: "Organization/st-anna-cardiology",
                name: "Cardiology",
                class: EncounterClass::Inpatient,
            },
            Department {
                organization: "Organization/st-anna-laboratory",
                name: "Laboratory",
                class: EncounterClass::Ambulatory,
            },
        ],
        share: 5,
    },
    Hospital {
        organization: "Organization/riverside",
        name: "Riverside Hospital",
        parent: Some(HEALTH_SYSTEM),
        city: "Millbrook",
        departments: &[
            Department {
                organization: "Organization/riverside-emergency",
                name: "Emergency Department",
                class: EncounterClass::Emergency,
            },
            Department { organization: "Organization/riverside", name: "Ward 3", class: EncounterClass::Inpatient },
        ],
        share: 4,
    },
    Hospital {
        organization: UNRELATED_CLINIC,
        name: "Harbor Clinic",
        parent: None,
        city: "Port Ellis",
        departments: &[Department {
            organization: "Organization/harbor-clinic-practice",
            name: "General Practice",
            class: EncounterClass::Ambulatory,
        }],
        share: 1,
    },
];

/// Child and parent of every organization that has one: what `organizations.hierarchy` of topics.yaml says.
#[must_use]
pub fn hierarchy() -> Vec<(&'static str, &'static str)> {
    let mut pairs = Vec::new();
    for hospital in HOSPITALS {
        pairs.extend(hospital.parent.map(|parent| (hospital.organization, parent)));
        let own = hospital.departments.iter().filter(|department| department.organization != hospital.organization);
        pairs.extend(own.map(|department| (department.organization, hospital.organization)));
    }
    pairs
}

/// Whether an organization is `ancestor` or under it, by [`hierarchy`].
#[must_use]
pub fn is_within(organization: &str, ancestor: &str) -> bool {
    let pairs = hierarchy();
    let mut current = organization;
    loop {
        if current == ancestor {
            return true;
        }
        match pairs.iter().find(|(child, _)| *child == current) {
            Some((_, parent)) => current = parent,
            None => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn departments_are_within_their_hospital_and_system_and_nothing_else() {
        assert!(is_within("Organization/st-anna-cardiology", HEALTH_SYSTEM));
        assert!(is_within("Organization/st-anna-cardiology", "Organization/st-anna"));
        assert!(!is_within("Organization/st-anna-cardiology", "Organization/riverside"));
        assert!(!is_within(HEALTH_SYSTEM, "Organization/st-anna"));
        assert!(!is_within("Organization/harbor-clinic-practice", HEALTH_SYSTEM));
        assert!(!is_within(UNKNOWN_ORGANIZATION, HEALTH_SYSTEM));
        assert_eq!(HOSPITALS.iter().map(|hospital| hospital.share).sum::<u32>(), 10);
    }
}
