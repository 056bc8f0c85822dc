//! The few figures that the demo takes from the service's `/metrics` page.

/// A page in Prometheus' text format.
pub(super) struct Page(String);

impl Page {
    pub(super) fn new(text: String) -> Self {
        Self(text)
    }

    /// The sum over all series of a metric whose labels contain `label` (as `name="value"`; empty: all).
    pub(super) fn sum(&self, metric: &str, label: &str) -> f64 {
        self.0
            .lines()
            .filter_map(|line| line.strip_prefix(metric))
            .filter(|rest| rest.starts_with(['{', ' ']))
            .filter(|rest| label.is_empty() || rest.contains(label))
            .filter_map(|rest| rest.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    /// The same for counts.
    pub(super) fn count(&self, metric: &str, label: &str) -> u64 {
        let sum = self.sum(metric, label);
        // Counters of a demo are far below 2^53.
        if sum >= 0.0 { sum as u64 } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::Page;

    #[test]
    fn series_are_summed_by_name_and_label() {
        let page = Page::new(
            "# HELP a_total x\na_total{kind=\"b\",p=\"0\"} 3\na_total{kind=\"c\",p=\"0\"} 4\na_total_more 9\nplain 1.5\n"
                .to_owned(),
        );
        assert_eq!(page.count("a_total", ""), 7);
        assert_eq!(page.count("a_total", "kind=\"c\""), 4);
        assert!((page.sum("plain", "") - 1.5).abs() < f64::EPSILON);
        assert_eq!(page.count("missing", ""), 0);
    }
}
