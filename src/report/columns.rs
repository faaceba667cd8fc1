//! A table for the terminal: columns as wide as their widest cell, Hangul counted as two.

/// Rows of cells, the first row being the head; the first column is text, the others are numbers.
#[derive(Debug, Default)]
pub(crate) struct Columns(Vec<Vec<String>>);

impl Columns {
    /// A table with this head.
    pub(crate) fn new(head: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self(vec![head.into_iter().map(Into::into).collect()])
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.0.push(cells.into_iter().collect());
    }

    /// Whether there is nothing below the head.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.len() < 2
    }

    /// The lines, without an end of line.
    pub(crate) fn lines(&self) -> Vec<String> {
        let columns = self.0.iter().map(Vec::len).max().unwrap_or_default();
        let widest = |at: usize| self.0.iter().filter_map(|row| row.get(at)).map(|cell| width(cell)).max().unwrap_or_default();
        let widths: Vec<usize> = (0..columns).map(widest).collect();
        let line = |row: &Vec<String>| {
            let mut line = String::new();
            for (at, cell) in row.iter().enumerate() {
                let space = " ".repeat(widths[at] - width(cell));
                match at {
                    0 => line.extend([cell.as_str(), &space]),
                    _ => line.extend(["  ", &space, cell]),
                }
            }
            line.trim_end().to_owned()
        };
        self.0.iter().map(line).collect()
    }
}

/// Columns of a terminal that a text takes.
fn width(text: &str) -> usize {
    let wide = |c: char| matches!(c, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ff60}');
    text.chars().map(|c| 1 + usize::from(wide(c))).sum()
}

/// `1234567` → `1,234,567`.
pub(crate) fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// From one count to another: `+1,234`, `-5`, or `0`.
pub(crate) fn change(from: u64, to: u64) -> String {
    match from.cmp(&to) {
        std::cmp::Ordering::Less => format!("+{}", grouped(to - from)),
        std::cmp::Ordering::Equal => "0".to_owned(),
        std::cmp::Ordering::Greater => format!("-{}", grouped(from - to)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_where_hangul_is_wide() {
        let mut table = Columns::new(["bucket", "문서"]);
        assert!(table.is_empty());
        table.row(["한국어".into(), grouped(1_234_567)]);
        table.row(["en".into(), change(5, 3)]);
        assert_eq!(table.lines(), ["bucket       문서", "한국어  1,234,567", "en             -2"]);
        assert_eq!((change(0, 1000), change(7, 7), grouped(999)), ("+1,000".into(), "0".into(), "999".into()));
    }
}
