//! A run: the stages in order, skipping what is current.

mod ready;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use filters::Chain;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shards::{ChatEncoder, Manifest, MixturePlan, Tokenizer};
use trainer::{Checkpoint, DeviceSpec};

use crate::cli::{Common, Export, Language, StageName};
use crate::error::{Context, Error, Result};
use crate::lock::{self, Access, Lock};
use crate::plan::Plan;
use crate::recipe::Recipe;
use crate::record::PartStats;
use crate::report::{self, Ui, bytes};
use crate::stage::clean::Cleaner;
use crate::stage::tokenize::Encoder;
use crate::stage::train::Training;
use crate::stage::{self, for_each};
use crate::{CANCEL, chain, chat, export, layout, model};

/// What a stage took, added up over interruptions and repetitions; what was current took nothing.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Timings {
    /// (stage, seconds, bytes of text gone through), in the order of the stages.
    pub(crate) stages: Vec<(String, f64, u64)>,
}

/// A recipe on its way through the stages.
pub(crate) struct Run<'a> {
    recipe: Recipe,
    folder: PathBuf,
    plan: Plan,
    access: Access,
    lock: Lock,
    device: DeviceSpec,
    lang: Language,
    ui: &'a Ui,
}

impl<'a> Run<'a> {
    /// Loads the recipe, cuts the input into parts, and takes the run folder. Writes nothing yet.
    pub(crate) fn open(recipe: &Path, common: &Common, access: Access, ui: &'a Ui) -> Result<Self> {
        Self::with(Recipe::load(recipe, &common.set)?, common, access, ui)
    }

    /// The same with a recipe that is no file yet.
    pub(crate) fn with(mut recipe: Recipe, common: &Common, access: Access, ui: &'a Ui) -> Result<Self> {
        stage::train::take_init(&mut recipe)?;
        recipe.notes().iter().for_each(|note| ui.warn(note));
        let device: DeviceSpec = common.device.parse().map_err(|error| Error::new(error).hint("`malmoi doctor` lists the devices"))?;
        if recipe.train.is_some() {
            device.open().map_err(|error| Error::new(error).hint("`malmoi doctor` lists the devices"))?;
        }
        let plan = Plan::new(&recipe)?;
        let folder = recipe.output.clone();
        let lock = Lock::open(&folder, access)?;
        Ok(Self { recipe, folder, plan, access, lock, device, lang: common.lang, ui })
    }

    /// Makes the run folder that of this recipe.
    fn begin(&self) -> Result<()> {
        stage::import::check_loss(&self.recipe)?;
        if self.access == Access::Alone {
            self.lock.prune(&|unit| self.plan.has_unit(&self.recipe, unit))?;
        }
        layout::write(&self.folder, layout::RECIPE, self.recipe.to_toml()?.as_bytes())?;
        layout::write_json(&self.folder, layout::INPUTS, &self.plan.inputs)?;
        layout::write_json(&self.folder, layout::PLAN, &self.plan.parts)
    }

    /// `malmoi run`: everything.
    pub(crate) fn all(&self) -> Result<()> {
        self.check_device()?;
        self.begin()?;
        let (tokenizer, manifest, mixture) = self.shards()?;
        if let Some(mixture) = &mixture {
            self.train(&tokenizer, &manifest, mixture)?;
        }
        self.report()
    }

    /// What the device cannot do is said before hours of other stages. Shards alone need none of it.
    fn check_device(&self) -> Result<()> {
        let Some(train) = &self.recipe.train else { return Ok(()) };
        if Checkpoint::latest(&self.folder.join(layout::CHECKPOINTS)).map_err(Error::new)?.is_some() {
            return Ok(()); // it goes on as it began
        }
        train
            .check_device(self.device)
            .map_err(|error| Error::new(format!("train: {error}")).hint(format!("the device is {} (`--device`)", self.device)))
    }

    /// `malmoi build`: up to the shards.
    pub(crate) fn build(&self) -> Result<()> {
        self.begin()?;
        self.shards()?;
        self.report()
    }

    /// `malmoi train`: from shards that are there.
    pub(crate) fn train_only(&self) -> Result<()> {
        if self.recipe.train.is_none() {
            return Err(Error::new("the recipe has no [train]").hint("`malmoi init` shows one"));
        }
        if let Some(unit) = self.outdated()? {
            return Err(Error::new(format!("the shards in {} are not current: {unit} is to do", self.folder.display()))
                .hint("`malmoi build` makes them"));
        }
        self.all()
    }

