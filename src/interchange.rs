//! `shards`: a run's shards in other trainers' layouts, and other programs' token files as a run.

use std::path::{Path, PathBuf};

use serde_json::json;
use shards::{Compression, ForeignOptions, Layout, Manifest, MixtureConfig, ShardEntry, ShardReader, TokenizerConfig};

use crate::cli::{Common, CompressionName, LayoutName, ShardsCommand};
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
            LayoutName::Malmoi => Self::Malmoi,
        }
    }
}

/// `malmoi shards ...`.
pub(crate) fn run(command: &ShardsCommand, common: &Common, ui: &Ui) -> Result<()> {
    match command {
        ShardsCommand::Export { run, folder, to, without_end_tokens, tokenizer_name, compression } => {
            let layout = Layout::from(*to);
            if compression.is_some() && layout != Layout::Malmoi {
                return Err(Error::new(format!("--compression is for malmoi's own shards, {} has none", layout.name()))
                    .hint("leave it out, or write `--to malmoi`"));
            }
            let compression = match compression {
                Some(CompressionName::Zstd) => Compression::Zstd,
                Some(CompressionName::None) | None => Compression::None,
            };
            let tokenizer = tokenizer_name.clone().unwrap_or_default();
            export(run, folder, ForeignOptions { layout, end_tokens: !without_end_tokens, tokenizer, compression }, ui)
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

/// Every shard becomes `FOLDER/BUCKET/PART` with the layout's endings, in a folder of its own: a mask or an
/// index of other tokens beside them would be read as theirs. A shard is checked to the last
/// byte before any of it is written.
fn export(run: &Path, folder: &Path, mut options: ForeignOptions, ui: &Ui) -> Result<()> {
    let to = options.layout;
    let path = run.join(layout::MANIFEST);
    if !path.exists() {
        return Err(Error::new(format!("{} has no {}", run.display(), layout::MANIFEST)).hint("`malmoi build` makes shards and manifest"));
    }
    let manifest = Manifest::load(&path)?;
    if options.tokenizer.is_empty() {
        options.tokenizer = format!("malmoi:{}", manifest.tokenizer.fingerprint);
    }
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
    layout::create_empty(folder)?;
    let (mut count, mut total) = (0, 0);
    let mut copies = Vec::new();
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
            &json!({ "shard": shard.path, "layout": to.name(), "files": files, "bytes": written, "tokens": shard.tokens, "repeats": shard.repeats }),
        );
        if to == Layout::Malmoi {
            let path = format!("{}.shard", name.strip_suffix(".shard").unwrap_or(name));
            let copy = ShardReader::open(&files[0])?;
            copies.push(ShardEntry { path, file_bytes: copy.file_bytes(), checksum: copy.checksum().into(), ..shard.clone() });
        }
        count += files.len();
        total += written;
    }
    if to == Layout::Malmoi {
        // What a reader opens first comes last.
        let path = folder.join(layout::MANIFEST);
        Manifest { shards: copies, ..manifest.clone() }.save(&path)?;
        ui.data(path.display());
    }
    if to != Layout::Malmoi && manifest.shards.iter().any(|shard| shard.repeats > 1) {
        ui.warn(format!(
            "the run repeats some shards within an epoch (`mixture.rehydrate`), and files of {} cannot say so: give `*.cluster-N` the weights              that {} has as `repeats`",
            to.name(),
            layout::MANIFEST
        ));
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
