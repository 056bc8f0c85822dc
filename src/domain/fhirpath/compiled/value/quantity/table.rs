//! The units that are known, from the UCUM specification (tables 1 to 9): those of health data whose factor to the base
//! units is exact. Not here, so that they compare only with themselves: what is defined by a measured constant or by pi
//! (dalton, degree), logarithmic units, and arbitrary units but for the common ones.
//!
//! The mole is a base unit here: to UCUM it is a number, and "mmol" then a dimensionless unit.

use super::ucum::Scale;

/// Metre, second, gram, kelvin, coulomb, candela, mole, and the arbitrary units `[IU]`, `[arb'U]`, `[CFU]`.
pub(super) const DIMENSIONS: usize = 10;

pub(super) type Dimensions = [i8; DIMENSIONS];

const fn dimensions(metre: i8, second: i8, gram: i8) -> Dimensions {
    [metre, second, gram, 0, 0, 0, 0, 0, 0, 0]
}

const fn with(mut dimensions: Dimensions, index: usize, exponent: i8) -> Dimensions {
    dimensions[index] = exponent;
    dimensions
}

const NUMBER: Dimensions = dimensions(0, 0, 0);
const LENGTH: Dimensions = dimensions(1, 0, 0);
const VOLUME: Dimensions = dimensions(3, 0, 0);
pub(super) const TIME: Dimensions = dimensions(0, 1, 0);
const FREQUENCY: Dimensions = dimensions(0, -1, 0);
const MASS: Dimensions = dimensions(0, 0, 1);
const FORCE: Dimensions = dimensions(1, -2, 1);
const PRESSURE: Dimensions = dimensions(-1, -2, 1);
const ENERGY: Dimensions = dimensions(2, -2, 1);
const POWER: Dimensions = dimensions(2, -3, 1);
const DOSE: Dimensions = dimensions(2, -2, 0);
const TEMPERATURE: Dimensions = with(NUMBER, 3, 1);
const CHARGE: Dimensions = with(NUMBER, 4, 1);
const AMOUNT: Dimensions = with(NUMBER, 6, 1);