    /// `malmoi stage`: one unit.
    pub(crate) fn one(&self, name: StageName, part: Option<usize>) -> Result<()> {
        let parts: Vec<usize> = match part {
            None => (0..self.plan.parts.len()).collect(),
            Some(part) if part < self.plan.parts.len() => vec![part],
            Some(part) => {
                return Err(Error::new(format!("there is no part {part}: the plan has {}", self.plan.parts.len()))
                    .hint("`malmoi plan` lists the parts"));
            }
        };
        if part.is_some() && !matches!(name, StageName::Clean | StageName::Tokenize) {
            return Err(Error::new("--part is for stages that work part by part: clean, tokenize"));
        }
        self.check_inputs(name)?;
        self.begin()?;
        match name {
            StageName::Clean => self.clean(&parts),
            StageName::Dedup => self.dedup(),
            StageName::Tokenizer => self.tokenizer().map(drop),
            StageName::Tokenize => self.tokenize(&parts, &self.tokenizer()?),
            StageName::Import => self.import(&self.tokenizer()?),
            StageName::Mix => self.mix(&self.tokenizer()?).map(drop),
        }
    }

    fn shards(&self) -> Result<(Tokenizer, Manifest, Option<MixturePlan>)> {
        let parts: Vec<usize> = (0..self.plan.parts.len()).collect();
        self.clean(&parts)?;
        self.dedup()?;
        let tokenizer = self.tokenizer()?;
        self.tokenize(&parts, &tokenizer)?;
        self.import(&tokenizer)?;
        let (manifest, mixture) = self.mix(&tokenizer)?;
        Ok((tokenizer, manifest, mixture))
    }

    fn clean(&self, parts: &[usize]) -> Result<()> {
        let todo: Vec<usize> =
            parts.iter().copied().filter(|at| !self.lock.is_current(&self.unit("clean", *at), &self.plan.clean[*at])).collect();
        let chain = if todo.is_empty() { Chain::new(&[]) } else { Chain::new(&self.recipe.filters) };
        let chain = chain.context(|| "cannot build the filters".to_owned())?;
        let threads = rayon::current_num_threads();
        let shares = threads / todo.len().clamp(1, threads);
        let cleaner = |source| Cleaner::new(source, &chain, &self.recipe.dedup, shares);
        let cleaners: Vec<Cleaner<'_>> = self.recipe.sources.iter().map(cleaner).collect();
        let total: u64 = todo.iter().map(|at| self.plan.parts[*at].bytes).sum();
        self.timed("clean", todo.len(), parts.len(), |text| {
            let progress = self.ui.progress("clean", report::Unit::Bytes, total);
            for_each(&todo, threads, &CANCEL, |at| {
                let part = &self.plan.parts[*at];
                let cleaned = cleaners[part.source].clean(&self.folder, part, &CANCEL, &progress);
                self.plan.inputs.check_unchanged(part)?;
                let (stats, files) = cleaned?;
                self.lock.replace(&self.unit("clean", *at), &self.plan.clean[*at], &files)?;
                text.fetch_add(stats.input.bytes, Ordering::Relaxed);
                self.ui.event("clean", &stats);
                Ok(())
            })
        })?;
        self.check_bad_rows()
    }

    /// The run goes on over a few unreadable rows, but not over many: the result would be another corpus.
    fn check_bad_rows(&self) -> Result<()> {
        let (mut unreadable, mut broken) = (0, 0);
        for part in &self.plan.parts {
            match layout::read_json::<PartStats>(&self.folder, &layout::stats(&part.name)) {
                Ok(stats) => {
                    unreadable += stats.unreadable;
                    broken += stats.broken;
                }
                // With `stage clean --part` the others may not be there yet.
                Err(_) if !self.folder.join(layout::stats(&part.name)).exists() => {}
                Err(error) => return Err(error),
            }
        }
        if unreadable > self.recipe.max_bad_rows {
            return Err(Error::bad_result(format!(
                "{unreadable} rows are unreadable, more than `max-bad-rows` = {}",
                self.recipe.max_bad_rows
            ))
            .hint(format!(
                "`malmoi inspect {}` shows them; repair the input or raise `max-bad-rows`",
                self.folder.join("rejects").display()
            )));
        }
        if unreadable > 0 {
            self.ui.warn(format!("{unreadable} unreadable rows are quarantined in {}", self.folder.join("rejects").display()));
        }
        if broken > 0 {
            self.ui.warn(format!("{broken} of these break off a file or a row group: what stood behind them is missing from the corpus"));
        }
        Ok(())
    }

