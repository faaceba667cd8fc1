//! The plan: the parts that a recipe's input is cut into, and what of the run is current.

mod inputs;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use corpora::{Identity, Part};
use filters::FilterSpec;
use serde_json::{Value, json};
use shards::{Balance, ChatTemplate, Manifest, MixtureConfig, MixtureStage, TokenizerConfig, TokenizerSource};

use crate::error::{Context, Error, Result};
use crate::lock::{Fingerprint, Snapshot, fingerprint};
use crate::recipe::{Recipe, ShardsConfig};
use crate::report::{Ui, bytes};
use crate::stage::import::Unit;
use crate::{chat, layout, stage};
pub(crate) use inputs::Inputs;

/// A recipe with its input cut into parts.
pub(crate) struct Plan {
    pub(crate) parts: Vec<Part>,
    /// What of other files the fingerprints depend on.
    pub(crate) inputs: Inputs,
    /// Fingerprint of `clean` for each part.
    pub(crate) clean: Vec<Fingerprint>,
    /// Fingerprint of `dedup` over all parts.
    pub(crate) dedup: Fingerprint,
    /// How conversations are written out; none where there are none.
    pub(crate) chat: Option<ChatTemplate>,
}

impl Plan {
    pub(crate) fn new(recipe: &Recipe) -> Result<Self> {
        let parts = corpora::plan(&recipe.sources, Path::new("/"), recipe.part_bytes)?;
        let inputs = Inputs::of(recipe, &parts)?;
        Self::with(recipe, parts, inputs, chat::template(recipe)?)
    }

    /// The plan by which a run folder was made, from its files alone: the input may have changed since.
    pub(crate) fn of_run(folder: &Path, recipe: &Recipe) -> Result<Self> {
        let (parts, inputs): (Vec<Part>, Inputs) = (layout::read_json(folder, layout::PLAN)?, layout::read_json(folder, layout::INPUTS)?);
        if !inputs.fit(recipe, &parts) {
            return Err(Error::new(format!("{}, {} and {} are not of one run", layout::RECIPE, layout::PLAN, layout::INPUTS)));
        }
        Self::with(recipe, parts, inputs, chat::open(folder)?)
    }

    fn with(recipe: &Recipe, parts: Vec<Part>, inputs: Inputs, chat: Option<ChatTemplate>) -> Result<Self> {
        let clean = parts.iter().zip(&inputs.slices).map(|(part, slices)| clean_fingerprint(recipe, &inputs.lists, part, slices));
        let clean = clean.collect::<Result<Vec<_>>>()?;
        let names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
        let dedup = fingerprint(
            "dedup",
            &json!({ "dedup": recipe.dedup, "parts": names, "clean": clean, "against": inputs.against, "clusters": true }),
        )?;
        Ok(Self { parts, inputs, clean, dedup, chat })
    }

    /// Fingerprint of the tokenizer.
    pub(crate) fn tokenizer(&self, recipe: &Recipe) -> Result<Fingerprint> {
        let content = match recipe.tokenizer.source() {
            TokenizerSource::Load(_) => json!(self.inputs.tokenizer),
            // Trained on what deduplication left.
            TokenizerSource::Train(_) | TokenizerSource::SentencePiece(_) => json!(self.dedup),
            TokenizerSource::Bytes => Value::Null,
        };
        fingerprint("tokenizer", &json!({ "tokenizer": recipe.tokenizer, "content": content }))
    }

    /// The files of all imports, each with its fingerprint.
    pub(crate) fn imports<'a>(&self, recipe: &'a Recipe, tokenizer: &str) -> Result<Vec<(Unit<'a>, Fingerprint)>> {
        let units = Unit::all(recipe).into_iter().zip(&self.inputs.imports);
        units.map(|(unit, files)| unit.fingerprint(recipe, tokenizer, files).map(|print| (unit, print))).collect()
    }

    /// Whether a unit of the journal is one of this plan.
    pub(crate) fn has_unit(&self, recipe: &Recipe, unit: &str) -> bool {
        match unit.split_once(' ') {
            Some(("clean" | "tokenize", name)) => self.parts.iter().any(|part| part.name == name),
            Some(("import", _)) => Unit::all(recipe).iter().any(|import| import.name() == unit),
            _ => true,
        }
    }

    /// Fingerprint of `tokenize` for one part: its documents, which of them are duplicates, and
    /// the tokenizer. Another part's change reaches it only through these.
    pub(crate) fn tokenize(&self, folder: &Path, recipe: &Recipe, index: usize, tokenizer: &str) -> Result<Fingerprint> {
        let part = &self.parts[index].name;
        let digest = |file: String| -> Result<String> {
            let path = folder.join(file);
            let bytes = std::fs::read(&path).context(|| format!("cannot read {}", path.display()))?;
            Ok(blake3::hash(&bytes).to_hex().to_string())
        };
        let duplicates = digest(layout::duplicates(part))?;
        let trimmed = recipe.dedup.lines.as_ref().map(|_| digest(layout::trimmed(part))).transpose()?;
        let passages = recipe.dedup.substrings.as_ref().map(|_| digest(layout::passages(part))).transpose()?;
        let mut facts = json!({
            "trimmed": trimmed,
            "clean": self.clean[index],
            "duplicates": duplicates,
            "tokenizer": tokenizer,
            "held-out": recipe.held_out,
            "seed": recipe.seed,
        });
        if let Some(passages) = passages {
            facts["passages"] = json!(passages);
        }
        // How often each class is repeated is for the manifest to say.
        if let Some(rehydrate) = recipe.mixture.rehydrate.get(&recipe.sources[self.parts[index].source].bucket) {
            facts["clusters"] = json!({ "classes": rehydrate.classes(), "sizes": digest(layout::clusters(part))? });
        }
        if let Some(chat) = self.chat.as_ref().filter(|_| recipe.sources[self.parts[index].source].is_chat()) {
            facts["chat"] = json!(chat.digest());
        }
        if recipe.shards != ShardsConfig::default() {
            facts["shards"] = json!(recipe.shards);
        }
        fingerprint("tokenize", &facts)
    }
}

