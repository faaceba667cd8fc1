//! `card`: the data card of a run as Markdown. Every line comes from the run folder; what is not
//! there is called so.

use std::fmt::Write as _;
use std::path::Path;

use corpora::Part;
use serde::Serialize;
use serde_json::json;
use shards::{Manifest, MixturePlan};

use crate::cli::Language;
use crate::compare::facts::Facts;
use crate::error::{Context, Result};
use crate::layout;
use crate::recipe::Recipe;
use crate::record::{Count, PartStats};
use crate::report::{Ui, grouped};
use crate::stage::import;

/// `malmoi card RUN`: the card on stdout.
pub(crate) fn card(folder: &Path, lang: Language, ui: &Ui) -> Result<()> {
    let recipe = Recipe::of_run(folder)?;
    let text = text(folder, &recipe, lang)?;
    ui.data(text.trim_end());
    ui.event("card", &json!({ "markdown": text }));
    Ok(())
}

/// The card with its title.
pub(crate) fn text(folder: &Path, recipe: &Recipe, lang: Language) -> Result<String> {
    Ok(title(folder) + &sections(folder, recipe, lang)?)
}

/// The title of a run's card.
pub(crate) fn title(folder: &Path) -> String {
    format!("# {}\n", cell(&name_of(folder)))
}

/// Name of a folder or file.
pub(crate) fn name_of(path: &Path) -> String {
    let path = std::path::absolute(path).ok();
    path.and_then(|path| path.file_name().map(|name| name.to_string_lossy().into_owned())).unwrap_or_default()
}

/// What is known of a run's data, without a title.
pub(crate) fn sections(folder: &Path, recipe: &Recipe, lang: Language) -> Result<String> {
    let parts: Vec<Part> = layout::read_json(folder, layout::PLAN)?;
    let facts = Facts::of(folder, recipe, &parts)?;
    let mut text = String::new();
    sources(&mut text, folder, recipe, &parts, lang)?;
    filters(&mut text, recipe, lang)?;
    ledger(&mut text, &facts, lang);
    dedup(&mut text, recipe, &facts, lang)?;
    tokens(&mut text, folder, &facts, lang)?;
    mixture(&mut text, folder, lang)?;
    hashes(&mut text, folder, recipe, lang)?;
    Ok(text)
}

pub(crate) fn section(text: &mut String, title: &str) {
    let _ = write!(text, "\n## {title}\n\n");
}

/// A table's head and rule; the first `words` columns are text, the others numbers.
pub(crate) fn table(text: &mut String, head: &[&str], words: usize) {
    let rule: String = (0..head.len()).map(|at| if at < words { "---|" } else { "--:|" }).collect();
    let _ = write!(text, "| {} |\n|{rule}\n", head.join(" | "));
}