/// An atom: its code, whether it takes prefixes, and what it is: `numerator × 10^exponent` of base units.
struct Atom(&'static str, bool, u64, i32, Dimensions);

const METRIC: bool = true;
const PLAIN: bool = false;

/// Sorted by code.
const ATOMS: &[Atom] = &[
    Atom("%", PLAIN, 1, -2, NUMBER),
    Atom("A", METRIC, 1, 0, with(FREQUENCY, 4, 1)),
    Atom("Ao", PLAIN, 1, -10, LENGTH),
    Atom("Bq", METRIC, 1, 0, FREQUENCY),
    Atom("C", METRIC, 1, 0, CHARGE),
    Atom("Ci", METRIC, 37, 9, FREQUENCY),
    Atom("F", METRIC, 1, -3, with(dimensions(-2, 2, -1), 4, 2)),
    Atom("Gy", METRIC, 1, 0, DOSE),
    Atom("Hz", METRIC, 1, 0, FREQUENCY),
    Atom("J", METRIC, 1, 3, ENERGY),
    Atom("K", METRIC, 1, 0, TEMPERATURE),
    Atom("L", METRIC, 1, -3, VOLUME),
    Atom("N", METRIC, 1, 3, FORCE),
    Atom("Ohm", METRIC, 1, 3, with(dimensions(2, -1, 1), 4, -2)),
    Atom("P", METRIC, 1, 2, dimensions(-1, -1, 1)),
    Atom("Pa", METRIC, 1, 3, PRESSURE),
    Atom("S", METRIC, 1, -3, with(dimensions(-2, 1, -1), 4, 2)),
    Atom("Sv", METRIC, 1, 0, DOSE),
    Atom("T", METRIC, 1, 3, with(dimensions(0, -1, 1), 4, -1)),
    Atom("V", METRIC, 1, 3, with(ENERGY, 4, -1)),
    Atom("W", METRIC, 1, 3, POWER),
    Atom("Wb", METRIC, 1, 3, with(dimensions(2, -1, 1), 4, -1)),
    Atom("[CFU]", PLAIN, 1, 0, with(NUMBER, 9, 1)),
    Atom("[Cal]", PLAIN, 4184, 3, ENERGY),
    Atom("[IU]", METRIC, 1, 0, with(NUMBER, 7, 1)),
    Atom("[arb'U]", PLAIN, 1, 0, with(NUMBER, 8, 1)),
    Atom("[cup_m]", PLAIN, 240, -6, VOLUME),
    Atom("[cup_us]", PLAIN, 2_365_882_365, -13, VOLUME),
    Atom("[drp]", PLAIN, 5, -8, VOLUME),
    Atom("[foz_m]", PLAIN, 30, -6, VOLUME),
    Atom("[foz_us]", PLAIN, 295_735_295_625, -16, VOLUME),
    Atom("[ft_i]", PLAIN, 3048, -4, LENGTH),
    Atom("[gal_us]", PLAIN, 3_785_411_784, -12, VOLUME),
    Atom("[gr]", PLAIN, 6_479_891, -8, MASS),
    Atom("[iU]", METRIC, 1, 0, with(NUMBER, 7, 1)),
    Atom("[in_i]", PLAIN, 254, -4, LENGTH),
    Atom("[lb_av]", PLAIN, 45_359_237, -5, MASS),
    Atom("[mi_i]", PLAIN, 1_609_344, -3, LENGTH),
    Atom("[nmi_i]", PLAIN, 1852, 0, LENGTH),
    Atom("[oz_av]", PLAIN, 28_349_523_125, -9, MASS),
    Atom("[ppb]", PLAIN, 1, -9, NUMBER),
    Atom("[ppm]", PLAIN, 1, -6, NUMBER),
    Atom("[ppth]", PLAIN, 1, -3, NUMBER),
    Atom("[pptr]", PLAIN, 1, -12, NUMBER),
    Atom("[pt_us]", PLAIN, 473_176_473, -12, VOLUME),
    Atom("[qt_us]", PLAIN, 946_352_946, -12, VOLUME),
    Atom("[stone_av]", PLAIN, 635_029_318, -5, MASS),
    Atom("[tbs_m]", PLAIN, 15, -6, VOLUME),
    Atom("[tbs_us]", PLAIN, 1_478_676_478_125, -17, VOLUME),
    Atom("[tsp_m]", PLAIN, 5, -6, VOLUME),
    Atom("[tsp_us]", PLAIN, 492_892_159_375, -17, VOLUME),
    Atom("[yd_i]", PLAIN, 9144, -4, LENGTH),
    Atom("a", PLAIN, 315_576, 2, TIME),
    Atom("a_g", PLAIN, 31_556_952, 0, TIME),
    Atom("a_j", PLAIN, 315_576, 2, TIME),
    Atom("a_t", PLAIN, 31_556_925_216, -3, TIME),
    Atom("ar", METRIC, 1, 2, dimensions(2, 0, 0)),
    Atom("atm", PLAIN, 101_325, 3, PRESSURE),
    Atom("bar", METRIC, 1, 8, PRESSURE),
    Atom("cal", METRIC, 4184, 0, ENERGY),
    Atom("cal_th", METRIC, 4184, 0, ENERGY),
    Atom("cd", METRIC, 1, 0, with(NUMBER, 5, 1)),
    Atom("d", PLAIN, 86_400, 0, TIME),
    Atom("dyn", METRIC, 1, -2, FORCE),
    Atom("eq", METRIC, 1, 0, AMOUNT),
    Atom("erg", METRIC, 1, -4, ENERGY),
    Atom("g", METRIC, 1, 0, MASS),
    Atom("h", PLAIN, 3600, 0, TIME),
    Atom("kat", METRIC, 1, 0, with(FREQUENCY, 6, 1)),
    Atom("l", METRIC, 1, -3, VOLUME),
    Atom("m", METRIC, 1, 0, LENGTH),
    Atom("m[H2O]", METRIC, 980_665, 1, PRESSURE),
    Atom("m[Hg]", METRIC, 133_322, 3, PRESSURE),
    Atom("min", PLAIN, 60, 0, TIME),
    Atom("mo", PLAIN, 2_629_800, 0, TIME),
    Atom("mo_g", PLAIN, 2_629_746, 0, TIME),
    Atom("mo_j", PLAIN, 2_629_800, 0, TIME),
    Atom("mo_s", PLAIN, 2_551_442_976, -3, TIME),
    Atom("mol", METRIC, 1, 0, AMOUNT),
    Atom("osm", METRIC, 1, 0, AMOUNT),
    Atom("s", METRIC, 1, 0, TIME),
    Atom("st", METRIC, 1, 0, VOLUME),
    Atom("t", METRIC, 1, 6, MASS),
    Atom("wk", PLAIN, 604_800, 0, TIME),
];

/// `da` stands before `d`.
const PREFIXES: &[(&str, i32)] = &[
    ("Y", 24),
    ("Z", 21),
    ("E", 18),
    ("P", 15),
    ("T", 12),
    ("G", 9),
    ("M", 6),
    ("k", 3),
    ("h", 2),
    ("da", 1),
    ("d", -1),
    ("c", -2),
    ("m", -3),
    ("u", -6),
    ("n", -9),
    ("p", -12),
    ("f", -15),
    ("a", -18),
    ("z", -21),
    ("y", -24),
];

/// An atom, with a prefix or without.
pub(super) fn find(code: &str) -> Option<Scale> {
    if let Some(scale) = enzyme(code) {
        return Some(scale);
    }
    if let Some(atom) = atom(code) {
        return Some(scale(atom, 0));
    }
    PREFIXES.iter().find_map(|(prefix, exponent)| {
        let rest = code.strip_prefix(prefix)?;
        let unprefixed = atom(rest).filter(|atom| atom.1).map(|atom| scale(atom, *exponent));
        unprefixed.or_else(|| {
            let unit = enzyme(rest)?;
            Some(Scale { exponent: unit.exponent + exponent, ..unit })
        })
    })
}

/// The enzyme unit: a micromole a minute, the only one whose factor is no decimal.
fn enzyme(code: &str) -> Option<Scale> {
    let dimensions = with(FREQUENCY, 6, 1);
    (code == "U").then_some(Scale { numerator: 1, denominator: 6, exponent: -7, offset: 0, dimensions })
}

fn atom(code: &str) -> Option<&'static Atom> {
    ATOMS.binary_search_by(|atom| atom.0.cmp(code)).ok().map(|index| &ATOMS[index])
}

