//! `eval`: what a model knows, by tasks whose questions and answers lie in files.
//!
//! In the order of the work: [`task`] says what can be asked, [`sets`] reads questions, [`answer`] puts them
//! to the model, [`judge`] scores the answers, [`store`] keeps them, [`summary`] and [`statistics`] make numbers of
//! them, [`monitor`] measures what is no task, [`gate`] and [`history`] say whether that is enough.

mod answer;
mod contamination;
mod files;
mod form;
mod gate;
mod history;
mod instructions;
mod item;
pub(crate) mod judge;
mod monitor;
mod sets;
mod show;
mod statistics;
mod store;
mod summary;
mod task;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde_json::json;
use shards::ChatEncoder;

use crate::CANCEL;
use crate::chat;
use crate::cli;
use crate::error::{Context, Error, Result};
use crate::layout;
use crate::model::{self, Source};
use crate::report::Ui;
use form::{Chat, Example, Form};
use gate::Gates;
use history::{Entry, History};
use item::{Item, Record};
use monitor::Safety;
use sets::Set;
use store::Store;
use task::{KmmluPrompt, Options, Task};

/// A task of the command line, with its questions.
struct Asked {
    task: Task,
    set: Set,
    /// Of each item.
    examples: Vec<Vec<Example>>,
    /// How it is asked: the name of its outputs.
    setup: String,
}

/// `malmoi eval`.
pub(crate) fn eval(arguments: &cli::Eval, device: &str, ui: &Ui) -> Result<()> {
    let run = arguments.model.join(layout::RECIPE).exists();
    if arguments.task.is_empty() && !arguments.held_out {
        let tasks = Task::ALL.map(|task| format!("\n  {task:<10}  {}", task.schema())).concat();
        return Err(Error::new("nothing to evaluate").hint(format!("name a task and its file, --task TASK=FILE:{tasks}")));
    }
    if arguments.held_out && !run {
        return Err(Error::new(format!("--held-out is for run folders, which {} is not", arguments.model.display())));
    }
    // All that can be wrong with files is found before the model is opened.
    let gates = arguments.gate.as_deref().map(Gates::load).transpose()?;
    let mut tasks = read_tasks(arguments, ui)?;
    let named = |name: &str| chat::of_model(&arguments.model, Some(name).filter(|name| !name.is_empty()), "--chat-template=TEMPLATE");
    let template = arguments.chat_template.as_deref().map(named).transpose()?;
    let asked: Vec<(Task, &[Item])> = tasks.iter().map(|asked| (asked.task, asked.set.items.as_slice())).collect();
    let mut found = arguments.contamination.as_deref().map_or_else(|| Ok(BTreeMap::new()), |run| contamination::search(run, &asked, ui))?;
    let source = Source { path: &arguments.model, step: arguments.step, tokenizer: arguments.tokenizer.as_deref(), lora: None, device };
    let identity = model::identity(&source)?.to_string();
    let opened = model::open(&source)?;
    let precision = opened.model.precision();
    ui.say(format!("eval: {} parameters in {precision} on {device}", opened.model.num_params()));
    let chat = |template| -> Result<Chat<'_>> {
        let encoder = ChatEncoder::new(template, &opened.tokenizer)?;
        Ok(Chat { encoder, system: arguments.system.as_deref(), one_turn: arguments.one_turn })
    };
    let form = Form { opened: &opened, chat: template.as_ref().map(chat).transpose()? };
    tasks.iter_mut().for_each(|asked| asked.setup += form.suffix());
    let root = arguments.out.clone();
    let folder = folder_of(&root, &arguments.model, &identity, &precision.to_string());
    fs::create_dir_all(&folder).context(|| format!("cannot create {}", folder.display()))?;
    let _alone = lock(&root)?;
    let mut history = History::open(&root)?;

    let mut measured = BTreeMap::new();
    let (mut summaries, mut setups) = (Vec::new(), Vec::new());
    let mut records = Vec::new();
    for asked in &tasks {
        let of_task = answered(asked, &form, &folder, arguments.batch, ui)?;
        let unchecked = asked.set.unchecked.len();
        let of_items: Vec<&Record> = of_task.iter().collect();
        let summary = summary::summarise(asked.task, arguments.shots, unchecked, &of_items);
        let contamination = found.remove(&asked.task).map(|found| found.without(asked.task, &of_items));
        let summary = summary::Summary { contamination, ..summary };
        let questions = history::questions(&asked.setup, &of_items);
        let before = |metric: &str| history.before(metric, Some(&questions), &identity);
        show::task(&summary, &before, ui);
        measured.extend(summary.measured());
        summaries.push(summary);
        setups.push(questions);
        records.extend(of_task);
    }
    measured.extend(accuracy_of_all(&summaries));
    let records: Vec<&Record> = records.iter().collect();
    let prompts: Vec<&str> = tasks.iter().flat_map(|asked| asked.set.items.iter().map(|item| item.prompt.as_str())).collect();
    let efficiency = monitor::efficiency(&opened.tokenizer, &prompts)?;
    let safety = Safety::of_records(&records)?;
    measured.extend(show::monitor(efficiency, &safety, ui));
    let held_out = match arguments.held_out {
        true => monitor::held_out(&arguments.model, &opened.model, &opened.tokenizer, arguments.held_out_tokens)?,
        false => Vec::new(),
    };
    measured.extend(show::held_out(&held_out, &|metric| history.before(metric, None, &identity), ui));

    measured.values_mut().for_each(|value| *value = item::rounded(*value));
    let gates = gates.map(|gates| gates.check(&measured)).unwrap_or_default();
    show::gates(&gates, ui);
    let result = json!({
        "model": arguments.model, "identity": identity, "precision": precision.to_string(),
        "tasks": summaries, "measured": measured, "safety": safety, "held-out": held_out, "gates": gates,
    });
    layout::write_json(&folder, "summary.json", &result)?;
    let model = arguments.model.display().to_string();
    history.add(Entry { time: now(), model, identity, setups, measured, gates: gates.clone() })?;
    ui.say(format!("eval: outputs of every item and summary.json are in {}", folder.display()));
    match gates.iter().filter(|gate| !gate.passed).count() {
        0 => Ok(()),
        failed => Err(Error::bad_result(format!("{failed} of {} gates failed", gates.len()))),
    }
}

