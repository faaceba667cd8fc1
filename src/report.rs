//! Everything a person or a machine reads of a run: the terminal, `--json` and report.html.

mod aggregate;
mod clusters;
mod collect;
mod columns;
mod curve;
mod html;
mod passages;
mod progress;
mod ui;

use std::path::Path;

pub(crate) use columns::{Columns, change, grouped};
pub(crate) use progress::{Progress, Unit, bytes};
pub(crate) use ui::Ui;

use crate::cli::{Common, Language};
use crate::error::Result;
use crate::{dataset, layout};

/// Writes `report.html` (and `stats.json`) of a run folder from the files in it.
pub(crate) fn write(folder: &Path, lang: Language) -> Result<std::path::PathBuf> {
    let data = collect::collect(folder)?;
    layout::write_json(folder, layout::STATS, &data)?;
    if folder.join(layout::MANIFEST).exists() {
        dataset::write(folder, lang)?; // before, a run has no numbers for a card
    }
    let lang = match lang {
        Language::En => html::Lang::En,
        Language::Ko => html::Lang::Ko,
    };
    layout::write(folder, layout::REPORT, html::render(&data, lang).as_bytes())?;
    Ok(folder.join(layout::REPORT))
}

/// `malmoi report RUN`.
pub(crate) fn rewrite(folder: &Path, common: &Common, ui: &Ui) -> Result<()> {
    let path = write(folder, common.lang)?;
    ui.data(path.display());
    ui.event("report", &serde_json::json!({ "path": path }));
    Ok(())
}
