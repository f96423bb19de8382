//! Columns of text that line up, cut to the width of the terminal.

use crate::ui::Paint;

/// Where a column's text stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Align {
    /// At the left.
    Left,
    /// At the right, for figures.
    Right,
}

/// A cell: text, and how it is painted.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Cell {
    text: String,
    paint: Option<Paint>,
}

impl Cell {
    /// Plain text.
    pub fn new(text: impl Into<String>) -> Cell {
        Cell {
            text: text.into(),
            paint: None,
        }
    }

    /// Text in a colour.
    pub fn painted(paint: Paint, text: impl Into<String>) -> Cell {
        Cell {
            text: text.into(),
            paint: Some(paint),
        }
    }
}

/// Rows of cells.
pub struct Table {
    columns: Vec<Align>,
    rows: Vec<Vec<Cell>>,
}

/// Spaces between columns, and before the first.
const GAP: usize = 2;
/// No column is cut shorter than this.
const MIN_CUT: usize = 8;

impl Table {
    /// A table with these columns.
    pub fn new(columns: &[Align]) -> Table {
        Table {
            columns: columns.to_vec(),
            rows: Vec::new(),
        }
    }

    /// Adds a row; missing cells are empty.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// Writes the rows. Where they are too wide, the widest of the columns at the left are cut,
    /// in the middle of their text.
    pub fn write(&self, out: &mut String, width: usize, paint: &dyn Fn(Paint, &str) -> String) {
        let widths = self.fitted(width);
        for row in &self.rows {
            let mut line = String::new();
            let mut blanks = 0;
            for ((cell, &width), align) in row.iter().zip(&widths).zip(&self.columns) {
                let text = middle_cut(&cell.text, width);
                let room = width - text.chars().count();
                let before = if *align == Align::Right { room } else { 0 };
                blanks += GAP + before;
                if !text.is_empty() {
                    line.extend(std::iter::repeat_n(' ', blanks));
                    blanks = 0;
                    match cell.paint {
                        Some(color) => line.push_str(&paint(color, &text)),
                        None => line.push_str(&text),
                    }
                }
                blanks += room - before;
            }
            out.push_str(&line);
            out.push('\n');
        }
    }

    fn fitted(&self, width: usize) -> Vec<usize> {
        let mut widths: Vec<usize> = (0..self.columns.len())
            .map(|column| {
                let cells = self.rows.iter().filter_map(|row| row.get(column));
                cells
                    .map(|cell| cell.text.chars().count())
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        let gaps = GAP * widths.len();
        while widths.iter().sum::<usize>() + gaps > width {
            let widest = (0..widths.len())
                .filter(|&at| self.columns[at] == Align::Left && widths[at] > MIN_CUT)
                .max_by_key(|&at| widths[at]);
            match widest {
                Some(at) => widths[at] -= 1,
                None => break,
            }
        }
        widths
    }
}

/// Text in at most `width` columns, its middle left out: both ends of a path or name say most.
pub fn middle_cut(text: &str, width: usize) -> String {
    let length = text.chars().count();
    if length <= width {
        return text.to_owned();
    }
    let keep = width.saturating_sub(1);
    let (head, tail) = (keep / 3, keep - keep / 3);
    let mut cut: String = text.chars().take(head).collect();
    cut.push('…');
    cut.extend(text.chars().skip(length - tail));
    cut
}

/// Text in at most `width` columns, its end left out.
pub fn end_cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars()
        .take(width.saturating_sub(1))
        .chain(['…'])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cuts_keep_both_ends_or_the_beginning() {
        assert_eq!(middle_cut("abcdefghij", 10), "abcdefghij");
        assert_eq!(middle_cut("abcdefghij", 7), "ab…ghij");
        assert_eq!(middle_cut("grüße aus köln", 6), "g…köln");
        assert_eq!(end_cut("abcdef", 4), "abc…");
        assert_eq!(end_cut("abc", 4), "abc");
    }

    proptest! {
        #[test]
        fn rows_fit_and_columns_line_up(
            rows in prop::collection::vec(("[a-z0-9. ]{0,9}", "[^\\p{C}\\p{M}\\p{Z}]{0,80}"), 1..9)
        ) {
            let mut table = Table::new(&[Align::Right, Align::Left]);
            for (figure, name) in &rows {
                table.row([Cell::new(figure.trim()), Cell::new(name.as_str())]);
            }
            let mut out = String::new();
            table.write(&mut out, 60, &|_, text| text.to_owned());
            prop_assert_eq!(out.lines().count(), rows.len());
            let widest = rows.iter().map(|(figure, _)| figure.trim().len()).max().unwrap_or(0);
            for (line, (figure, name)) in out.lines().zip(&rows) {
                prop_assert!(line.chars().count() <= 60, "{}", line);
                prop_assert!(line == line.trim_end());
                let head: String = line.chars().take(GAP + widest).collect();
                if !name.is_empty() {
                    prop_assert_eq!(head.trim(), figure.trim());
                }
            }
        }
    }
}