/// Reads the sets of all tasks.
fn read_tasks(arguments: &cli::Eval, ui: &Ui) -> Result<Vec<Asked>> {
    let files = named(&arguments.task, "--task")?;
    let examples = named(&arguments.examples, "--examples")?;
    if let Some(task) = examples.keys().find(|task| !files.contains_key(task)) {
        return Err(Error::new(format!("--examples {task}: no --task {task}")));
    }
    if !examples.is_empty() && arguments.shots == 0 {
        return Err(Error::new("--examples without --shots").hint("--shots says how many examples stand before each question"));
    }
    let options = Options {
        generate: arguments.generate,
        tokens: arguments.tokens,
        limit: arguments.limit.map(|limit| limit as usize),
        kmmlu_prompt: match arguments.kmmlu_prompt {
            cli::KmmluPrompt::Default => KmmluPrompt::Default,
            cli::KmmluPrompt::Seed => KmmluPrompt::Seed,
        },
        examples: false,
    };
    let lettered = files.keys().any(|task| task.has_letters());
    if arguments.generate && !lettered {
        return Err(
            Error::new("--generate is for tasks whose choices have letters: kmmlu, click").hint("the other tasks have one way to be asked")
        );
    }
    if options.kmmlu_prompt == KmmluPrompt::Seed && !files.contains_key(&Task::Kmmlu) {
        return Err(Error::new("--kmmlu-prompt is for the task kmmlu"));
    }
    files.iter().map(|(&task, path)| read_task(task, path, examples.get(&task), arguments.shots, &options, ui)).collect()
}

fn read_task(task: Task, path: &Path, examples: Option<&PathBuf>, shots: usize, options: &Options, ui: &Ui) -> Result<Asked> {
    let set = sets::read(task, path, options)?;
    ui.say(format!("eval: {task}: {} questions", set.items.len()));
    if set.repeated > 0 {
        ui.warn(format!("{task}: {} questions stand in the files more than once and are asked once", set.repeated));
    }
    if let Some(first) = set.unchecked.first() {
        ui.warn(format!("{task}: {} instructions cannot be checked and are left out; the first: {first}", set.unchecked.len()));
    }
    let examples = match (shots, examples) {
        (0, _) => Vec::new(),
        (_, None) if !task.has_examples() => {
            return Err(Error::new(format!("{task}: --shots {shots} wants examples")).hint(format!("name them: --examples {task}=FILE")));
        }
        (_, found) => {
            sets::read(task, found.map_or(path, |found| found), &Options { examples: true, limit: None, ..options.clone() })?.items
        }
    };
    let examples = set.items.iter().map(|item| examples_of(task, item, &examples, shots)).collect::<Result<_>>()?;
    let method = match set.items.first().map(|item| &item.ask) {
        Some(item::Ask::Write { tokens, .. }) => format!("generate-{tokens}"),
        _ => "likelihood".to_owned(),
    };
    let variant = if task == Task::Kmmlu && options.kmmlu_prompt == KmmluPrompt::Seed { ".seed-prompt" } else { "" };
    Ok(Asked { task, set, examples, setup: format!("{task}.{shots}-shot.{method}{variant}") })
}