/// A part's identity (files, sizes, times, ranges) with every setting that `clean` looks at.
fn clean_fingerprint(recipe: &Recipe, lists: &[Vec<String>], part: &Part, files: &[Identity]) -> Result<Fingerprint> {
    let source = &recipe.sources[part.source];
    let slices = part.slices.iter().zip(files);
    let slices = slices.map(|(slice, file)| json!({ "identity": file, "range": slice.range, "relative": slice.relative }));
    let slices: Vec<Value> = slices.collect();
    let (filters, lists): (Vec<_>, Vec<_>) = recipe.filters.iter().zip(lists).filter(|(filter, _)| applies(filter, &source.bucket)).unzip();
    // How a source's files are named and licensed does not matter, what they hold does.
    let mut settings = serde_json::to_value(source).context(|| "cannot fingerprint a source".to_owned())?;
    if let Value::Object(settings) = &mut settings {
        settings.remove("files");
        settings.remove("licence");
        if source.format.revision() > 0 {
            settings.insert("reader".to_owned(), json!(source.format.revision()));
        }
    }
    fingerprint(
        "clean",
        &json!({ "part": part.name, "source": settings, "slices": slices, "filters": filters, "revision": filters::REVISION, "lists": lists, "signatures": recipe.dedup.signature_settings(), "buckets": recipe.buckets(), "prefer": recipe.dedup.prefer }),
    )
}

/// `malmoi plan`: the tree of what a run would do.
pub(crate) fn show(recipe: &Recipe, ui: &Ui) -> Result<()> {
    let plan = Plan::new(recipe)?;
    let journal = Snapshot::read(&recipe.output)?;
    let current = |unit: &str, fingerprint: &str| journal.is_current(unit, fingerprint);
    let mut text = format!("{}\n", recipe.output.display());
    for (index, source) in recipe.sources.iter().enumerate() {
        let parts: Vec<usize> = (0..plan.parts.len()).filter(|at| plan.parts[*at].source == index).collect();
        let total: u64 = parts.iter().map(|at| plan.parts[*at].bytes).sum();
        let files: usize = parts.iter().map(|at| plan.parts[*at].slices.len()).sum();
        let filters: Vec<&str> =
            recipe.filters.iter().filter(|filter| applies(filter, &source.bucket)).map(|filter| filter.name()).collect();
        let _ = writeln!(
            text,
            "├─ clean {} → {}: {} parts, {files} slices, {}; {}",
            source.name,
            source.bucket,
            parts.len(),
            bytes(total),
            filters.join(" → ")
        );
        for at in parts {
            let part = &plan.parts[at];
            let state = current(&format!("clean {}", part.name), &plan.clean[at]);
            let _ = writeln!(text, "│  ├─ {} {} {} {}", part.name, bytes(part.bytes), short(&plan.clean[at]), word(state));
            ui.event(
                "plan",
                &json!({ "stage": "clean", "part": part.name, "index": at, "source": source.name, "bucket": source.bucket, "bytes": part.bytes, "slices": part.slices.len(), "fingerprint": plan.clean[at], "current": state }),
            );
        }
    }
    let dedup = current("dedup", &plan.dedup);
    let _ = writeln!(text, "├─ dedup {}: {} {}", recipe.dedup.methods().join(" + "), short(&plan.dedup), word(dedup));
    ui.event("plan", &json!({ "stage": "dedup", "fingerprint": plan.dedup, "current": dedup }));
    let tokenizer = plan.tokenizer(recipe)?;
    let have = current("tokenizer", &tokenizer);
    let _ = writeln!(text, "├─ tokenizer {}: {} {}", tokenizer_words(&recipe.tokenizer), short(&tokenizer), word(have));
    ui.event("plan", &json!({ "stage": "tokenizer", "fingerprint": tokenizer, "current": have }));
    let mut done = 0;
    for (index, part) in plan.parts.iter().enumerate() {
        if dedup && have && current(&format!("tokenize {}", part.name), &plan.tokenize(&recipe.output, recipe, index, &tokenizer)?) {
            done += 1;
        }
    }
    let _ = writeln!(text, "├─ tokenize: {} parts, {done} current", plan.parts.len());
    ui.event("plan", &json!({ "stage": "tokenize", "parts": plan.parts.len(), "current-parts": done }));
    for (unit, print) in &plan.imports(recipe, &tokenizer)? {
        let state = have && current(&unit.name(), print);
        let name = unit.name();
        let _ = writeln!(text, "├─ {name} → {}: {} {} {}", unit.import.bucket, bytes(unit.bytes()), short(print), word(state));
        ui.event(
            "plan",
            &json!({ "stage": "import", "part": unit.import.part(unit.index), "bucket": unit.import.bucket, "bytes": unit.bytes(), "fingerprint": print, "current": state }),
        );
    }
    // Ratios are of the windows of a training: without one they are defaults, of buckets that may not be there.
    let mixture = if recipe.train.is_some() { mixture_words(&recipe.mixture) } else { layout::MANIFEST.to_owned() };
    let _ = writeln!(text, "├─ mix: {mixture}");
    if done == plan.parts.len() {
        preview(recipe, &mut text, ui)?;
    }
    match &recipe.train {
        Some(train) => {
            let _ = writeln!(text, "├─ train: {}", train.describe());
        }
        None => text.push_str("├─ train: not asked for\n"),
    }
    text.push_str("└─ report: report.html");
    ui.event("plan", &json!({ "stage": "mix", "ratios": recipe.mixture }));
    ui.event("plan", &json!({ "stage": "train", "settings": recipe.train }));
    ui.data(text);
    Ok(())
}

