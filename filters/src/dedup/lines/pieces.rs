//! Lines and paragraphs of a text.

use super::super::config::LineUnit;

/// Where every line stands, its end of line included; or every paragraph, which is lines up to a blank
/// one, and the blank ones behind it. Blank lines at the beginning belong to nothing.
pub(in super::super) fn pieces(text: &str, unit: LineUnit) -> Vec<(usize, usize)> {
    let mut out: Vec<(usize, usize)> = Vec::new();
    let mut start = 0;
    let mut after_blank = true;
    for line in text.split_inclusive('\n') {
        let end = start + line.len();
        let blank = line.trim().is_empty();
        match (unit, blank) {
            (LineUnit::Line, true) => {}
            (LineUnit::Line, false) => out.push((start, end)),
            (LineUnit::Paragraph, false) if after_blank => out.push((start, end)),
            (LineUnit::Paragraph, _) => {
                if let Some(last) = out.last_mut() {
                    last.1 = end;
                }
            }
        }
        after_blank = blank;
        start = end;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        let of = |text: &'static str, unit| pieces(text, unit).into_iter().map(|(start, end)| &text[start..end]).collect::<Vec<_>>();
        let text = "\n가\n나\r\n \n\n다\n라";
        assert_eq!(of(text, LineUnit::Line), ["가\n", "나\r\n", "다\n", "라"]);
        assert_eq!(of(text, LineUnit::Paragraph), ["가\n나\r\n \n\n", "다\n라"]);
        assert!(of("", LineUnit::Line).is_empty() && of(" \n", LineUnit::Paragraph).is_empty());
    }
}
