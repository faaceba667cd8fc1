//! The page around the sections: head, header, contents.

use super::view::{Section, View};
use super::{Lang, contamination, distributions, duplicates, funnel, ledger, number, reasons, summary, text, timings, tokens, training};

const STYLE: &str = include_str!("style.css");

/// No script, nothing from elsewhere, whatever a text manages to smuggle in.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// Characters of the recipe that are shown.
const RECIPE: usize = 40_000;

pub(super) fn page(view: &View<'_>) -> String {
    let (l, data) = (view.l, view.data);
    let lang = match view.lang {
        Lang::En => "en",
        Lang::Ko => "ko",
    };
    let mut sections = vec![funnel::section(view), ledger::section(view), reasons::section(view), duplicates::section(view)];
    sections.extend(contamination::section(view));
    sections.extend([
        distributions::lengths(view),
        distributions::languages(view),
        tokens::tokenizer(view),
        tokens::mixture(view),
        training::section(view),
        timings::section(view),
    ]);
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"{lang}\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{} · {}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n",
        text::plain(&data.name, 80),
        l.title
    );
    out.push_str(&header(view));
    out.push_str(&contents(view, &sections));
    out.push_str(&format!(
        "<main>\n<section id=\"summary\" class=\"summary\"><h2>{}</h2>\n{}</section>\n",
        l.summary,
        summary::summary(view)
    ));
    out.push_str(&warnings(view));
    for section in &sections {
        out.push_str(&format!("<section id=\"{}\"><h2>{}</h2>\n", section.id, section.title));
        match &section.body {
            Some(body) => out.push_str(body),
            None => out.push_str(&format!("<p class=\"absent\">{}</p>\n", l.section_absent)),
        }
        out.push_str("</section>\n");
    }
    out.push_str(&recipe(view));
    out.push_str(&format!("</main>\n<footer>malmoi {}</footer>\n</body>\n</html>\n", text::name(&data.version)));
    out
}

/// A list of names and values; the values are safe already.
pub(super) fn facts(facts: &[(&str, String)]) -> String {
    let items: String = facts.iter().map(|(name, value)| format!("<div><dt>{name}</dt><dd>{value}</dd></div>")).collect();
    format!("<dl class=\"facts\">{items}</dl>\n")
}

fn header(view: &View<'_>) -> String {
    let (l, data) = (view.l, view.data);
    let mut known = vec![(l.recipe, text::fingerprint(&data.fingerprint)), (l.seed, data.seed.to_string())];
    known.extend(data.elapsed_seconds.map(|seconds| (l.time, view.duration(seconds))));
    if !data.sources.is_empty() {
        known.push((l.sources, number::count(data.sources.len() as u64)));
    }
    let name = text::name(&data.name);
    format!(
        "<header><p class=\"eyebrow\">malmoi {} · {}</p>\n<h1>{name}</h1>\n{}</header>\n",
        text::name(&data.version),
        l.title,
        facts(&known)
    )
}

fn contents(view: &View<'_>, sections: &[Section]) -> String {
    let l = view.l;
    let mut items = vec![("summary", l.summary, true)];
    items.extend((!view.data.warnings.is_empty()).then_some(("warnings", l.warnings, true)));
    items.extend(sections.iter().map(|section| (section.id, section.title, section.body.is_some())));
    items.extend(view.data.recipe.as_ref().map(|_| ("recipe", l.recipe, true)));
    let link = |(id, title, there): &(&str, &str, bool)| {
        let class = if *there { "" } else { " class=\"gone\"" };
        format!("<li{class}><a href=\"#{id}\">{title}</a></li>")
    };
    format!("<nav aria-label=\"{}\"><ol>{}</ol></nav>\n", l.contents, items.iter().map(link).collect::<String>())
}

fn warnings(view: &View<'_>) -> String {
    let warnings = &view.data.warnings;
    if warnings.is_empty() {
        return String::new();
    }
    let items: String = warnings.iter().take(50).map(|warning| format!("<li>{}</li>\n", text::text(warning, 600))).collect();
    let more = warnings.len().saturating_sub(50);
    let more = if more > 0 {
        format!("<li>{}</li>", super::view::fill(view.l.more_warnings, &[&number::count(more as u64)]))
    } else {
        String::new()
    };
    format!("<section id=\"warnings\"><h2>{}</h2>\n<ul class=\"callout warn\">{items}{more}</ul></section>\n", view.l.warnings)
}

fn recipe(view: &View<'_>) -> String {
    let Some(recipe) = &view.data.recipe else { return String::new() };
    let l = view.l;
    format!(
        "<section id=\"recipe\"><h2>{}</h2>\n<details><summary>{}</summary><pre dir=\"ltr\">{}</pre></details></section>\n",
        l.recipe,
        l.recipe_lead,
        text::text(recipe, RECIPE)
    )
}