/// The first examples of an item's subject.
fn examples_of(task: Task, item: &Item, examples: &[Item], shots: usize) -> Result<Vec<Example>> {
    let others = examples.iter().filter(|example| example.subject == item.subject && example.prompt != item.prompt);
    let found: Vec<Example> = others.filter_map(Item::example).take(shots).collect();
    if found.len() < shots {
        return Err(Error::new(format!("{task}: {} has {} examples, not {shots}", item.id, found.len()))
            .hint("take fewer --shots, or other --examples: they are of the question's own subject and have one right answer"));
    }
    Ok(found)
}

/// `TASK=PATH` arguments.
fn named(arguments: &[String], option: &str) -> Result<BTreeMap<Task, PathBuf>> {
    let mut named = BTreeMap::new();
    for argument in arguments {
        let Some((task, path)) = argument.split_once('=') else {
            return Err(Error::new(format!("{option} {argument} is not TASK=FILE")));
        };
        if named.insert(task.parse()?, PathBuf::from(path)).is_some() {
            return Err(Error::new(format!("{option} {task} is given twice")).hint("a folder can hold several files"));
        }
    }
    Ok(named)
}

/// Answers what is missing; gives the records of all items, in their order.
fn answered(asked: &Asked, form: &Form<'_>, folder: &Path, batch: u32, ui: &Ui) -> Result<Vec<Record>> {
    let Asked { task, set, examples, setup } = asked;
    let prompt = |(item, examples): (&Item, &Vec<Example>)| form.prompt(examples, &item.prompt);
    let prompts = &set.items.iter().zip(examples).map(prompt).collect::<Result<Vec<_>>>()?;
    let mut store = Store::open(folder, &format!("{setup}.jsonl"))?;
    let questions = answer::Questions { items: &set.items, prompts, form, batch };
    let count = answer::answer(task.name(), &questions, &mut store, &CANCEL, ui)?;
    if count < set.items.len() {
        ui.say(format!("eval: {task}: {} of {} items were answered before", set.items.len() - count, set.items.len()));
    }
    let path = store.finish(&set.items)?;
    ui.detail(format!("eval: {}", path.display()));
    Ok(set.items.iter().zip(prompts).filter_map(|(item, prompt)| store.get(item, prompt).cloned()).collect())
}

/// The mean accuracy of tasks that have one, and how many they are. Tasks of other metrics have no part in it.
fn accuracy_of_all(summaries: &[summary::Summary]) -> Option<(String, f64)> {
    let accuracy = |summary: &summary::Summary| {
        let metrics = if summary.macro_means.is_empty() { &summary.metrics } else { &summary.macro_means };
        metrics.iter().find(|metric| metric.name == "accuracy").map(|metric| metric.value)
    };
    let values: Vec<f64> = summaries.iter().filter_map(accuracy).collect();
    (!values.is_empty()).then(|| ("korean/accuracy".to_owned(), values.iter().sum::<f64>() / values.len() as f64))
}

/// A model's own folder: outputs of other weights are other outputs.
fn folder_of(root: &Path, model: &Path, identity: &str, precision: &str) -> PathBuf {
    let name = model.file_stem().map_or_else(|| "model".to_owned(), |name| name.to_string_lossy().into_owned());
    root.join(format!("{name}-{}-{precision}", identity.get(..12).unwrap_or(identity)))
}

/// Two evaluations that write to one place would lose each other's outputs.
fn lock(root: &Path) -> Result<File> {
    let path = root.join(".lock");
    let file = File::create(&path).context(|| format!("cannot create {}", path.display()))?;
    file.try_lock().map_err(|error| {
        Error::new(format!("{} is in use by another evaluation: {error}", root.display())).hint("give this one another --out")
    })?;
    Ok(file)
}

fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |time| time.as_secs())
}
