//! malmoi: raw Korean, English and code text to a trained language model.
//!
//! Reading order: [`cli`] (what can be asked) → [`recipe`] (what a run is) → [`run`] (the stages in
//! order) → `stage/` (one stage on one part) → [`report`] (the only code that prints).
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod adapted;
mod audit;
mod card;
mod chain;
mod chat;
mod classify;
mod cli;
mod compare;
mod data;
mod dataset;
mod deploy;
mod doctor;
mod error;
mod estimate;
mod eval;
mod explain;
mod export;
mod fate;
mod feedback;
mod generate;
mod init;
mod inspect;
mod interchange;
mod language_model;
mod layout;
mod lines;
mod lock;
mod model;
mod plan;
mod preview;
mod recipe;
mod record;
mod report;
mod reward;
mod run;
mod sample;
mod stage;
mod synthesize;
mod table;
mod tokenizer;
mod whatif;

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Parser;

use cli::{Cli, Command};
use error::{Context, Error, Result};
use lock::Access;
use report::Ui;

/// Set by Ctrl-C; every stage looks at it between chunks.
static CANCEL: AtomicBool = AtomicBool::new(false);

fn main() -> ExitCode {
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !corpora::panic_is_caught() {
            told(panic);
        }
    }));
    let cli = Cli::parse();
    let ui = Ui::new(&cli.common);
    match dispatch(&cli, &ui) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            ui.error(&error);
            error.exit_code()
        }
    }
}

fn dispatch(cli: &Cli, ui: &Ui) -> Result<()> {
    let common = &cli.common;
    if let Some(set) = common.set.first().filter(|_| !cli.command.takes_settings()) {
        return Err(Error::new(format!("--set {set}: this command reads no recipe whose values could be replaced"))
            .hint("--set is for plan, preview, run, build, train, stage, estimate, shards import and tokenizer train"));
    }
    if let Some(jobs) = common.jobs {
        rayon::ThreadPoolBuilder::new().num_threads(usize::from(jobs)).build_global().context(|| format!("cannot start {jobs} threads"))?;
    }
    // The others write nothing that could be left half done: there, Ctrl-C just ends the process.
    if matches!(
        cli.command,
        Command::Run { .. }
            | Command::Build { .. }
            | Command::Train { .. }
            | Command::Stage { .. }
            | Command::Shards(_)
            | Command::Eval(_)
            | Command::Synthesize(_)
    ) {
        listen()?;
    }
    match &cli.command {
        Command::Init { path } => init::init(path, ui),
        Command::Plan { recipe } => {
            if let Some(chain) = chain::Chain::load(recipe, &common.set)? {
                return chain.plan(ui);
            }
            let mut recipe = recipe::Recipe::load(recipe, &common.set)?;
            stage::train::take_init(&mut recipe)?;
            recipe.notes().iter().for_each(|note| ui.warn(note));
            plan::show(&recipe, ui)
        }
        Command::Preview(arguments) => preview::preview(arguments, &common.set, ui),
        Command::Run { recipe } => match chain::Chain::load(recipe, &common.set)? {
            Some(chain) => chain.run(common, ui),
            None => run::Run::open(recipe, common, Access::Alone, ui)?.all(),
        },
        Command::Build { recipe } => run::Run::open(recipe, common, Access::Alone, ui)?.build(),
        Command::Train { recipe } => run::Run::open(recipe, common, Access::Alone, ui)?.train_only(),
        Command::Stage { stage, recipe, part } => {
            // Units of one stage may run side by side; what needs all parts may not.
            let access = if part.is_some() { Access::Together } else { Access::Alone };
            run::Run::open(recipe, common, access, ui)?.one(*stage, *part)
        }
        Command::Inspect { path, records } => inspect::inspect(path, *records, ui),
        Command::Explain { filter, doc, run } => match (doc, run) {
            (Some(doc), Some(run)) => explain::document(run, doc, ui),
            _ => explain::filter(filter.as_deref(), ui),
        },
        Command::Estimate(arguments) => estimate::estimate(arguments, &common.set, ui),
        Command::Export(export) => export::export(export, &cli.common, ui),
        Command::Deploy(arguments) => deploy::deploy(arguments, ui),
        Command::Generate(arguments) => generate::generate(arguments, &common.device, ui),
        Command::Eval(arguments) => eval::eval(arguments, &common.device, ui),
        Command::Feedback(arguments) => feedback::feedback(arguments, ui),
        Command::Synthesize(arguments) => synthesize::synthesize(arguments, common, ui),
        Command::Audit { run, deep } => audit::audit(run, *deep, ui),
        Command::Report { run, against } => match against {
            Some(other) => compare::compare(run, other, common.lang, ui),
            None => report::rewrite(run, common, ui),
        },
        Command::Card { run } => card::card(run, common.lang, ui),
        Command::Sample(args) => sample::sample(args, ui),
        Command::Whatif { run, settings, examples } => whatif::whatif(run, settings, *examples, common.lang, ui),
        Command::Filters(cli::FiltersCommand::Train(training)) => classify::train(training, ui),
        Command::Filters(cli::FiltersCommand::TrainLm(training)) => language_model::train(training, ui),
        Command::Data(command) => data::run(command, common.lang, ui),
        Command::Shards(command) => interchange::run(command, common, ui),
        Command::Tokenizer(command) => tokenizer::run(command, common, ui),
        Command::Doctor => doctor::doctor(ui),
    }
}

/// From here on Ctrl-C asks the work to stop where it can be continued.
fn listen() -> Result<()> {
    ctrlc::set_handler(|| {
        // The second one does not wait for the end of a chunk; finished units are safe either way.
        if CANCEL.swap(true, Ordering::SeqCst) {
            std::process::exit(130);
        }
    })
    .context(|| "cannot listen for Ctrl-C".to_owned())
}
