//! The targets, and the entry point of one under libFuzzer.

#[cfg(feature = "models")]
pub mod models;
pub mod targets;

/// Runs the target of this name on some bytes, in a folder that the process keeps.
pub fn run(name: &str, bytes: &[u8]) {
    use std::sync::OnceLock;
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| tempfile::tempdir().expect("there is a temporary folder"));
    #[cfg(feature = "models")]
    let models = &models::MODELS;
    #[cfg(not(feature = "models"))]
    let models = &[];
    let target = targets::TARGETS.iter().chain(models).find(|target| target.name == name).expect("the target is listed");
    (target.run)(folder.path(), bytes);
}
