//! `synthesize`: a model writes conversations about documents, for the data stage to filter and deduplicate.
//!
//! A job is a document, a template and a number. What is drawn for it follows from the seed and its place among all
//! jobs, so that a run that was killed goes on and, on the CPU, ends in the same bytes. `generations.jsonl` has a line
//! for each job that is done; `rows.jsonl` and `rejects.jsonl` are made of it at the end.

mod config;
mod journal;
mod seeds;
mod template;

use std::io::Write;
use std::path::{Path, PathBuf};

use corpora::AtomicFile;
use serde_json::{Value, json};
use shards::ChatEncoder;

use crate::error::{Context, Error, Result};
use crate::generate::{Engine, Form, Job, Prompt};
use crate::model::{self, Source};
use crate::report::{Ui, Unit};
use crate::{CANCEL, cli, layout};
use config::Config;
use journal::{Done, Journal};
use seeds::Seed;

/// Why a text was not made.
const TOO_LONG: &str = "the prompt is too long for the model";

/// What belongs to the whole: everything that a text depends on.
struct Whole<'a> {
    config: &'a Config,
    seeds: Vec<Seed>,
    /// Hash of the model.
    model: String,
}

/// One text to be made.
struct Place {
    seed: usize,
    template: usize,
    sample: u32,
}

/// `malmoi synthesize`.
pub(crate) fn synthesize(arguments: &cli::Synthesize, common: &cli::Common, ui: &Ui) -> Result<()> {
    let config = Config::load(&arguments.config)?;
    let seeds = seeds::read(&config.seeds)?;
    let source = Source { path: &config.model, step: None, tokenizer: None, lora: None, device: &common.device };
    let whole = Whole { config: &config, seeds, model: model::identity(&source)?.to_string() };
    let jobs = whole.jobs();
    std::fs::create_dir_all(&config.output).context(|| format!("cannot create {}", config.output.display()))?;
    let mut journal = Journal::open(&config.output, &whole.fingerprint()?)?;
    let missing: Vec<u64> = (0..jobs.len() as u64).filter(|job| !journal.has(*job)).collect();
    ui.say(format!(
        "synthesize: {} texts about {} documents, {} of them made before",
        jobs.len(),
        whole.seeds.len(),
        jobs.len() - missing.len()
    ));
    if !missing.is_empty() {
        generate(&whole, &jobs, &missing, &source, &mut journal, ui)?;
    }
    let done = journal.finish()?;
    whole.write(&jobs, &done, ui)
}

/// Makes what is missing.
fn generate(whole: &Whole<'_>, jobs: &[Place], missing: &[u64], source: &Source<'_>, journal: &mut Journal, ui: &Ui) -> Result<()> {
    let config = whole.config;
    let opened = model::open(source)?;
    let template = config.chat_template()?;
    let chat = template.as_ref().map(|template| ChatEncoder::new(template, &opened.tokenizer)).transpose()?;
    let form = Form { opened: &opened, chat, system: None };
    let arguments = cli::Generate {
        model: config.model.clone(),
        lora: None,
        prompt: None,
        prompts: None,
        chat: config.chat,
        template: None,
        system: None,
        samples: config.batch,
        tokens: config.sampling.tokens,
        sampling: config.sampling.arguments(),
        stop: Vec::new(),
        ignore_end: false,
        seed: config.seed,
        batch: config.batch,
        context: None,
        cache_bytes: None,
        tokenizer: None,
        step: None,
    };
    let mut engine = Engine::new(&form, &arguments)?;
    let progress = ui.progress("synthesize", Unit::Items, jobs.len() as u64);
    progress.set_before((jobs.len() - missing.len()) as u64);
    let mut left = missing.iter().copied().peekable();
    while left.peek().is_some() || engine.pending() > 0 {
        if CANCEL.load(std::sync::atomic::Ordering::Relaxed) {
            return Err(Error::interrupted());
        }
        let mut done = Vec::new();
        while engine.pending() < 2 * config.batch as usize
            && let Some(job) = left.next()
        {
            let place = &jobs[job as usize];
            let job = Job { id: job, name: json!(job), prompt: Prompt::Text(whole.prompt(place)) };
            let (id, document) = (job.id, &whole.seeds[place.seed].id);
            let pushed = engine.push_if_short(job);
            // One that is too long for the model is a text that could not be made, not the end.
            if pushed.map_err(|error| Error { message: format!("{document}: {}", error.message), ..error })?.is_some() {
                done.push(Done { job: id, text: None, finish: TOO_LONG.to_owned() });
            }
        }
        for continued in engine.step(&mut |_| ())? {
            done.push(Done { job: continued.job.id, finish: continued.finish().to_owned(), text: Some(continued.text) });
        }
        progress.add(done.len() as u64);
        journal.add(&done)?;
    }
    Ok(())
}