    fn dedup(&self) -> Result<()> {
        let current = self.lock.is_current("dedup", &self.plan.dedup);
        self.timed("dedup", usize::from(!current), 1, |_| {
            // Once an output is touched the earlier ones must not count as current, whatever happens to this one.
            self.lock.invalidate("dedup")?;
            let (summary, files) = stage::dedup::dedup(&self.folder, &self.folder, &self.plan.parts, &self.recipe.dedup, &CANCEL, self.ui)?;
            self.lock.replace("dedup", &self.plan.dedup, &files)?;
            self.ui.event("dedup", &summary);
            Ok(())
        })
    }

    fn tokenizer(&self) -> Result<Tokenizer> {
        let print = self.plan.tokenizer(&self.recipe)?;
        if self.lock.is_current("tokenizer", &print) {
            return stage::tokenizer::open(&self.folder, &self.recipe.tokenizer);
        }
        let mut made = None;
        self.timed("tokenizer", 1, 1, |_| {
            self.lock.invalidate("tokenizer")?; // as in `dedup`
            let tokenizer = stage::tokenizer::make(&self.folder, &self.plan.parts, &self.recipe.tokenizer, &CANCEL, self.ui)?;
            let files = [format!("{}/{}", layout::TOKENIZER, tokenizer.file_name()), layout::END_TOKEN.to_owned()];
            self.lock.replace("tokenizer", &print, &files)?;
            made = Some(tokenizer);
            Ok(())
        })?;
        made.ok_or_else(|| Error::new("the tokenizer was not made"))
    }

    fn tokenize(&self, parts: &[usize], tokenizer: &Tokenizer) -> Result<()> {
        let print = self.plan.tokenizer(&self.recipe)?;
        let mut todo = Vec::new();
        let mut total = 0;
        for at in parts {
            let unit = self.plan.tokenize(&self.folder, &self.recipe, *at, &print)?;
            if !self.lock.is_current(&self.unit("tokenize", *at), &unit) {
                total += layout::read_json::<PartStats>(&self.folder, &layout::stats(&self.plan.parts[*at].name))?.text_bytes;
                todo.push((*at, unit));
            }
        }
        if let Some(why) = tokenizer.slow_because().filter(|_| !todo.is_empty()) {
            self.ui.say(format!("tokenize: encoding by the Hugging Face library, which is slower: {why}"));
        }
        chat::keep(&self.folder, self.plan.chat.as_ref())?;
        let chat = self.plan.chat.as_ref().map(|template| ChatEncoder::new(template, tokenizer)).transpose()?;
        let encoder = self.encoder(tokenizer, chat.as_ref());
        self.timed("tokenize", todo.len(), parts.len(), |text| {
            let progress = self.ui.progress("tokenize", report::Unit::Bytes, total);
            for_each(&todo, rayon::current_num_threads(), &CANCEL, |(at, unit)| {
                let part = &self.plan.parts[*at];
                let source = &self.recipe.sources[part.source];
                let (left, files) = encoder.tokenize(&self.folder, part, source, &CANCEL, &progress)?;
                self.lock.replace(&self.unit("tokenize", *at), unit, &files)?;
                if let Some(chat) = left.chat.filter(|chat| chat.cut > 0) {
                    self.ui.warn(format!(
                        "{}: in {} conversations a token would reach over the beginning or end of an answer; it is cut there, as in a prompt",
                        part.name, chat.cut
                    ));
                }
                text.fetch_add(left.encoded.bytes, Ordering::Relaxed);
                self.ui.event("tokenize", &left);
                Ok(())
            })
        })
    }

    fn encoder<'e>(&'e self, tokenizer: &'e Tokenizer, chat: Option<&'e ChatEncoder<'e>>) -> Encoder<'e> {
        let Recipe { held_out, seed, shards, mixture, .. } = &self.recipe;
        Encoder { tokenizer, chat, held_out: *held_out, seed: *seed, compression: shards.compression, rehydrate: &mixture.rehydrate }
    }

    fn import(&self, tokenizer: &Tokenizer) -> Result<()> {
        let units = self.plan.imports(&self.recipe, &self.plan.tokenizer(&self.recipe)?)?;
        if units.is_empty() {
            return Ok(());
        }
        let todo: Vec<_> = units.iter().filter(|(unit, print)| !self.lock.is_current(&unit.name(), print)).collect();
        let encoder = self.encoder(tokenizer, None);
        self.timed("import", todo.len(), units.len(), |text| {
            let progress = self.ui.progress("import", report::Unit::Bytes, todo.iter().map(|(unit, _)| unit.bytes()).sum());
            for_each(&todo, rayon::current_num_threads(), &CANCEL, |(unit, fingerprint)| {
                let (left, files) = unit.run(&self.folder, &encoder, &CANCEL, &progress, self.ui)?;
                self.lock.replace(&unit.name(), fingerprint, &files)?;
                text.fetch_add(left.encoded.bytes, Ordering::Relaxed);
                self.ui.event("import", &left);
                Ok(())
            })
        })
    }

