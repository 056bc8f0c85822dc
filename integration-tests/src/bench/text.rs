//! What people read: lines on standard output, and tables in them.

use std::io::Write as _;

/// Prints a line.
pub(super) fn say(line: &str) {
    // A closed pipe is the reader's wish, no error.
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Lines up columns: the first to the left, the others to the right, as wide as what stands in them.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([head[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let cells = cells.zip(&widths).enumerate().map(|(column, (cell, width))| match column {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned() + "\n"
    };
    let mut text = line(&mut head.iter().copied());
    for row in rows {
        text.push_str(&line(&mut row.iter().map(String::as_str)));
    }
    text
}

/// A figure, or a dash where there is none.
pub(super) fn figure(value: Option<f64>, decimals: usize) -> String {
    value.map_or("-".to_owned(), |value| format!("{value:.decimals$}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["a".to_owned(), "1000".to_owned()], vec!["long name".to_owned(), figure(None, 1)]];
        assert_eq!(table(&["", "e/s"], &rows), "            e/s\na          1000\nlong name     -\n");
    }
}
