//! The targets, and the entry points of one under libFuzzer.

#[cfg(feature = "models")]
pub mod models;
pub mod targets;

use std::path::Path;
use std::sync::OnceLock;

use targets::Target;

#[cfg(feature = "models")]
const MODELS: &[Target] = &models::MODELS;
#[cfg(not(feature = "models"))]
const MODELS: &[Target] = &[];

/// The target, and a folder that the process keeps.
static CHOSEN: OnceLock<(Target, tempfile::TempDir)> = OnceLock::new();

/// Chooses the target that `MALMOI_FUZZ` names. Where it names a folder, `./seeds`, the seeds of all targets are written
/// there, a folder for each, and the process ends.
pub fn start() {
    let name = std::env::var("MALMOI_FUZZ").unwrap_or_default();
    if name.contains('/') {
        write_seeds(Path::new(&name));
        std::process::exit(0);
    }
    let Some(target) = all().find(|target| target.name == name) else {
        let names: Vec<&str> = all().map(|target| target.name).collect();
        eprintln!("MALMOI_FUZZ must name a target: {}", names.join(", "));
        std::process::exit(2);
    };
    let folder = tempfile::tempdir().expect("there is a temporary folder");
    CHOSEN.set((target, folder)).expect("the process starts once");
    // libFuzzer's hook ends the process. A decoder's panic that becomes an error is none of the target.
    let ends = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !corpora::panic_is_caught() {
            ends(panic);
        }
    }));
}

/// Runs the chosen target on some bytes.
pub fn run(bytes: &[u8]) {
    let (target, folder) = CHOSEN.get().expect("a target is chosen");
    (target.run)(folder.path(), bytes);
}

fn all() -> impl Iterator<Item = Target> {
    targets::targets().chain(MODELS.iter().copied())
}

fn write_seeds(folder: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for target in all() {
        let folder = folder.join(target.name);
        std::fs::create_dir_all(&folder).expect("the folder can be made");
        for (number, seed) in target.seeds(&root).iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{number}")), seed).expect("the folder can be written to");
        }
    }
}