impl Whole<'_> {
    /// All jobs; their order decides what is drawn.
    fn jobs(&self) -> Vec<Place> {
        let mut jobs = Vec::new();
        for seed in 0..self.seeds.len() {
            for (template, one) in self.config.templates.iter().enumerate() {
                jobs.extend((0..one.count).map(|sample| Place { seed, template, sample }));
            }
        }
        jobs
    }

    fn prompt(&self, place: &Place) -> String {
        self.config.templates[place.template].prompt().replace("{text}", &self.seeds[place.seed].text)
    }

    /// Hash of everything that texts depend on.
    fn fingerprint(&self) -> Result<String> {
        let Config { seed, sampling, templates, .. } = self.config;
        let template = self.config.chat_template()?.map(|template| template.digest());
        let prompts: Vec<(&str, u32)> = templates.iter().map(|template| (template.prompt(), template.count)).collect();
        let mut hasher = blake3::Hasher::new_derive_key("malmoi synthetic data, version 1");
        hasher.update(
            json!({ "model": self.model, "seed": seed, "template": template, "sampling": sampling, "prompts": prompts })
                .to_string()
                .as_bytes(),
        );
        for Seed { id, text } in &self.seeds {
            hasher.update(&(id.len() as u64).to_le_bytes()).update(id.as_bytes());
            hasher.update(&(text.len() as u64).to_le_bytes()).update(text.as_bytes());
        }
        Ok(hasher.finalize().to_hex().to_string())
    }

    /// Where a text comes from.
    fn provenance(&self, place: &Place) -> Value {
        let template = &self.config.templates[place.template];
        json!({
            "document": self.seeds[place.seed].id,
            "template": template.kind.name(),
            "template-blake3": blake3::hash(template.prompt().as_bytes()).to_hex().to_string(),
            "model": self.config.model.file_name().map(|name| name.to_string_lossy().into_owned()),
            "model-blake3": self.model,
            "sample": place.sample,
            "seed": self.config.seed,
            "sampling": self.config.sampling,
            "made-by": concat!("malmoi ", env!("CARGO_PKG_VERSION")),
        })
    }

    /// Rows, rejects and their counts.
    fn write(&self, jobs: &[Place], done: &[Done], ui: &Ui) -> Result<()> {
        let folder = &self.config.output;
        let (mut rows, mut rejects) = (File::create(folder, "rows.jsonl")?, File::create(folder, "rejects.jsonl")?);
        let mut counts = std::collections::BTreeMap::<String, u64>::new();
        for Done { job, text, finish } in done {
            let Some(place) = usize::try_from(*job).ok().and_then(|job| jobs.get(job)) else { continue };
            let kind = self.config.templates[place.template].kind;
            let provenance = self.provenance(place);
            let read = match text {
                Some(text) => kind.read(text, finish == "length").map_err(str::to_owned),
                None => Err(finish.clone()),
            };
            match read {
                Ok(conversations) => {
                    for (at, turns) in conversations.iter().enumerate() {
                        let id = format!("{}#{}-{}-{}.{at}", self.seeds[place.seed].id, kind.name(), place.template, place.sample);
                        rows.put(&json!({ "id": id, "messages": turns, "provenance": provenance }))?;
                        *counts.entry(format!("{} conversations", kind.name())).or_default() += 1;
                    }
                }
                Err(why) => {
                    *counts.entry(format!("{} rejected: {why}", kind.name())).or_default() += 1;
                    rejects.put(&json!({ "why": why, "text": text, "finish": finish, "provenance": provenance }))?;
                }
            }
        }
        let made = rows.count;
        let path = rows.finish()?;
        rejects.finish()?;
        let summary = json!({ "texts": jobs.len(), "documents": self.seeds.len(), "rows": made, "counts": counts });
        layout::write_json(folder, "summary.json", &summary)?;
        counts.iter().for_each(|(what, count)| ui.say(format!("synthesize: {what}: {count}")));
        ui.event("synthesize", &summary);
        ui.data(path.display());
        match made {
            0 => Err(Error::bad_result(format!(
                "no text had the form that was asked for; all are in {}",
                folder.join("rejects.jsonl").display()
            ))
            .hint("a model that was taught to follow instructions writes it; `prompt` in `[[templates]]` asks otherwise")),
            _ => Ok(()),
        }
    }
}

/// A file of JSON lines that is there whole or not at all.
struct File {
    path: PathBuf,
    out: AtomicFile,
    count: u64,
}

impl File {
    fn create(folder: &Path, name: &str) -> Result<Self> {
        let path = folder.join(name);
        Ok(Self { out: AtomicFile::create(&path)?, path, count: 0 })
    }

    fn put(&mut self, row: &Value) -> Result<()> {
        self.count += 1;
        writeln!(self.out, "{row}").context(|| format!("cannot write {}", self.path.display()))
    }

    fn finish(self) -> Result<PathBuf> {
        self.out.finish()?;
        Ok(self.path)
    }
}