    fn mix(&self, tokenizer: &Tokenizer) -> Result<(Manifest, Option<MixturePlan>)> {
        let manifest = stage::mix::manifest(&self.folder, &self.recipe, &self.plan.parts, tokenizer)?;
        stage::mix::tell_lost(&self.folder, &self.recipe, &self.plan.parts, self.ui)?;
        let mixture = stage::mix::mixture(&self.folder, &self.recipe, &manifest, self.ui)?;
        self.ui.event("mix", &json!({ "manifest": layout::MANIFEST, "mixture": mixture }));
        Ok((manifest, mixture))
    }

    fn train(&self, tokenizer: &Tokenizer, manifest: &Manifest, mixture: &MixturePlan) -> Result<()> {
        let start = stage::train::Start::of(&self.recipe)?;
        let print = stage::train::unit(&self.recipe, manifest, mixture, start)?;
        let current = self.lock.is_current("train", &print);
        if current {
            // Trained already, but a damaged shard must not go unnoticed.
            stage::train::verify(&self.folder, manifest, &CANCEL)?;
        }
        self.timed("train", usize::from(!current), 1, |_| {
            let (folder, recipe) = (self.folder.as_path(), &self.recipe);
            let training = Training { folder, recipe, tokenizer, manifest, plan: mixture, device: self.device, start };
            let files = stage::train::train(&training, &CANCEL, self.ui)?;
            self.lock.record("train", &print, &files)
        })
    }

    /// The trained model as a Hugging Face folder in the run folder, for stages that start from it.
    pub(crate) fn model(&self, name: &str, common: &Common) -> Result<()> {
        let step = chain::chosen(&self.recipe);
        let state = model::checkpoint(&self.folder, step)?.state().clone();
        let print = lock::fingerprint(layout::MODEL, &(&state.fingerprint, state.position.step))?;
        let current = self.lock.is_current(layout::MODEL, &print);
        self.timed(layout::MODEL, usize::from(!current), 1, |_| {
            let target = self.folder.join(layout::MODEL);
            match std::fs::remove_dir_all(&target) {
                Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::new(format!("cannot remove the outdated {}: {cause}", target.display())));
                }
                _ => {}
            }
            let export = Export { name: Some(name.to_owned()), step, ..Export::whole(self.folder.clone(), target.clone()) };
            export::export(&export, common, self.ui)?;
            let names = std::fs::read_dir(&target).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
            let names = names.context(|| format!("cannot list {}", target.display()))?;
            let files: Vec<String> = names.iter().map(|file| format!("{}/{}", layout::MODEL, file.file_name().display())).collect();
            self.lock.record(layout::MODEL, &print, &files)
        })
    }

    fn report(&self) -> Result<()> {
        let path = report::write(&self.folder, self.lang)?;
        self.ui.event("done", &json!({ "run": self.folder, "report": path }));
        self.ui.data(path.display());
        Ok(())
    }

    fn unit(&self, stage: &str, at: usize) -> String {
        format!("{stage} {}", self.plan.parts[at].name)
    }

    /// Runs `work` unless nothing is to do; says what happened and adds the time, and the bytes of
    /// text that `work` counted, to `timings.json`.
    fn timed(&self, name: &str, todo: usize, all: usize, work: impl FnOnce(&AtomicU64) -> Result<()>) -> Result<()> {
        stage::check(&CANCEL)?;
        if todo == 0 {
            self.ui.say(format!("{name}: current"));
            return Ok(());
        }
        let start = Instant::now();
        let text = AtomicU64::new(0);
        let result = work(&text);
        let (seconds, text) = (start.elapsed().as_secs_f64(), text.into_inner());
        let mut timings: Timings = layout::read_json(&self.folder, layout::TIMINGS).unwrap_or_default();
        match timings.stages.iter_mut().find(|(stage, ..)| stage == name) {
            Some(entry) => (entry.1, entry.2) = (entry.1 + seconds, entry.2 + text),
            None => timings.stages.push((name.to_owned(), seconds, text)),
        }
        layout::write_json(&self.folder, layout::TIMINGS, &timings)?;
        result?;
        let skipped = all - todo;
        let size = if text > 0 { format!(", {} of text", bytes(text)) } else { String::new() };
        let note = if skipped > 0 { format!(" ({skipped} were current)") } else { String::new() };
        self.ui.say(format!("{name}: {todo} done{size} in {seconds:.1}s{note}"));
        Ok(())
    }
}
