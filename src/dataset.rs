//! The documents of a run as a data set of the Hub's kind: a card whose front matter names the files.
//!
//! Every line has the same columns ([`corpora::columns`]), so that no types need to be told:
//! `datasets.load_dataset("RUN", "documents")` reads the lines, and so does `load_dataset("json", data_files=...)`.

use std::fmt::Write as _;
use std::path::Path;

use corpora::Part;

use crate::cli::Language;
use crate::error::Result;
use crate::recipe::Recipe;
use crate::{card, layout};

/// The card of a run, written where `datasets` looks for it.
pub(crate) fn write(folder: &Path, lang: Language) -> Result<()> {
    let recipe = Recipe::of_run(folder)?;
    let parts: Vec<Part> = layout::read_json(folder, layout::PLAN)?;
    if parts.is_empty() {
        // Imported tokens have no documents.
        return layout::write(folder, layout::CARD, card::text(folder, &recipe, lang)?.as_bytes());
    }
    let files = front_matter(&[("documents", "documents/*.jsonl.zst"), ("rejects", "rejects/*.jsonl.zst")]);
    let what = lang.pick(
        "`documents` passed the filters, and duplicates are among them: `malmoi data documents` writes what is left. `rejects` did not pass; \
         quarantined records are among them.",
        "`documents`는 필터를 통과한 문서이고 중복도 들어 있다. 중복을 뺀 문서는 `malmoi data documents`로 쓴다. `rejects`는 통과하지 못한 문서와 격리한 기록이다.",
    );
    let text = format!("{files}{}\n{what}\n{}", card::title(folder), card::sections(folder, &recipe, lang)?);
    layout::write(folder, layout::CARD, text.as_bytes())
}

/// The card of a run beside files of `data documents`.
pub(crate) fn write_exported(run: &Path, folder: &Path, files: &str, dropped: bool, lang: Language) -> Result<()> {
    let what = match dropped {
        false => lang.pick("The files beside hold the documents that were kept.", "여기 있는 파일은 보존한 문서다."),
        true => lang.pick(
            "The files beside hold everything that was not kept, and why.",
            "여기 있는 파일은 보존하지 않은 문서와 기록, 그리고 까닭이다.",
        ),
    };
    let sections = card::sections(run, &Recipe::of_run(run)?, lang)?;
    let text = format!("{}{}\n{what}\n{sections}", front_matter(&[("default", files)]), card::title(run));
    layout::write(folder, layout::CARD, text.as_bytes())
}

/// Names of all metrics of a run.
pub(crate) fn metrics(run: &Path, parts: &[Part]) -> Result<Vec<String>> {
    let mut names = std::collections::BTreeSet::new();
    for part in parts {
        let schema = corpora::table::columns(&run.join(layout::table(&part.name)))?;
        names.extend(schema.iter().filter_map(|name| name.strip_prefix("metrics.")).map(str::to_owned));
    }
    Ok(names.into_iter().collect())
}

/// Configurations, each a pattern of files, in the YAML that a card of the Hub begins with.
fn front_matter(configurations: &[(&str, &str)]) -> String {
    let mut out = String::from("---\nconfigs:\n");
    for (name, files) in configurations {
        let _ = write!(out, "- config_name: {name}\n  data_files: \"{files}\"\n");
    }
    out.push_str("---\n\n");
    out
}