fn scale(atom: &Atom, prefix: i32) -> Scale {
    Scale { numerator: atom.2, denominator: 1, exponent: atom.3 + prefix, offset: 0, dimensions: atom.4 }
}

/// A temperature whose zero is not that of the kelvin.
pub(super) fn temperature(code: &str) -> Option<Scale> {
    let kelvin = Scale { numerator: 1, denominator: 1, exponent: 0, offset: 0, dimensions: TEMPERATURE };
    match code {
        "Cel" => Some(Scale { offset: 27_315, ..kelvin }),
        "[degF]" => Some(Scale { numerator: 5, denominator: 9, offset: 45_967, ..kelvin }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn atoms_are_sorted_and_none_hides_a_prefixed_one() {
        assert!(ATOMS.is_sorted_by(|left, right| left.0 < right.0));
        for atom in ATOMS {
            let read_as_prefixed = PREFIXES.iter().find(|(prefix, _)| {
                atom.0.strip_prefix(prefix).is_some_and(|rest| ATOMS.iter().any(|other| other.1 && other.0 == rest))
            });
            // UCUM has these as they are: an atom is never read as a prefix and an atom.
            let known = ["Pa", "ar", "cd", "mo", "m[Hg]"];
            assert!(read_as_prefixed.is_none() || known.contains(&atom.0) || atom.0 == "dar", "{}", atom.0);
        }
    }
}
