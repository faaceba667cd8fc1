//! Answers to problems: the last `\boxed{}` of a solution, compared as strings of one spelling.
//!
//! The spelling is that of Hendrycks et al. 2021 (MATH), with HRM8K's: a whole number may be written `3.0`.

/// The answer in a solution: what its last `\boxed{}` (or `\fbox{}`) holds, after an equals sign if there is
/// one; without a box, the last formula between `$`; else what follows the last `=`, or the last number.
pub(crate) fn answer(text: &str) -> Option<String> {
    let after_equals = |formula: &str| formula.rsplit('=').next().unwrap_or_default().trim_start_matches(' ').to_owned();
    if text.contains("\\boxed") {
        return boxed(text).map(after_equals);
    }
    if let Some(formula) = dollars(text).filter(|formula| !formula.is_empty()) {
        return Some(after_equals(formula));
    }
    match text.rsplit_once('=') {
        Some((_, last)) => Some(last.trim_start_matches(' ').trim_end_matches('.').to_owned()),
        None => last_number(text),
    }
}

/// Whether an answer that was found is the right one.
pub(crate) fn equal(found: &str, right: &str) -> bool {
    spelled(&plain(found)) == spelled(&plain(right))
}

/// The braces' inside of the last box.
fn boxed(text: &str) -> Option<&str> {
    let rest = &text[text.rfind("\\boxed")?..].strip_prefix("\\boxed")?;
    let inside = rest.trim_start_matches(' ').strip_prefix('{')?;
    let mut depth = 1;
    for (at, c) in inside.char_indices() {
        depth += match c {
            '{' => 1,
            '}' => -1,
            _ => 0,
        };
        if depth == 0 {
            return Some(&inside[..at]);
        }
    }
    None
}

/// What is between the first and the last `$` of the last line that has two.
fn dollars(text: &str) -> Option<&str> {
    let between = |line: &'_ str| Some((line.find('$')?, line.rfind('$')?)).filter(|(first, last)| first < last);
    text.lines().rev().find_map(|line| between(line).map(|(first, last)| &line[first + 1..last]))
}

/// The last number that no letter follows.
fn last_number(text: &str) -> Option<String> {
    let characters: Vec<char> = text.chars().collect();
    let mut found = None;
    let mut at = 0;
    while at < characters.len() {
        if !characters[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let digits = |from: usize| characters[from..].iter().take_while(|c| c.is_ascii_digit()).count();
        let mut end = at + digits(at);
        if characters.get(end) == Some(&'.') {
            let fraction = digits(end + 1);
            end += if fraction > 0 { 1 + fraction } else { 0 };
        }
        if !characters.get(end).is_some_and(|c| c.is_alphanumeric() || *c == '_') {
            found = Some(characters[at..end].iter().collect());
        }
        at = end;
    }
    found
}

/// A whole number without `.0`, other numbers in their shortest form, all else as it is.
fn spelled(text: &str) -> String {
    let text = text.trim();
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite() && number.abs() < 1e15);
    number.map_or_else(|| text.to_owned(), |number| number.to_string())
}

/// One spelling of a formula.
fn plain(text: &str) -> String {
    let mut text = text.replace('\n', "").replace("\\!", "").replace("\\\\", "\\");
    text = text.replace("tfrac", "frac").replace("dfrac", "frac").replace("\\left", "").replace("\\right", "");
    text = text.replace("^{\\circ}", "").replace("^\\circ", "").replace("\\$", "").replace('$', "");
    if let Some((value, _unit)) = text.split_once("\\text{ ") {
        text = value.to_owned();
    }
    text = text.replace("\\%", "").replace('%', "").replace(" .", " 0.").replace("{.", "{0.");
    if text.starts_with('.') {
        text.insert(0, '0');
    }
    // `k = 3`, a short name before the value.
    if let Some((name, value)) = text.split_once('=').filter(|(name, value)| name.len() <= 2 && !value.contains('=')) {
        debug_assert!(!name.contains('='));
        text = value.to_owned();
    }
    let text = braced(&text, "\\sqrt", 1).replace(' ', "");
    let text = without_commas(&braced(&text, "\\frac", 2));
    match text.as_str() {
        "0.5" => "\\frac{1}{2}".to_owned(),
        _ => fraction(&text).unwrap_or(text),
    }
}

/// `3/4` → `\frac{3}{4}`.
fn fraction(text: &str) -> Option<String> {
    let (above, below) = text.split_once('/')?;
    let whole = |text: &str| text.parse::<i64>().ok().filter(|number| number.to_string() == text);
    Some(format!("\\frac{{{}}}{{{}}}", whole(above)?, whole(below)?))
}

/// `\frac12` → `\frac{1}{2}`: the first so many arguments of a command get their braces.
fn braced(text: &str, command: &str, arguments: usize) -> String {
    let mut pieces = text.split(command);
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        out.push_str(command);
        let mut rest = piece;
        for _ in 0..arguments {
            match rest.chars().next() {
                Some('{') => {
                    let end = rest.find('}').map_or(rest.len(), |at| at + 1);
                    out.push_str(&rest[..end]);
                    rest = &rest[end..];
                }
                Some(c) => {
                    out.extend(['{', c, '}']);
                    rest = &rest[c.len_utf8()..];
                }
                None => {}
            }
        }
        out.push_str(rest);
    }
    out
}

/// `1,234` → `1234`, where every group has three digits.
fn without_commas(text: &str) -> String {
    let digits = |group: &str| group.chars().all(|c| c.is_ascii_digit());
    let whole = text.split('.').next().unwrap_or_default();
    let mut groups = whole.trim_start_matches('-').split(',');
    let first = groups.next().unwrap_or_default();
    let grouped =
        (1..=3).contains(&first.len()) && digits(first) && whole.contains(',') && groups.all(|group| group.len() == 3 && digits(group));
    if grouped { text.replace(',', "") } else { text.to_owned() }
}
