//! The 50 organizations of the workload, in four levels.
//!
//! ```text
//! network -> region-1..4 -> hospital-1..12 -> ward-1..33     (round robin: ward-14 is in hospital-2, that in region-2)
//! ```

const REGIONS: usize = 4;
const HOSPITALS: usize = 12;
const WARDS: usize = 33;

/// An organization: `reference` is `Organization/id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Organization {
    pub(super) reference: String,
    pub(super) name: String,
    /// The parent's reference, where it has one.
    pub(super) parent: Option<String>,
}

/// All organizations, parents before their children.
pub(super) fn all() -> Vec<Organization> {
    let reference = |level: &str, number: usize| format!("Organization/{level}-{number}");
    let mut all = vec![Organization {
        reference: "Organization/network".to_owned(),
        name: "Bench Health Network".to_owned(),
        parent: None,
    }];
    let mut level = |name: &str, label: &str, count: usize, parent: &dyn Fn(usize) -> String| {
        all.extend((1..=count).map(|number| Organization {
            reference: reference(name, number),
            name: format!("{label} {number}"),
            parent: Some(parent(number)),
        }));
    };
    level("region", "Region", REGIONS, &|_| "Organization/network".to_owned());
    level("hospital", "County Hospital", HOSPITALS, &|number| reference("region", (number - 1) % REGIONS + 1));
    level("ward", "Ward", WARDS, &|number| reference("hospital", (number - 1) % HOSPITALS + 1));
    all
}

/// The organization of a patient, as a position in [`all`]: nine of ten belong to a ward, most others to a hospital.
pub(super) fn of_lot(lot: usize) -> usize {
    let first_hospital = 1 + REGIONS;
    match lot % 100 {
        0..90 => first_hospital + HOSPITALS + lot / 100 % WARDS,
        90..98 => first_hospital + lot / 100 % HOSPITALS,
        98 => 1 + lot / 100 % REGIONS,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn fifty_in_four_levels_round_robin() {
        let all = all();
        assert_eq!(all.len(), 50);
        let parents: HashMap<_, _> = all.iter().map(|one| (one.reference.clone(), one.parent.clone())).collect();
        let up = |reference: &str| parents[reference].clone().unwrap_or_default();
        assert_eq!(up("Organization/ward-14"), "Organization/hospital-2");
        assert_eq!(up("Organization/ward-33"), "Organization/hospital-9");
        assert_eq!(up("Organization/hospital-12"), "Organization/region-4");
        assert_eq!(up("Organization/hospital-5"), "Organization/region-1");
        assert_eq!(up("Organization/region-3"), "Organization/network");
        let drawn: std::collections::HashSet<_> = (0..10_000).map(of_lot).collect();
        assert_eq!(drawn.len(), all.len(), "every organization has patients");
    }
}
