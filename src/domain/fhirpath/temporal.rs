//! Comparison of dates and times of different precision.
//!
//! A value of less than full precision stands for the span of time that it covers: spans that do not touch compare, spans
//! that overlap compare only when they have the same precision (FHIRPath, "Date/Time comparison": otherwise the result is
//! empty). A Date is a DateTime without a time. A value without a time zone is in UTC, the service's evaluation time zone.
//! Seconds and milliseconds are one precision.

use std::cmp::Ordering;

use octofhir_fhirpath::FhirPathValue;
use octofhir_fhirpath::core::{PrecisionDateTime, TemporalPrecision};

/// Compares two dates or times. `None` where one of them is neither; `Some(None)` where the answer is empty.
pub(super) fn compare(left: &FhirPathValue, right: &FhirPathValue) -> Option<Option<Ordering>> {
    Some(compare_instants(&instant(left)?, &instant(right)?))
}

fn instant(value: &FhirPathValue) -> Option<PrecisionDateTime> {
    match value {
        FhirPathValue::Date(date, ..) => Some(PrecisionDateTime::from_date(date)),
        FhirPathValue::DateTime(instant, ..) => Some(instant.clone()),
        _ => None,
    }
}

fn compare_instants(left: &PrecisionDateTime, right: &PrecisionDateTime) -> Option<Ordering> {
    let (left_precision, right_precision) = (precision(left), precision(right));
    if left_precision == TemporalPrecision::Millisecond && right_precision == TemporalPrecision::Millisecond {
        return Some(left.datetime.cmp(&right.datetime));
    }
    let ((left_start, left_end), (right_start, right_end)) = (left.to_datetime_range(), right.to_datetime_range());
    if left_end < right_start {
        Some(Ordering::Less)
    } else if right_end < left_start {
        Some(Ordering::Greater)
    } else if left_precision == right_precision {
        Some(left_start.cmp(&right_start))
    } else {
        None
    }
}

/// Seconds and milliseconds are one precision.
fn precision(instant: &PrecisionDateTime) -> TemporalPrecision {
    match instant.precision {
        TemporalPrecision::Second => TemporalPrecision::Millisecond,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use octofhir_fhirpath::core::PrecisionDate;

    fn value(text: &str) -> FhirPathValue {
        PrecisionDateTime::parse(text).map_or_else(
            || FhirPathValue::date(PrecisionDate::parse(text).expect("a date or a time")),
            FhirPathValue::datetime,
        )
    }

    #[test]
    fn spans_compare_unless_they_overlap_with_different_precision() {
        use Ordering::{Equal, Greater, Less};
        for (left, right, expected) in [
            ("2024-05-01", "2024-05-02", Some(Less)),
            ("2024-05-01", "2024-05-01", Some(Equal)),
            ("2024-05", "2024-05-01", None),
            ("2024-04", "2024-05-01", Some(Less)),
            ("2024", "2023-12-31T23:59:59Z", Some(Greater)),
            ("2024-05-02T10:00:00Z", "2024-05-01", Some(Greater)),
            ("2024-05-01T10:00:00Z", "2024-05-01", None),
            ("2024-05-02", "2024-05-01T10:00:00Z", Some(Greater)),
            ("2024-05-01T00:30:00+01:00", "2024-05-01", Some(Less)),
            ("2024-05-01T10:00:00Z", "2024-05-01T12:00:00+02:00", Some(Equal)),
            ("2024-05-01T10:00:00", "2024-05-01T10:00:00Z", Some(Equal)),
            ("2024-05-01T10:00:00Z", "2024-05-01T10:00:00.000Z", Some(Equal)),
            ("2024-05-01T10:00:00Z", "2024-05-01T10:00:00.001Z", Some(Less)),
            ("2024-05-01T10:00Z", "2024-05-01T10:00:00Z", None),
            ("2024-05-01T10:00Z", "2024-05-01T10:01:00Z", Some(Less)),
        ] {
            assert_eq!(compare(&value(left), &value(right)), Some(expected), "{left} {right}");
            let reversed = expected.map(Ordering::reverse);
            assert_eq!(compare(&value(right), &value(left)), Some(reversed), "{right} {left}");
        }
    }

    #[test]
    fn other_values_are_left_to_the_engine() {
        assert_eq!(compare(&value("2024"), &FhirPathValue::string("2024")), None);
        assert_eq!(compare(&FhirPathValue::integer(1), &FhirPathValue::integer(2)), None);
    }
}
