//! `shards`: a run's shards in other trainers' layouts, and other programs' token files as a run.

use std::path::{Path, PathBuf};

use serde_json::json;
use shards::{ForeignOptions, Layout, Manifest, MixtureConfig, TokenizerConfig};

use crate::cli::{Common, LayoutName, ShardsCommand};
use crate::error::{Context, Error, Result};
use crate::lock::Access;
use crate::recipe::{Import, Recipe};
use crate::report::{Ui, bytes};
use crate::run::Run;
use crate::{CANCEL, layout, stage};

impl From<LayoutName> for Layout {
    fn from(name: LayoutName) -> Self {
        match name {
            LayoutName::Megatron => Self::Megatron,
            LayoutName::Datatrove => Self::Datatrove,
            LayoutName::Olmo => Self::Olmo,
            LayoutName::LlmC => Self::LlmC,
        }
    }
}

/// `malmoi shards ...`.
pub(crate) fn run(command: &ShardsCommand, common: &Common, ui: &Ui) -> Result<()> {
    match command {
        ShardsCommand::Export { run, folder, to, without_end_tokens, tokenizer_name } => {
            export(run, folder, (*to).into(), !without_end_tokens, tokenizer_name.as_deref(), ui)
        }
        ShardsCommand::Import { files, folder, tokenizer, eos, bucket, from, token_bytes } => {
            let tokenizer = TokenizerConfig { eos: eos.clone(), ..TokenizerConfig::load(absolute(tokenizer)?) };
            let import = Import {
                name: "imported".to_owned(),
                bucket: bucket.clone(),
                files: files.iter().map(|file| text(&absolute(file)?)).collect::<Result<_>>()?,
                layout: from.map(Into::into),
                licence: None,
                token_bytes: *token_bytes,
            };
            import_files(import, tokenizer, folder, common, ui)
        }
    }
}

/// Every shard becomes `FOLDER/BUCKET/PART` with the layout's endings. A shard is checked to the last
/// byte before any of it is written.
fn export(run: &Path, folder: &Path, to: Layout, end_tokens: bool, tokenizer: Option<&str>, ui: &Ui) -> Result<()> {
    let path = run.join(layout::MANIFEST);
    if !path.exists() {
        return Err(Error::new(format!("{} has no {}", run.display(), layout::MANIFEST)).hint("`malmoi build` makes shards and manifest"));
    }
    let manifest = Manifest::load(&path)?;
    let fingerprint = manifest.tokenizer.fingerprint.to_string();
    let tokenizer = tokenizer.map_or_else(|| format!("malmoi:{fingerprint}"), str::to_owned);
    let options = ForeignOptions { layout: to, end_tokens, tokenizer };
    for shard in manifest.shards.iter().filter(|_| !to.keeps_loss()) {
        if manifest.open_shard(run, shard)?.has_loss() {
            return Err(Error::new(format!(
                "{}: {} cannot say which tokens count in the loss, and this shard does",
                shard.path,
                to.name()
            ))
            .hint("`--to datatrove` and `--to olmo` write a mask beside the tokens"));
        }
    }
    let (mut count, mut total) = (0, 0);
    for shard in &manifest.shards {
        stage::check(&CANCEL)?;
        let reader = manifest.open_shard(run, shard)?;
        reader.verify().map_err(Error::bad_result)?;
        let name = shard.path.strip_prefix("shards/").unwrap_or(&shard.path);
        let target = layout::prepare(folder, name.strip_suffix(".shard").unwrap_or(name))?;
        let files = shards::export(&reader, &target, &options)?;
        let written: u64 = files.iter().filter_map(|file| file.metadata().ok()).map(|meta| meta.len()).sum();
        ui.data(files.iter().map(|file| file.display().to_string()).collect::<Vec<_>>().join("\n"));
        ui.event(
            "exported",
            &json!({ "shard": shard.path, "layout": to.name(), "files": files, "bytes": written, "tokens": shard.tokens }),
        );
        count += files.len();
        total += written;
    }
    ui.say(format!("shards: {} shards as {count} files of {}, {}", manifest.shards.len(), to.name(), bytes(total)));
    Ok(())
}

/// Builds a recipe with nothing but the import; the run folder then has it.
fn import_files(import: Import, tokenizer: TokenizerConfig, folder: &Path, common: &Common, ui: &Ui) -> Result<()> {
    let mixture = MixtureConfig { ratios: [(import.bucket.clone(), 1.0)].into(), ..MixtureConfig::default() };
    let recipe = Recipe::of_imports(absolute(folder)?, vec![import], tokenizer, mixture, &common.set)?;
    let path = folder.join(layout::RECIPE);
    if std::fs::read_to_string(&path).is_ok_and(|there| recipe.to_toml().is_ok_and(|text| text != there)) {
        return Err(Error::new(format!("{} is the folder of another run", folder.display()))
            .hint("name another folder; or add the files to that run's recipe as [[imports]]"));
    }
    Run::with(recipe, common, Access::Alone, ui)?.build()
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).context(|| format!("cannot resolve {}", path.display()))
}

fn text(path: &Path) -> Result<String> {
    path.to_str().map(str::to_owned).ok_or_else(|| Error::new(format!("{} is not valid UTF-8", path.display())))
}