/// What the mixture takes from shards that are there already: how much of each bucket, and how often.
fn preview(recipe: &Recipe, text: &mut String, ui: &Ui) -> Result<()> {
    let path = recipe.output.join(layout::MANIFEST);
    if !path.exists() {
        return Ok(());
    }
    match stage::mix::planned(&recipe.output, recipe, &Manifest::load(path)?) {
        Ok(Some(mixture)) => {
            for bucket in &mixture.buckets {
                let copies = if bucket.copied_tokens > 0 { format!(" ({} in copies)", bucket.copied_tokens) } else { String::new() };
                let _ = writeln!(
                    text,
                    "│  ├─ {} {} tokens of {} available{copies}, {:.2} epochs, {} seen again",
                    bucket.bucket,
                    bucket.tokens,
                    bucket.epoch_tokens(),
                    bucket.epochs,
                    bucket.repeated_tokens
                );
            }
            ui.event("plan", &json!({ "stage": "mix", "mixture": mixture }));
        }
        Ok(None) => {}
        // A run would stop here; a plan says so and goes on.
        Err(error) => {
            let _ = writeln!(text, "│  ├─ cannot be met: {}", error.message);
            ui.event("plan", &json!({ "stage": "mix", "refused": error.message }));
        }
    }
    Ok(())
}

/// Whether a filter looks at documents of a bucket.
pub(crate) fn applies(filter: &FilterSpec, bucket: &str) -> bool {
    let (only, except) = filter.buckets();
    let named = |names: &[String]| names.iter().any(|name| name == bucket);
    (only.is_empty() || named(only)) && !named(except)
}

fn tokenizer_words(config: &TokenizerConfig) -> String {
    match config.source() {
        TokenizerSource::Train(train) => format!("to train, {} tokens", train.vocab_size),
        TokenizerSource::SentencePiece(config) => format!("SentencePiece to train, {} pieces", config.vocab_size),
        TokenizerSource::Load(path) => path.display().to_string(),
        TokenizerSource::Bytes => "bytes".to_owned(),
    }
}

fn mixture_words(config: &MixtureConfig) -> String {
    let words = |ratios: &BTreeMap<String, f64>| {
        ratios.iter().map(|(bucket, ratio)| format!("{bucket} {:.4}%", 100.0 * ratio)).collect::<Vec<_>>().join(", ")
    };
    match config.balance {
        Balance::Temperature(temperature) => format!("by size, temperature {temperature}"),
        Balance::UniMax => "UniMax: evenly, within the epochs".to_owned(),
        Balance::Ratios if config.stages.is_empty() => words(&config.ratios),
        Balance::Ratios => {
            let stage = |stage: &MixtureStage| {
                let until = stage.until.map_or_else(|| "to the end".to_owned(), |until| format!("up to {until} tokens"));
                format!("{until} {}", words(&stage.ratios))
            };
            config.stages.iter().map(stage).collect::<Vec<_>>().join("; ")
        }
    }
}

fn short(fingerprint: &str) -> &str {
    fingerprint.get(..8).unwrap_or(fingerprint)
}

fn word(current: bool) -> &'static str {
    if current { "current" } else { "to do" }
}
