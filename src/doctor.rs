//! `doctor`: what machine this is, which backends it has, and what is missing.

use serde_json::json;

use crate::error::Result;
use crate::report::{Ui, bytes};

/// `malmoi doctor`.
pub(crate) fn doctor(ui: &Ui) -> Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let memory = memory();
    ui.data(format!("malmoi     {} ({}, {})", env!("CARGO_PKG_VERSION"), std::env::consts::OS, std::env::consts::ARCH));
    ui.data(format!("cores      {cores}, {} threads in use", rayon::current_num_threads()));
    match memory {
        Some((total, free)) => ui.data(format!("memory     {} in all, {} available", bytes(total), bytes(free))),
        None => ui.data("memory     unknown on this system"),
    }
    let backends = trainer::backends();
    for backend in &backends {
        ui.data(format!("backend    {backend}"));
    }
    ui.event(
        "doctor",
        &json!({
            "malmoi": env!("CARGO_PKG_VERSION"), "os": std::env::consts::OS, "arch": std::env::consts::ARCH, "cores": cores,
            "memory": memory.map(|(total, _)| total), "available": memory.map(|(_, free)| free), "backends": backends,
        }),
    );
    Ok(())
}

/// Total and available memory in bytes, where the system says.
fn memory() -> Option<(u64, u64)> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let field = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? * 1024)
    };
    Some((field("MemTotal:")?, field("MemAvailable:")?))
}
