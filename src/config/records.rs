//! Files with the values of records: as a publisher would send them.

/// The values of the records in a file: the file itself, or each of its lines where every one of several is a JSON value of
/// its own (NDJSON).
#[must_use]
pub fn record_values(bytes: &[u8]) -> Vec<&[u8]> {
    let lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
    let lines: Vec<&[u8]> = lines.collect();
    let is_json = |line: &&[u8]| serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok();
    if lines.len() > 1 && lines.iter().all(is_json) { lines } else { vec![bytes] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_are_values_are_records() {
        assert_eq!(record_values(b"{\"a\":1}\n\n {\"b\":2}\r\n"), [&b"{\"a\":1}"[..], b"{\"b\":2}"]);
    }

    #[test]
    fn one_value_over_many_lines_is_one_record() {
        for text in ["{\n\"a\": 1\n}\n", "{\"a\":1}", "", "no json\nat all"] {
            assert_eq!(record_values(text.as_bytes()), [text.as_bytes()], "{text:?}");
        }
    }
}
