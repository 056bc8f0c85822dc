//! Medians and percentiles.

/// The middle of some values; between the two in the middle of an even number.
pub(super) fn median(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        length if length % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

/// The smallest of the values that so many of a hundred do not exceed (nearest rank). The values are sorted.
pub(super) fn percentile(sorted: &[u64], percent: f64) -> Option<u64> {
    let rank = (sorted.len() as f64 * percent / 100.0).ceil().max(1.0);
    sorted.get(rank as usize - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_lies_between() {
        assert_eq!(median([3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(median([]), None);
    }

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let hundred: Vec<u64> = (1..=100).collect();
        let of = |percent| percentile(&hundred, percent);
        assert_eq!((of(50.0), of(95.0), of(99.0), of(100.0)), (Some(50), Some(95), Some(99), Some(100)));
        assert_eq!(percentile(&[7], 50.0), Some(7));
        assert_eq!(percentile(&[1, 2, 3], 50.0), Some(2));
        assert_eq!(percentile(&[1, 2], 99.0), Some(2));
        assert_eq!(percentile(&[1, 2], 0.0), Some(1));
        assert_eq!(percentile(&[], 50.0), None);
    }
}
