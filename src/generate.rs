//! `generate`: a model continues one prompt, a file of them, or what is typed.

mod engine;
mod form;
mod prompts;

use std::io::{BufRead, IsTerminal, Read};
use std::time::Instant;

use serde_json::{Value, json};
use shards::{ChatEncoder, ChatTemplate};

use crate::chat;
use crate::cli;
use crate::error::{Context, Error, Result};
use crate::model::{Source, open};
use crate::report::Ui;
use engine::{Continued, Tally};
pub(crate) use engine::{Engine, Job};
use form::Turn;
pub(crate) use form::{Form, Prompt};
use prompts::Prompts;

/// Longest prompt read from stdin.
const MAX_PROMPT: u64 = 64 << 20;

/// `malmoi generate`.
pub(crate) fn generate(arguments: &cli::Generate, device: &str, ui: &Ui) -> Result<()> {
    let prompts = arguments.prompts.as_deref().map(Prompts::open).transpose()?;
    let (step, tokenizer, lora) = (arguments.step, arguments.tokenizer.as_deref(), arguments.lora.as_deref());
    let source = Source { path: &arguments.model, step, tokenizer, lora, device };
    let opened = open(&source)?;
    ui.detail(format!(
        "generate: {} parameters in {} on {device}, end ids {:?}",
        opened.model.num_params(),
        opened.model.precision(),
        opened.ends
    ));
    let template = arguments.chat.then(|| template(arguments)).transpose()?;
    let chat = template.as_ref().map(|template| ChatEncoder::new(template, &opened.tokenizer)).transpose()?;
    let form = Form { opened: &opened, chat, system: arguments.system.as_deref() };
    match (prompts, &arguments.prompt) {
        (Some(prompts), _) => file(prompts, &form, arguments, ui),
        (None, Some(prompt)) => one(&Prompt::Text(prompt.clone()), &form, arguments, ui).map(drop),
        (None, None) if std::io::stdin().is_terminal() => typed(&form, arguments, ui),
        (None, None) => {
            let mut prompt = String::new();
            std::io::stdin()
                .lock()
                .take(MAX_PROMPT)
                .read_to_string(&mut prompt)
                .context(|| "cannot read a prompt from stdin".to_owned())?;
            if arguments.chat {
                prompt.truncate(prompt.trim_end_matches(['\r', '\n']).len());
            }
            one(&Prompt::Text(prompt), &form, arguments, ui).map(drop)
        }
    }
}

/// The template that is named, else that of the adapters, else that of the model.
fn template(arguments: &cli::Generate) -> Result<ChatTemplate> {
    let named = arguments.template.as_deref();
    let adapters = arguments.lora.as_deref().filter(|_| named.is_none());
    match adapters.map(chat::of_adapters).transpose()?.flatten() {
        Some(theirs) => Ok(theirs),
        None => chat::of_model(&arguments.model, named, "--template"),
    }
}

/// One prompt: its text is printed as it is made, or each of its continuations when it is finished. Gives the first.
fn one(prompt: &Prompt, form: &Form<'_>, arguments: &cli::Generate, ui: &Ui) -> Result<String> {
    let begun = Instant::now();
    let mut engine = Engine::new(form, arguments)?;
    let streams = arguments.samples == 1;
    for sample in 0..arguments.samples.into() {
        engine.push(Job { id: sample, name: json!(sample), prompt: prompt.clone() })?;
    }
    let mut finished = Vec::new();
    while engine.pending() > 0 {
        finished.extend(engine.step(&mut |text| {
            if streams {
                ui.piece(text)
            }
        })?);
    }
    finished.sort_by_key(|continued: &Continued| continued.job.id);
    for continued in &finished {
        if streams {
            ui.piece("\n");
        } else if !ui.is_json() {
            ui.data(json!({ "id": continued.job.name, "text": continued.text }));
        }
        ui.event("completion", &facts(continued));
    }
    tell(engine.tally(), begun, ui);
    Ok(finished.into_iter().next().map(|continued| continued.text).unwrap_or_default())
}