pub(crate) fn row(text: &mut String, cells: &[String]) {
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

/// A text of the recipe inside a line or cell: nothing in it ends either, or is taken for markup.
pub(crate) fn cell(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            '\\' | '`' | '|' | '*' | '_' | '<' | '>' | '[' | ']' | '#' => out.extend(['\\', c]),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

fn sources(text: &mut String, folder: &Path, recipe: &Recipe, parts: &[Part], lang: Language) -> Result<()> {
    section(text, lang.pick("Sources", "소스"));
    let head = [
        ("source", "소스"),
        ("bucket", "버킷"),
        ("format", "형식"),
        ("licence", "라이선스"),
        ("records", "레코드"),
        ("bytes of text", "텍스트 바이트"),
        ("passed the filters", "필터 통과"),
    ];
    table(text, &head.map(|(english, korean)| lang.pick(english, korean)), 4);
    for (index, source) in recipe.sources.iter().enumerate() {
        let (mut input, mut kept) = (Count::default(), 0);
        for part in parts.iter().filter(|part| part.source == index) {
            let stats: PartStats = layout::read_json(folder, &layout::stats(&part.name))?;
            input.merge(stats.input);
            kept += stats.kept.documents;
        }
        let licence = source.licence.as_deref().map_or_else(|| lang.pick("not stated", "밝히지 않음").to_owned(), cell);
        let numbers = [input.documents, input.bytes, kept].map(grouped);
        row(text, &[[cell(&source.name), cell(&source.bucket), source.format.name().to_owned(), licence].as_slice(), &numbers].concat());
    }
    for unit in import::Unit::all(recipe) {
        let left = unit.left(folder)?;
        let numbers = [left.encoded.documents, left.encoded.bytes, left.encoded.documents].map(grouped);
        let layout = unit.import.layout.or_else(|| shards::Layout::of(unit.path())).map_or("", shards::Layout::name);
        let licence = unit.import.licence.as_deref().map_or_else(|| lang.pick("not stated", "밝히지 않음").to_owned(), cell);
        row(text, &[[cell(&unit.import.part(unit.index)), cell(&left.bucket), layout.to_owned(), licence].as_slice(), &numbers].concat());
    }
    Ok(())
}

fn filters(text: &mut String, recipe: &Recipe, lang: Language) -> Result<()> {
    section(text, lang.pick("Filters, in order", "필터(적용 순서)"));
    if recipe.filters.is_empty() {
        text.push_str(lang.pick("None.\n", "없음.\n"));
    }
    for filter in &recipe.filters {
        let _ = writeln!(text, "1. `{}`", inline(filter)?);
    }
    Ok(())
}

/// Settings as TOML in one line; a backtick would end the code it stands in.
fn inline(settings: &impl Serialize) -> Result<String> {
    let table = toml::Table::try_from(settings).context(|| "cannot write the settings".to_owned())?;
    let pairs: Vec<String> = table.iter().map(|(key, value)| format!("{key} = {value}")).collect();
    Ok(pairs.join(", ").replace('`', "'"))
}

fn ledger(text: &mut String, facts: &Facts, lang: Language) {
    section(text, lang.pick("Documents", "문서"));
    table(text, &[lang.pick("what became of them", "처리 결과"), lang.pick("documents", "문서 수")], 1);
    let mut line = |name: String, documents: u64| row(text, &[name, grouped(documents)]);
    line(lang.pick("records read", "읽은 레코드").to_owned(), facts.input);
    line(lang.pick("unreadable", "읽기 실패").to_owned(), facts.unreadable);
    facts.rejected.iter().for_each(|(rule, documents)| line(format!("`{rule}`"), *documents));
    facts.duplicates.iter().flatten().for_each(|(kind, documents)| line(format!("`dedup/{kind}`"), *documents));
    line(lang.pick("**kept**", "**보존**").to_owned(), facts.kept());
}

fn dedup(text: &mut String, recipe: &Recipe, facts: &Facts, lang: Language) -> Result<()> {
    section(text, lang.pick("Deduplication", "중복 제거"));
    let _ = writeln!(text, "`{}`", inline(&recipe.dedup)?);
    if facts.duplicates.is_none() {
        text.push_str(lang.pick("\nNot done in this run folder.\n", "\n이 실행에서는 아직 하지 않았습니다.\n"));
    }
    Ok(())
}

fn tokens(text: &mut String, folder: &Path, facts: &Facts, lang: Language) -> Result<()> {
    let Some(tokens) = &facts.tokens else { return Ok(()) };
    let tokenizer = Manifest::load(folder.join(layout::MANIFEST))?.tokenizer;
    section(text, lang.pick("Tokenizer and tokens", "토크나이저와 토큰"));
    let fingerprint = json!(tokenizer.fingerprint);
    let _ = writeln!(
        text,
        "{}: {}; {}: {}; {}: `{}`\n",
        lang.pick("kind", "종류"),
        cell(&tokenizer.kind),
        lang.pick("vocabulary", "어휘 크기"),
        grouped(u64::from(tokenizer.vocab_size)),
        lang.pick("fingerprint", "지문"),
        fingerprint.as_str().unwrap_or_default()
    );
    table(text, &[lang.pick("bucket", "버킷"), lang.pick("train tokens", "학습 토큰"), lang.pick("held-out tokens", "평가 토큰")], 1);
    for (bucket, [train, held_out]) in tokens {
        row(text, &[cell(bucket), grouped(*train), grouped(*held_out)]);
    }
    Ok(())
}

fn mixture(text: &mut String, folder: &Path, lang: Language) -> Result<()> {
    if !folder.join(layout::MIXTURE).exists() {
        return Ok(());
    }
    let plan = MixturePlan::load(folder.join(layout::MIXTURE))?;
    section(text, lang.pick("Mixture", "혼합"));
    let head =
        [("bucket", "버킷"), ("ratio", "비율"), ("tokens drawn", "사용 토큰"), ("epochs", "에폭"), ("tokens seen again", "반복 토큰")];
    table(text, &head.map(|(english, korean)| lang.pick(english, korean)), 1);
    for bucket in &plan.buckets {
        let epochs = format!("{:.2}", bucket.epochs);
        row(text, &[cell(&bucket.bucket), bucket.ratio.to_string(), grouped(bucket.tokens), epochs, grouped(bucket.repeated_tokens)]);
    }
    Ok(())
}

fn hashes(text: &mut String, folder: &Path, recipe: &Recipe, lang: Language) -> Result<()> {
    section(text, lang.pick("Hashes (BLAKE3)", "해시(BLAKE3)"));
    for file in [layout::RECIPE, layout::MANIFEST, layout::MIXTURE] {
        let path = folder.join(file);
        if path.exists() {
            let bytes = std::fs::read(&path).context(|| format!("cannot read {}", path.display()))?;
            let _ = writeln!(text, "- `{file}`: `{}`", blake3::hash(&bytes).to_hex());
        }
    }
    let _ = writeln!(text, "- {}: {}", lang.pick("seed", "시드"), recipe.seed);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn nothing_in_a_licence_breaks_the_table() {
        assert_eq!(cell("CC-BY | see <a>\n# x `y`"), "CC-BY \\| see \\<a\\> \\# x \\`y\\`");
    }
}
