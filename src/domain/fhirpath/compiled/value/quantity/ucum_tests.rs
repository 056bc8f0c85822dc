use proptest::prelude::*;

use super::*;

fn same(left: &str, right: &str) -> bool {
    let scale = |code: &str| parse(code).unwrap_or_else(|| panic!("{code} is not known"));
    let (left, right) = (scale(left), scale(right));
    left.dimensions == right.dimensions && left.compare(&right).is_eq()
}

#[test]
fn units_are_what_ucum_says() {
    for (left, right) in [
        ("[ft_i]", "12.[in_i]"),
        ("[yd_i]", "3.[ft_i]"),
        ("[mi_i]", "5280.[ft_i]"),
        ("[lb_av]", "16.[oz_av]"),
        ("[lb_av]", "7000.[gr]"),
        ("[stone_av]", "14.[lb_av]"),
        ("[gal_us]", "231.[in_i]3"),
        ("[gal_us]", "4.[qt_us]"),
        ("[qt_us]", "2.[pt_us]"),
        ("[pt_us]", "2.[cup_us]"),
        ("[cup_us]", "8.[foz_us]"),
        ("[foz_us]", "2.[tbs_us]"),
        ("[tbs_us]", "3.[tsp_us]"),
        ("[tbs_m]", "3.[tsp_m]"),
        ("[foz_m]", "2.[tbs_m]"),
        ("[cup_m]", "16.[tbs_m]"),
        ("20.[drp]", "mL"),
        ("L", "dm3"),
        ("l", "L"),
        ("st", "m3"),
        ("t", "1000.kg"),
        ("ar", "100.m2"),
        ("wk", "7.d"),
        ("d", "24.h"),
        ("h", "60.min"),
        ("min", "60.s"),
        ("a", "a_j"),
        ("a_j", "12.mo_j"),
        ("a_g", "12.mo_g"),
        ("mo", "mo_j"),
        ("N", "kg.m/s2"),
        ("Pa", "N/m2"),
        ("J", "N.m"),
        ("W", "J/s"),
        ("V", "J/C"),
        ("A", "C/s"),
        ("F", "C/V"),
        ("Ohm", "V/A"),
        ("S", "Ohm-1"),
        ("Wb", "V.s"),
        ("T", "Wb/m2"),
        ("Gy", "J/kg"),
        ("Sv", "Gy"),
        ("Bq", "s-1"),
        ("Hz", "/s"),
        ("Ci", "37.GBq"),
        ("bar", "100.kPa"),
        ("atm", "101325.Pa"),
        ("1000.m[H2O]", "980665.daPa"),
        ("m[Hg]", "133322.Pa"),
        ("dyn", "g.cm/s2"),
        ("erg", "dyn.cm"),
        ("P", "dyn.s/cm2"),
        ("[Cal]", "kcal"),
        ("1000.cal", "4184.J"),
        ("cal_th", "cal"),
        ("kat", "mol/s"),
        ("U", "umol/min"),
        ("eq", "mol"),
        ("osm", "mol"),
        ("%", "10*-2"),
        ("[ppm]", "10^-6"),
        ("[ppth]", "1000.[ppm]"),
        ("[ppb]", "1000.[pptr]"),
        ("[iU]", "[IU]"),
        ("Ao", "100.pm"),
        ("[nmi_i]", "1852.m"),
    ] {
        assert!(same(left, right), "{left} {right}");
    }
}

#[test]
fn codes_are_read_as_ucum_writes_them() {
    for (left, right) in [
        ("mg/dL", "10.mg/L"),
        ("10*3/uL", "10*9/L"),
        ("mL/min/{1.73_m2}", "mL/min"),
        ("kg/m2", "kg.m-2"),
        ("m+2", "m2"),
        ("(kg.m)/(s.s)", "N"),
        ("/m/s", "m-1.s-1"),
        ("{score}", "1"),
        ("g{creat}", "g"),
        ("mm[Hg]", "133322.mPa"),
        ("dar", "10*-1.ar"),
        ("mmol/mol{creat}", "10*-3"),
        ("g/(8.h)", "3.g/d"),
    ] {
        assert!(same(left, right), "{left} {right}");
    }
}

#[test]
fn what_is_not_known_is_refused() {
    let deep = format!("{}m{}", "(".repeat(60), ")".repeat(60));
    let long = "m.".repeat(100) + "m";
    for code in [
        "",
        " ",
        "foo",
        "mfoo",
        "kmin",
        "m/",
        "m.",
        ".m",
        "/",
        "m//s",
        "m2.",
        "(m",
        "m)",
        "m{",
        "m{a{b}}",
        "{a",
        "}",
        "m 2",
        "10*99/10*-99.",
        "0",
        "0.m",
        "99999999999999999999",
        "m100",
        "m-",
        "m+",
        "kCel",
        "Cel/s",
        "Cel2",
        "deg",
        "rad",
        "[pH]",
        "mL/min/1.73",
        "[",
        "]",
        "[x",
        "dB",
        "µg",
        "m²",
        "1e5",
        "kkg",
        &deep,
        &long,
    ] {
        assert!(parse(code).is_none(), "{code}");
    }
    assert!(parse("Ym99.Ym99").is_none(), "its dimension is too large");
}

proptest! {
    #[test]
    fn no_code_panics(code in "[a-zA-Z0-9*^./(){}\\[\\]+%' -]{0,40}", any in "\\PC{0,40}") {
        for code in [code, any] {
            if let Some(scale) = parse(&code) {
                prop_assert!(scale.numerator > 0 && scale.denominator > 0);
                prop_assert!(scale.compare(&scale).is_eq());
            }
        }
    }

    #[test]
    fn a_unit_over_itself_is_one(code in "[mgLsK](/[mgsL]){0,3}[2-9]?") {
        let ratio = parse(&format!("({code})/({code})")).expect("it is known");
        let one = parse("1").expect("it is known");
        prop_assert!(ratio.dimensions == one.dimensions && ratio.compare(&one).is_eq());
    }
}
