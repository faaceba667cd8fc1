//! Numbers as people read them: separators, units, shares, durations. What is returned is safe HTML.

use super::Lang;

/// `1234567` → `1,234,567`.
pub(super) fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// [`count`] with a sign.
pub(super) fn signed(value: i128) -> String {
    let size = count(u64::try_from(value.unsigned_abs()).unwrap_or(u64::MAX));
    if value < 0 { format!("−{size}") } else { size }
}

/// `1536` → `1.54 kB`: decimal units, three figures.
pub(super) fn bytes(value: u64) -> String {
    if value < 1000 {
        return format!("{value} B");
    }
    scaled(value as f64, &[(1e3, " kB"), (1e6, " MB"), (1e9, " GB"), (1e12, " TB"), (1e15, " PB"), (1e18, " EB")])
}

/// A short form for axes and tiles: `1.23M`, in Korean `123만`.
pub(super) fn short(value: f64, lang: Lang) -> String {
    let units: &[(f64, &str)] = match lang {
        Lang::En => &[(1e3, "k"), (1e6, "M"), (1e9, "B"), (1e12, "T")],
        Lang::Ko => &[(1e4, "만"), (1e8, "억"), (1e12, "조")],
    };
    let negative = if value < 0.0 { "−" } else { "" };
    let size = value.abs();
    if size < units[0].0 { decimal(value) } else { format!("{negative}{}", trimmed(&scaled(size, units))) }
}

/// Three figures in the largest unit that leaves at least one before the point.
fn scaled(value: f64, units: &[(f64, &str)]) -> String {
    let mut chosen = units[0];
    for unit in units {
        // 999.6 kB would be rounded to 1000.
        if value >= unit.0 * 0.9995 {
            chosen = *unit;
        }
    }
    let size = value / chosen.0;
    let places = if size < 9.995 {
        2
    } else if size < 99.95 {
        1
    } else {
        0
    };
    if size >= 1e6 { format!("{}{}", decimal(size), chosen.1) } else { format!("{}{}", grouped(size, places), chosen.1) }
}

fn grouped(value: f64, places: usize) -> String {
    let text = format!("{value:.places$}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    format!("{}{rest}", whole.parse().map_or_else(|_| whole.to_owned(), count))
}

/// `1.50M` → `1.5M`.
fn trimmed(text: &str) -> String {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ',').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let number = if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number };
    format!("{number}{unit}")
}

