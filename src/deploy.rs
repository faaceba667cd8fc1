//! `deploy`: what serves an exported model, as files: configuration, image, Kubernetes, compose, systemd.
//!
//! Every value comes from the model's own files or from an option: [`subject`] reads them, [`memory`] says whether
//! cards hold the model, [`plan`] decides, and the other modules write one kind of file each. The number of cards is
//! one number of the plan, so that no file can ask for another; nothing listens to others without a key.

mod compose;
mod docker;
mod kubernetes;
mod llama;
mod memory;
mod plan;
mod readme;
mod subject;
mod systemd;
mod vllm;
mod yaml;

use serde_json::json;
use trainer::{staged_folder, write_file};

use crate::cli;
use crate::error::{Error, Result};
use crate::report::Ui;
use plan::Plan;
use subject::Subject;

/// `malmoi deploy`.
pub(crate) fn deploy(arguments: &cli::Deploy, ui: &Ui) -> Result<()> {
    let subject = Subject::open(&arguments.model, arguments.target)?;
    let plan = Plan::new(arguments, &subject)?;
    subject.notes.iter().chain(&plan.notes).for_each(|note| ui.warn(note));
    let files = files(&plan);
    staged_folder(&arguments.out, |folder| files.iter().try_for_each(|(name, text)| write_file(&folder.join(name), text.as_bytes())))
        .map_err(Error::new)?;
    for (what, value) in plan.facts() {
        ui.say(format!("deploy: {what}: {value}"));
    }
    let names: Vec<&str> = files.iter().map(|(name, _)| *name).collect();
    ui.say(format!("deploy: {}; README.md has the commands", names.join(" ")));
    ui.event("deploy", &json!({ "model": arguments.model, "out": arguments.out, "plan": plan, "files": names }));
    ui.data(arguments.out.display());
    Ok(())
}

/// The files by name.
fn files(plan: &Plan) -> Vec<(&'static str, String)> {
    let mut files = Vec::new();
    if plan.target == cli::Server::Vllm {
        files.push((vllm::CONFIG, yaml::text(&[vllm::config(plan)])));
    }
    files.extend([
        ("serve", docker::entry(plan)),
        ("Dockerfile", docker::file(plan)),
        ("kubernetes.yaml", yaml::text(&kubernetes::manifests(plan))),
        ("compose.yaml", yaml::text(&[compose::file(plan)])),
        ("server.service", systemd::unit(plan)),
        ("README.md", readme::text(plan)),
    ]);
    files
}
