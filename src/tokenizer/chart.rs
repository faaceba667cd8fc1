//! `tokenizer report --chart`: characters per token as bars, in an SVG file that stands by itself.

use super::measure::Measured;

/// Pixels: the whole, where bars begin, the longest of them, and the rows.
const WIDTH: usize = 840;
const START: usize = 190;
const LONGEST: f64 = 400.0;
const ROW: usize = 24;
/// Names are cut to so many characters.
const NAME: usize = 24;

const STYLE: &str = "text{font:13px system-ui,sans-serif;fill:#1c1c1c}.head{font-weight:600}.bar{fill:#3b6ea5}.bar.lost{fill:#c98b2b}\
    .page{fill:#fff}@media(prefers-color-scheme:dark){text{fill:#e6e6e6}.page{fill:#161616}.bar{fill:#6f9fd8}}";

/// One group of bars for each bucket that has documents, one bar for each tokenizer. A bar of a tokenizer that loses text
/// has another colour and says how much: its tokens are few because they do not say everything.
pub(super) fn svg(names: &[String], measured: &[Measured]) -> String {
    let rate = |bucket: &Measured, at: usize| bucket.characters as f64 / bucket.tallies[at].tokens.max(1) as f64;
    let buckets: Vec<&Measured> = measured.iter().filter(|bucket| bucket.documents > 0).collect();
    let most = buckets.iter().flat_map(|bucket| (0..names.len()).map(|at| rate(bucket, at))).fold(f64::MIN_POSITIVE, f64::max);
    let mut rows = String::new();
    let mut y = ROW;
    let text =
        |class: &str, x: usize, y: usize, text: &str| format!("<text class=\"{class}\" x=\"{x}\" y=\"{y}\">{}</text>\n", escaped(text));
    for bucket in buckets {
        rows.push_str(&text("head", 16, y, &format!("{}: characters per token", bucket.bucket)));
        for (at, name) in names.iter().enumerate() {
            y += ROW;
            let (value, lost) = (rate(bucket, at), bucket.tallies[at].lost.bytes);
            let share = 100.0 * lost as f64 / bucket.bytes.max(1) as f64;
            let (class, note) = if lost > 0 { ("bar lost", format!(", {share:.1} % of the text lost")) } else { ("bar", String::new()) };
            let width = (value / most * LONGEST).max(1.0);
            let name: String = name.chars().take(NAME).collect();
            rows.push_str(&text("name", 16, y, &name));
            rows.push_str(&format!("<rect class=\"{class}\" x=\"{START}\" y=\"{}\" width=\"{width:.1}\" height=\"16\"/>\n", y - 13));
            rows.push_str(&text("value", START + width as usize + 8, y, &format!("{value:.2}{note}")));
        }
        y += ROW + ROW / 2;
    }
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{y}\" viewBox=\"0 0 {WIDTH} {y}\">\n<style>{STYLE}</style>\n\
         <rect class=\"page\" width=\"100%\" height=\"100%\"/>\n{rows}</svg>\n"
    )
}

/// Text that XML can hold.
fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut out, character| {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            control if control.is_control() => out.push('\u{fffd}'),
            other => out.push(other),
        }
        out
    })
}

#[cfg(test)]
mod tests {
    use shards::Lost;

    use super::*;
    use crate::tokenizer::measure::Tally;

    #[test]
    fn bars_are_as_long_as_tokens_are() {
        let tally = |tokens, lost| Tally { tokens, partial: 0, lost: Lost { unknown_tokens: 0, bytes: lost }, used: Vec::new() };
        let bucket = |documents, tallies| Measured { bucket: "ko<&".to_owned(), documents, bytes: 400, characters: 200, words: 9, tallies };
        let measured = [bucket(3, vec![tally(100, 0), tally(50, 100)]), bucket(0, vec![tally(0, 0), tally(0, 0)])];
        let svg = svg(&["one\u{7}".to_owned(), "two".to_owned()], &measured);
        assert!(svg.contains("<rect class=\"bar\" x=\"190\" y=\"35\" width=\"200.0\""), "{svg}");
        assert!(
            svg.contains("<rect class=\"bar lost\" x=\"190\" y=\"59\" width=\"400.0\"") && svg.contains(">4.00, 25.0 % of the text lost<"),
            "{svg}"
        );
        assert!(svg.contains(">2.00<") && svg.contains("ko&lt;&amp;: characters") && svg.contains("one\u{fffd}"), "{svg}");
        assert_eq!(svg.matches("characters per token").count(), 1, "a bucket without documents has no bars");
    }
}
