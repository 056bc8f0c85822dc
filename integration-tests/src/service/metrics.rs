//! Reading what `/metrics` says (Prometheus text format 0.0.4).

use std::collections::BTreeMap;

use anyhow::Context;

/// One line of the text.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The name of the metric, with the suffix of histograms and summaries.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its value.
    pub value: f64,
}

/// All samples of one scrape.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Metrics {
    /// The samples in the order of the text.
    pub samples: Vec<Sample>,
}

impl Metrics {
    /// Reads the text.
    ///
    /// # Errors
    /// When a line is no comment and no sample; the message carries the line.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let samples = lines.map(|line| sample(line).with_context(|| format!("not a sample: {line}")));
        Ok(Self { samples: samples.collect::<anyhow::Result<_>>()? })
    }

    /// The samples of this name that have at least these labels.
    pub fn select<'a>(&'a self, name: &'a str, labels: &'a [(&'a str, &'a str)]) -> impl Iterator<Item = &'a Sample> {
        self.samples.iter().filter(move |sample| {
            sample.name == name
                && labels.iter().all(|(label, value)| sample.labels.get(*label).is_some_and(|found| found == value))
        })
    }

    /// The sum of the samples of this name that have at least these labels; `None` when there is none.
    #[must_use]
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        self.select(name, labels).map(|sample| sample.value).reduce(|left, right| left + right)
    }
}

fn sample(line: &str) -> anyhow::Result<Sample> {
    let name_end = line.find(['{', ' ']).context("no value")?;
    let (name, mut rest) = line.split_at(name_end);
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (label, after) = rest.split_once("=\"").context("a label has no value")?;
            let (value, after) = quoted(after)?;
            labels.insert(label.trim_start_matches(',').trim().to_owned(), value);
            rest = after;
        }
        rest = &rest[1..];
    }
    let value = rest.split_whitespace().next().context("no value")?.parse()?;
    Ok(Sample { name: name.to_owned(), labels, value })
}

/// A label's value up to its closing quote, unescaped, and what follows the quote.
fn quoted(text: &str) -> anyhow::Result<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return Ok((value, &text[index + 1..])),
            '\\' => match characters.next().context("an escape ends early")?.1 {
                'n' => value.push('\n'),
                other => value.push(other),
            },
            other => value.push(other),
        }
    }
    anyhow::bail!("a label's value has no closing quote")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_labels_and_values_are_read() {
        let text = "# HELP a b\n# TYPE a counter\na 1\nb{x=\"1,}\",y=\"q\\\"\\\\\\n\"} 2.5\nb{x=\"2\"} +Inf\n\n";
        let metrics = Metrics::parse(text).expect("it is well-formed");
        assert_eq!(metrics.samples.len(), 3);
        assert_eq!(metrics.sum("a", &[]), Some(1.0));
        assert_eq!(metrics.sum("b", &[("x", "1,}"), ("y", "q\"\\\n")]), Some(2.5));
        assert_eq!(metrics.sum("b", &[("x", "2")]), Some(f64::INFINITY));
        assert_eq!(metrics.sum("b", &[("x", "3")]), None);
        assert_eq!(metrics.sum("c", &[]), None);
    }

    #[test]
    fn what_is_no_sample_is_an_error() {
        for text in ["a", "a{x=\"1} 2", "a{x} 2", "a b"] {
            assert!(Metrics::parse(text).is_err(), "{text}");
        }
    }
}
