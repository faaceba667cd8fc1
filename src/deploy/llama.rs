//! llama.cpp's server: its arguments, and how it divides a model.

use super::plan::Plan;
use super::subject::Subject;

/// The model's file on servers; its own name does not matter to them.
pub(super) const FILE: &str = "model.gguf";

/// Kind of image, the first word of its tag.
pub(super) fn flavour(gpus: u32) -> &'static str {
    if gpus == 0 { "server" } else { "server-cuda" }
}

pub(super) fn arguments(plan: &Plan) -> Vec<String> {
    // The context is divided among texts.
    let context = u64::from(plan.context) * u64::from(plan.parallel);
    let layers = if plan.gpus == 0 { "0" } else { "all" };
    let pairs = [
        ("--model", format!("{}/{FILE}", plan.folder())),
        ("--alias", plan.name.clone()),
        ("--ctx-size", context.to_string()),
        ("--parallel", plan.parallel.to_string()),
        ("--n-gpu-layers", layers.to_owned()),
        ("--split-mode", if plan.gpus > 1 { "layer" } else { "none" }.to_owned()),
    ];
    let mut all: Vec<String> = pairs.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect();
    all.extend(["--jinja", "--metrics", "--no-ui", "--offline"].map(str::to_owned));
    all
}

/// Whether each of these cards gets a layer.
pub(super) fn splits(subject: &Subject, cards: u32) -> std::result::Result<(), String> {
    match subject.config.layers {
        layers if layers < cards as usize => Err(format!("the model has {layers} layers, which are dealt to cards")),
        _ => Ok(()),
    }
}
