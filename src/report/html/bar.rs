//! Horizontal bars: what a whole is made of, and one value beside others.

/// A piece of a stacked bar.
pub(super) struct Piece {
    /// Class of its colour.
    pub(super) class: String,
    pub(super) value: f64,
    /// Its tooltip, safe already.
    pub(super) title: String,
}

/// A piece that is there is at least this wide, in percent.
const LEAST: f64 = 0.4;

/// A bar over the whole width. `kind` is a class of the style sheet, which gives the height.
pub(super) fn stacked(kind: &str, label: &str, pieces: &[Piece]) -> String {
    let mut widths = shares(pieces.iter().map(|piece| piece.value));
    widths.iter_mut().filter(|width| **width > 0.0).for_each(|width| *width = width.max(LEAST));
    let sum: f64 = widths.iter().sum();
    let mut out = format!("<svg class=\"bar {kind}\" role=\"img\" aria-label=\"{label}\">");
    let mut x = 0.0;
    for (piece, width) in pieces.iter().zip(widths).filter(|(_, width)| *width > 0.0) {
        let width = width / sum * 100.0;
        out.push_str(&format!(
            "<rect class=\"fill {}\" x=\"{x:.2}%\" width=\"{width:.2}%\" height=\"100%\"><title>{}</title></rect>",
            piece.class, piece.title
        ));
        x += width;
    }
    out.push_str("</svg>");
    out
}

/// One value as a part of `most`.
pub(super) fn single(class: &str, value: f64, most: f64, title: &str) -> String {
    let share = if value > 0.0 && most > 0.0 { (value / most * 100.0).clamp(LEAST, 100.0) } else { 0.0 };
    format!(
        "<svg class=\"bar one\" role=\"img\" aria-label=\"{title}\"><rect class=\"track\" width=\"100%\" height=\"100%\"/>\
         <rect class=\"fill {class}\" width=\"{share:.2}%\" height=\"100%\"><title>{title}</title></rect></svg>"
    )
}

/// Percent of the sum; what is no positive finite number counts as nothing.
fn shares(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let values: Vec<f64> = values.map(|value| if value.is_finite() && value > 0.0 { value.min(1e300) } else { 0.0 }).collect();
    let sum: f64 = values.iter().sum();
    values.iter().map(|value| if sum > 0.0 { value / sum * 100.0 } else { 0.0 }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(value: f64) -> Piece {
        Piece { class: "kept".to_owned(), value, title: String::new() }
    }

    #[test]
    fn widths_are_shares_and_fill_the_bar() {
        assert_eq!(shares([1.0, 3.0, f64::NAN, -1.0, f64::INFINITY].into_iter()), [25.0, 75.0, 0.0, 0.0, 0.0]);
        let html = stacked("", "", &[piece(1.0), piece(0.0), piece(3.0)]);
        assert!(html.contains("x=\"0.00%\" width=\"25.00%\"") && html.contains("x=\"25.00%\" width=\"75.00%\""));
        assert_eq!(html.matches("<rect").count(), 2);
    }

    #[test]
    fn the_smallest_piece_can_be_seen() {
        let html = stacked("", "", &[piece(1e9), piece(1.0)]);
        assert!(html.contains("width=\"0.40%\""), "{html}");
        assert!(single("kept", 1.0, 1e12, "").contains("width=\"0.40%\""));
        assert!(single("kept", f64::NAN, 0.0, "").contains("width=\"0.00%\""));
    }
}
