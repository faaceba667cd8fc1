//! Jinja as Hugging Face's `apply_chat_template` sets it up.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Value, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind};
use serde::Serialize as _;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

/// What the one template of an environment is called.
pub(super) const NAME: &str = "chat";
/// Most work for one conversation, about an instruction or 64 bytes each: a template from elsewhere
/// must not run for ever.
const FUEL: u64 = 20_000_000;

/// An environment with this template; the error is what is wrong with it.
pub(super) fn environment(source: String, date: Option<&str>) -> Result<Environment<'static>, String> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.map_err(|error| error.to_string())?);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
    environment.set_fuel(Some(FUEL));
    environment.set_formatter(|out, state, value| match value.kind() {
        ValueKind::Bool => out.write_str(if value.is_true() { "True" } else { "False" }).map_err(Error::from),
        ValueKind::None => out.write_str("None").map_err(Error::from),
        _ => minijinja::escape_formatter(out, state, value),
    });
    environment.add_filter("tojson", to_json);
    environment.add_function("raise_exception", |message: String| -> Result<Value, Error> {
        Err(Error::new(ErrorKind::InvalidOperation, message))
    });
    if let Some(date) = date {
        let date = Date::parse(date).ok_or_else(|| format!("`{date}` is no date such as 2026-01-31"))?;
        environment.add_function("strftime_now", move |format: String| date.format(&format));
    }
    environment.add_template_owned(NAME, source).map_err(|error| describe(&error))?;
    Ok(environment)
}

/// What the template says, or what is wrong with it, with its line.
pub(super) fn describe(error: &Error) -> String {
    let what = match error.detail() {
        Some(detail) if error.kind() == ErrorKind::InvalidOperation => detail.to_owned(),
        Some(detail) => format!("{}: {detail}", error.kind()),
        None => error.kind().to_string(),
    };
    error.line().map_or_else(|| what.clone(), |line| format!("line {line}: {what}"))
}

/// `json.dumps(value, ensure_ascii=False, indent=indent)` of Python.
fn to_json(value: &Value, options: Kwargs) -> Result<String, Error> {
    let indent: Option<usize> = options.get("indent")?;
    let _: Option<bool> = options.get("ensure_ascii")?;
    options.assert_all_used()?;
    let failed = |error: serde_json::Error| Error::new(ErrorKind::InvalidOperation, error.to_string());
    let mut out = Vec::new();
    match indent {
        Some(width) => {
            let indent = " ".repeat(width.min(16));
            value.serialize(&mut Serializer::with_formatter(&mut out, PrettyFormatter::with_indent(indent.as_bytes()))).map_err(failed)?;
        }
        None => value.serialize(&mut Serializer::with_formatter(&mut out, Spaced)).map_err(failed)?,
    }
    String::from_utf8(out).map_err(|error| Error::new(ErrorKind::InvalidOperation, error.to_string()))
}

/// JSON on one line with a space after commas and colons.
struct Spaced;

impl Formatter for Spaced {
    fn begin_array_value<W: std::io::Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> std::io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_key<W: std::io::Write + ?Sized>(&mut self, writer: &mut W, first: bool) -> std::io::Result<()> {
        if first { Ok(()) } else { writer.write_all(b", ") }
    }

    fn begin_object_value<W: std::io::Write + ?Sized>(&mut self, writer: &mut W) -> std::io::Result<()> {
        writer.write_all(b": ")
    }
}

/// A day: the template's "now", which must not change from run to run.
#[derive(Debug, Clone, Copy)]
struct Date {
    year: u32,
    month: usize,
    day: u32,
}

const MONTHS: [&str; 12] =
    ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];

impl Date {
    fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('-').collect();
        let [year, month, day] = parts[..] else { return None };
        let digits = [(year, 4), (month, 2), (day, 2)];
        if !digits.iter().all(|(part, length)| part.len() == *length && part.bytes().all(|byte| byte.is_ascii_digit())) {
            return None;
        }
        let date = Self { year: year.parse().ok()?, month: month.parse().ok()?, day: day.parse().ok()? };
        ((1..=12).contains(&date.month) && (1..=31).contains(&date.day)).then_some(date)
    }

    /// Python's `strftime`, as far as days go.
    fn format(self, format: &str) -> Result<String, Error> {
        let Self { year, month, day } = self;
        let name = MONTHS[month - 1];
        let mut out = String::new();
        let mut rest = format.chars();
        while let Some(c) = rest.next() {
            if c != '%' {
                out.push(c);
                continue;
            }
            match rest.next() {
                Some('Y') => out.push_str(&format!("{year:04}")),
                Some('y') => out.push_str(&format!("{:02}", year % 100)),
                Some('m') => out.push_str(&format!("{month:02}")),
                Some('d') => out.push_str(&format!("{day:02}")),
                Some('B') => out.push_str(name),
                Some('b') => out.push_str(&name[..3]),
                Some('%') => out.push('%'),
                other => {
                    let other = other.map_or(String::new(), String::from);
                    return Err(Error::new(ErrorKind::InvalidOperation, format!("strftime_now: `%{other}` is not known for a day")));
                }
            }
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(source: &str, date: Option<&str>) -> Result<String, String> {
        let environment = environment(source.to_owned(), date)?;
        let template = environment.get_template(NAME).unwrap();
        let tools = serde_json::json!([{ "name": "날씨", "z": [1, true, null], "a": {} }]);
        template.render(minijinja::context! { tools => minijinja::value::Serde(tools) }).map_err(|error| describe(&error))
    }

    #[test]
    fn values_are_written_as_python_does() {
        // json.dumps(..., ensure_ascii=False) and str() of Python 3.11.
        assert_eq!(render("{{ tools | tojson }}", None).unwrap(), r#"[{"name": "날씨", "z": [1, true, null], "a": {}}]"#);
        assert_eq!(render("{{ [1] | tojson(indent=2) }}", None).unwrap(), "[\n  1\n]");
        assert_eq!(render("{{ true }} {{ none }} {{ 'a<b' }}", None).unwrap(), "True None a<b");
        assert_eq!(render("{{ 'x</think>\\ny'.split('</think>')[-1].lstrip('\\n') }}", None).unwrap(), "y");
    }

    #[test]
    fn the_day_is_that_of_the_recipe() {
        assert_eq!(render("{{ strftime_now('%d %b %Y') }}", Some("2026-01-09")).unwrap(), "09 Jan 2026");
        let fallback = "{% if strftime_now is defined %}now{% else %}26 Jul 2024{% endif %}";
        assert_eq!(render(fallback, None).unwrap(), "26 Jul 2024");
        assert!(render("{{ strftime_now('%H') }}", Some("2026-01-09")).unwrap_err().contains("`%H`"));
        for wrong in ["2026-1-9", "2026-13-01", "today", "2026-01-00"] {
            assert!(render("", Some(wrong)).unwrap_err().contains("no date"), "{wrong}");
        }
    }

    #[test]
    fn what_a_template_refuses_is_told_with_its_line() {
        assert_eq!(render("\n{{ raise_exception('roles must alternate') }}", None).unwrap_err(), "line 2: roles must alternate");
        assert!(render("{% if %}", None).unwrap_err().starts_with("line 1: syntax error"));
        let endless = "{% for a in range(10000) %}{% for b in range(10000) %}{{ b }}{% endfor %}{% endfor %}";
        assert!(render(endless, None).unwrap_err().contains("fuel"));
    }
}
