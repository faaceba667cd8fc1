//! A table: numbers to the right, and every cell knows its heading, for screens too narrow for a row.

use super::data::Amount;
use super::number;

/// Heading of a column and how its cells stand.
pub(super) enum Column {
    /// The name of the row.
    Head(&'static str),
    Number(&'static str),
    /// A bar, which takes the room that is left.
    Bar(&'static str),
}

/// A table in the making.
pub(super) struct Table<'a> {
    columns: &'a [Column],
    body: String,
}

impl Column {
    fn parts(&self) -> (&'static str, &'static str) {
        match self {
            Self::Head(label) => ("head", label),
            Self::Number(label) => ("num", label),
            Self::Bar(label) => ("wide", label),
        }
    }
}

impl<'a> Table<'a> {
    pub(super) fn new(columns: &'a [Column]) -> Self {
        Self { columns, body: String::new() }
    }

    /// A row of safe HTML, one cell for each column.
    pub(super) fn row(&mut self, class: &str, cells: &[String]) {
        self.body.push_str(&format!("<tr class=\"{class}\">"));
        for (column, cell) in self.columns.iter().zip(cells) {
            let (kind, label) = column.parts();
            let (tag, scope) = if kind == "head" { ("th", " scope=\"row\"") } else { ("td", "") };
            let empty = if cell.is_empty() { " empty" } else { "" };
            self.body.push_str(&format!("<{tag}{scope} class=\"{kind}{empty}\" data-label=\"{label}\">{cell}</{tag}>"));
        }
        self.body.push_str("</tr>\n");
    }

    pub(super) fn html(self) -> String {
        let mut out = String::from("<div class=\"scroll\"><table>\n<thead><tr>");
        for column in self.columns {
            let (kind, label) = column.parts();
            out.push_str(&format!("<th scope=\"col\" class=\"{kind}\">{label}</th>"));
        }
        out.push_str(&format!("</tr></thead>\n<tbody>\n{}</tbody></table></div>\n", self.body));
        out
    }
}

/// Documents above their bytes.
pub(super) fn amount(value: Amount) -> String {
    if value == Amount::default() {
        return "<span class=\"zero\">0</span>".to_owned();
    }
    two(&number::count(value.documents), &number::bytes(value.bytes))
}

/// [`amount`] of what may not have happened yet.
pub(super) fn amount_or_dash(value: Option<Amount>) -> String {
    value.map_or_else(dash, amount)
}

/// A count of what may not have happened yet.
pub(super) fn count_or_dash(value: Option<u64>) -> String {
    value.map_or_else(dash, |value| if value == 0 { "<span class=\"zero\">0</span>".to_owned() } else { number::count(value) })
}

pub(super) fn dash() -> String {
    "<span class=\"zero\">–</span>".to_owned()
}

/// A value above a smaller one.
pub(super) fn two(value: &str, below: &str) -> String {
    format!("<span class=\"v\">{value}</span><span class=\"sub\">{below}</span>")
}