/// Any number in about four figures, without trailing zeros.
pub(super) fn decimal(value: f64) -> String {
    if !value.is_finite() {
        return if value.is_nan() { "–".to_owned() } else { if value > 0.0 { "∞" } else { "−∞" }.to_owned() };
    }
    let size = value.abs();
    let text = if size == 0.0 {
        "0".to_owned()
    } else if !(1e-3..1e7).contains(&size) {
        let text = format!("{size:.2e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        format!("{}e{exponent}", trimmed(mantissa))
    } else {
        // 5.0e-3 has two zeros behind the point before its first figure.
        let places = (3 - size.log10().floor() as i32).clamp(0, 6) as usize;
        trimmed(&grouped(size, places))
    };
    if value < 0.0 { format!("−{text}") } else { text }
}

/// A loss or the like, with three places, so that they stand in a column.
pub(super) fn figures(value: f64) -> String {
    if value.abs() < 1e4 { grouped(value, 3).replace('-', "−") } else { decimal(value) }
}

/// How many times: two places, more only where there would be nothing left.
pub(super) fn times(value: f64) -> String {
    if (0.01..1e6).contains(&value) { grouped(value, 2) } else { decimal(value) }
}

/// A share as percent. What is not nothing never reads as 0, what is not all never as 100.
pub(super) fn percent(part: u64, whole: u64) -> String {
    let share = fraction(part, whole) * 100.0;
    match (part, whole) {
        (_, 0) => "–".to_owned(),
        (0, _) => "0%".to_owned(),
        _ if part == whole => "100%".to_owned(),
        _ if share < 0.05 => "&lt;0.1%".to_owned(),
        _ if share >= 99.95 && part < whole => "&gt;99.9%".to_owned(),
        _ => format!("{share:.1}%"),
    }
}

/// `part / whole`, 0 of nothing.
pub(super) fn fraction(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Seconds as `4.2s`, `3m 05s`, `2h 07m`, or in Korean.
pub(super) fn duration(seconds: f64, lang: Lang) -> String {
    let (h, m, s) = match lang {
        Lang::En => ("h", "m", "s"),
        Lang::Ko => ("시간", "분", "초"),
    };
    if !seconds.is_finite() || seconds < 0.0 {
        return "–".to_owned();
    }
    if seconds < 59.95 {
        return format!("{}{s}", trimmed(&format!("{seconds:.1}")));
    }
    let whole = seconds.round() as u64;
    if whole < 3600 {
        format!("{}{m} {:02}{s}", whole / 60, whole % 60)
    } else {
        format!("{}{h} {:02}{m}", count(whole / 3600), whole % 3600 / 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_bytes() {
        assert_eq!([count(0), count(999), count(1000), count(1234567)], ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(count(u64::MAX), "18,446,744,073,709,551,615");
        assert_eq!(signed(-1234), "−1,234");
        let given = [0, 999, 1000, 1536, 999_600, 12_345_678, u64::MAX];
        assert_eq!(given.map(bytes), ["0 B", "999 B", "1.00 kB", "1.54 kB", "1.00 MB", "12.3 MB", "18.4 EB"]);
    }

    #[test]
    fn short_forms_of_both_languages() {
        let given = [0.0, 950.0, 1500.0, 2_000_000.0, 1.25e9, -3e6];
        assert_eq!(given.map(|v| short(v, Lang::En)), ["0", "950", "1.5k", "2M", "1.25B", "−3M"]);
        let given = [1500.0, 10_000.0, 2_346_000.0, 1.25e9, 3e12];
        assert_eq!(given.map(|v| short(v, Lang::Ko)), ["1,500", "1만", "235만", "12.5억", "3조"]);
    }

    #[test]
    fn decimals_keep_four_figures() {
        let given = [0.282, 1.0, 12.3456, 0.0012346, 3e-4, 1234.6, 2.5e9, -0.5, f64::NAN, f64::INFINITY, f64::MAX];
        let read = ["0.282", "1", "12.35", "0.001235", "3e-4", "1,235", "2.5e9", "−0.5", "–", "∞", "1.8e308"];
        assert_eq!(given.map(decimal), read);
    }

    #[test]
    fn losses_have_three_places() {
        assert_eq!([1.41, -0.5, 1234.5, 2e9, f64::NAN].map(figures), ["1.410", "−0.500", "1,234.500", "2e9", "–"]);
    }

    #[test]
    fn times_have_two_places() {
        assert_eq!([0.911, 2.0, 1234.0, 0.0012, 0.0, f64::INFINITY].map(times), ["0.91", "2.00", "1,234.00", "0.0012", "0", "∞"]);
    }

    #[test]
    fn shares_do_not_round_to_nothing_or_all() {
        assert_eq!(percent(1, 3), "33.3%");
        assert_eq!([percent(0, 5), percent(5, 5), percent(1, 0)], ["0%", "100%", "–"]);
        assert_eq!([percent(1, 1_000_000), percent(999_999, 1_000_000)], ["&lt;0.1%", "&gt;99.9%"]);
        assert_eq!(percent(u64::MAX, u64::MAX - 1), "100.0%");
    }

    #[test]
    fn durations() {
        let given = [0.25, 59.0, 185.0, 7620.0, f64::NAN, 1e300];
        assert_eq!(given[..4].iter().map(|s| duration(*s, Lang::En)).collect::<Vec<_>>(), ["0.2s", "59s", "3m 05s", "2h 07m"]);
        assert_eq!((duration(185.0, Lang::Ko), duration(given[4], Lang::En)), ("3분 05초".into(), "–".into()));
        assert!(duration(given[5], Lang::En).ends_with('m'));
    }
}