/// A file of prompts, of which only as many as are being continued are in memory.
fn file(prompts: Prompts, form: &Form<'_>, arguments: &cli::Generate, ui: &Ui) -> Result<()> {
    let begun = Instant::now();
    let mut engine = Engine::new(form, arguments)?;
    let name = prompts.name();
    let samples = u64::from(arguments.samples);
    let mut jobs = prompts.flat_map(|(line, prompt)| {
        (0..samples).map(move |sample| {
            let prompt = prompt.as_ref().map_err(Clone::clone)?;
            let name = if samples == 1 { prompt.id.clone() } else { json!([prompt.id, sample]) };
            Ok((line, Job { id: (line - 1) * samples + sample, name, prompt: prompt.asked.clone() }))
        })
    });
    let mut bad = 0;
    let mut order = Order::default();
    let mut more = true;
    while more || engine.pending() > 0 {
        while more && engine.pending() < 2 * arguments.batch as usize {
            let pushed = match jobs.next() {
                None => {
                    more = false;
                    continue;
                }
                Some(Ok((line, job))) => {
                    let id = job.id;
                    order.expect(id);
                    engine.push(job).map_err(|error| (Some(id), format!("{name}, line {line}: {}", error.message)))
                }
                Some(Err(detail)) => Err((None, detail)),
            };
            if let Err((id, detail)) = pushed {
                bad += 1;
                ui.warn(detail);
                id.into_iter().for_each(|id| order.give_up(id));
            }
        }
        for continued in engine.step(&mut |_| ())? {
            order.put(continued);
        }
        for continued in order.ready() {
            ui.event("completion", &facts(&continued));
            if !ui.is_json() {
                let (key, value) = told(&continued.job.prompt);
                ui.data(json!({ "id": continued.job.name, key: value, "text": continued.text, "finish": continued.finish() }));
            }
        }
    }
    tell(engine.tally(), begun, ui);
    match bad {
        0 => Ok(()),
        bad => Err(Error::bad_result(format!("{bad} prompts of {name} could not be continued"))),
    }
}

/// Continuations in the order of their prompts, whenever they are finished.
#[derive(Default)]
struct Order {
    expected: std::collections::BTreeMap<u64, Option<Continued>>,
}

impl Order {
    fn expect(&mut self, id: u64) {
        self.expected.insert(id, None);
    }

    fn give_up(&mut self, id: u64) {
        self.expected.remove(&id);
    }

    fn put(&mut self, continued: Continued) {
        self.expected.insert(continued.job.id, Some(continued));
    }

    /// Those before which nothing is missing.
    fn ready(&mut self) -> Vec<Continued> {
        let mut ready = Vec::new();
        while let Some(first) = self.expected.first_entry().filter(|first| first.get().is_some()) {
            ready.extend(first.remove());
        }
        ready
    }
}

/// Each line that is typed is continued, or answered with what was said before; an empty one ends.
fn typed(form: &Form<'_>, arguments: &cli::Generate, ui: &Ui) -> Result<()> {
    ui.say(format!("generate: each line is {}; an empty one ends", if arguments.chat { "answered" } else { "continued" }));
    let mut turns = Vec::new();
    let turn = |role: &str, content: String| Turn { role: role.to_owned(), content };
    for (number, line) in std::io::stdin().lock().lines().enumerate() {
        let line = line.context(|| "cannot read what is typed".to_owned())?;
        if line.is_empty() {
            break;
        }
        // Another line is another draw.
        let arguments = cli::Generate { seed: arguments.seed.wrapping_add(number as u64), ..arguments.clone() };
        let prompt = if arguments.chat {
            turns.push(turn("user", line));
            Prompt::Turns(turns.clone())
        } else {
            Prompt::Text(line)
        };
        match one(&prompt, form, &arguments, ui) {
            Ok(answer) => turns.push(turn("assistant", answer)),
            Err(error) => {
                turns.pop();
                ui.error(&error);
            }
        }
    }
    Ok(())
}

/// A prompt as a file of prompts has it.
fn told(prompt: &Prompt) -> (&'static str, Value) {
    match prompt {
        Prompt::Text(text) => ("prompt", json!(text)),
        Prompt::Turns(turns) => ("messages", json!(turns)),
    }
}

/// A continuation for machines.
fn facts(continued: &Continued) -> Value {
    let (key, value) = told(&continued.job.prompt);
    json!({
        "id": continued.job.name,
        key: value,
        "text": continued.text,
        "finish": continued.finish(),
        "prompt-ids": continued.prompt,
        "ids": continued.completion.ids,
        "log-probs": continued.completion.log_probs,
    })
}

fn tell(tally: Tally, begun: Instant, ui: &Ui) {
    let seconds = begun.elapsed().as_secs_f64();
    let Tally { prompt, drawn } = tally;
    ui.say(format!("generate: {drawn} tokens after {prompt} of prompts in {seconds:.2} s: {:.1} tokens/s", drawn as f64 / seconds));
}
