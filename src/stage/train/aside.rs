//! What a training left, kept under other names while another recipe's training is in the run folder.

use std::io::ErrorKind;
use std::path::Path;

use trainer::Checkpoint;

use super::train_error;
use crate::error::{Error, Result};
use crate::layout;
use crate::report::Ui;

/// What a training leaves, and its name while another one is in its place. The checkpoints come last: where they are says
/// whose the rest is, also after a move that was cut short.
fn names(fingerprint: &str) -> [(&'static str, String); 5] {
    let short: String = fingerprint.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
    [
        (layout::METRICS, format!("metrics.{short}.jsonl")),
        (layout::SAMPLES, format!("samples.{short}.jsonl")),
        (layout::ANSWERS, format!("answers.{short}.jsonl")),
        (layout::TENSORBOARD, format!("{}.{short}", layout::TENSORBOARD)),
        (layout::CHECKPOINTS, format!("checkpoints.{short}")),
    ]
}

/// Moves what another recipe's training left out of the way. It may have cost days, so it is kept.
pub(super) fn set_aside(folder: &Path, fingerprint: &str, ui: &Ui) -> Result<()> {
    let names = names(fingerprint);
    for (name, aside) in &names {
        rename(&folder.join(name), &folder.join(aside))?;
    }
    let [.., (_, checkpoints)] = names;
    ui.warn(format!(
        "the recipe or its data changed since the last training: its checkpoints are now in {}",
        folder.join(checkpoints).display()
    ));
    Ok(())
}

/// Puts back what was set aside of this very training, when its recipe comes back. What stands in its place was left by a
/// training that got no checkpoint, and goes.
pub(super) fn take_back(folder: &Path, fingerprint: &str) -> Result<()> {
    let names = names(fingerprint);
    if names.iter().all(|(_, aside)| !folder.join(aside).exists()) {
        return Ok(());
    }
    let whose = match Checkpoint::latest(&folder.join(layout::CHECKPOINTS)).map_err(train_error)? {
        Some(latest) => Some(Checkpoint::open(&latest).map_err(train_error)?.state().fingerprint.clone()),
        None => None,
    };
    let [(_, curve), .., (_, checkpoints)] = &names;
    // Checkpoints are never replaced: neither another training's, which are set aside first, nor ones that are its own already.
    if whose.as_deref().is_some_and(|whose| whose != fingerprint || folder.join(checkpoints).exists()) {
        return Ok(());
    }
    // Its curve is the first to be moved: while it is aside, and the checkpoints too, nothing is in its place yet.
    let nothing_moved = whose.is_none() && folder.join(curve).exists();
    for (name, aside) in &names {
        if nothing_moved || folder.join(aside).exists() {
            remove(&folder.join(name))?;
        }
    }
    names.iter().try_for_each(|(name, aside)| rename(&folder.join(aside), &folder.join(name)))
}

/// Removes a file or a folder, if it is there.
fn remove(path: &Path) -> Result<()> {
    let removed = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    match removed {
        Err(cause) if cause.kind() != ErrorKind::NotFound => {
            Err(Error::new(format!("cannot remove {}, which a training without checkpoints left: {cause}", path.display())))
        }
        _ => Ok(()),
    }
}

/// Renames what is there; what is not there needs no new name.
fn rename(from: &Path, to: &Path) -> Result<()> {
    match std::fs::rename(from, to) {
        Err(cause) if cause.kind() != ErrorKind::NotFound => {
            Err(Error::new(format!("cannot move {} to {}: {cause}", from.display(), to.display())).hint("move or remove it by hand"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const OURS: &str = "0123456789";

    /// Writes a training's curve, events and checkpoints, each telling whose it is, under these names; those of `None` are not there.
    fn lay(folder: &Path, whose: &str, [curve, events, checkpoints]: [Option<&str>; 3]) {
        for (name, file) in [(curve, ""), (events, "/events"), (checkpoints, "/step")] {
            let Some(path) = name.map(|name| folder.join(format!("{name}{file}"))) else { continue };
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, whose).unwrap();
        }
    }

    /// Whose curve, events and checkpoints there are; nothing may be aside any more.
    fn found(folder: &Path) -> [Option<String>; 3] {
        assert!(names(OURS).iter().all(|(_, aside)| !folder.join(aside).exists()));
        ["metrics.jsonl", "tensorboard/events", "checkpoints/step"].map(|path| fs::read_to_string(folder.join(path)).ok())
    }

    const ASIDE: [Option<&str>; 3] = [Some("metrics.01234567.jsonl"), Some("tensorboard.01234567"), Some("checkpoints.01234567")];
    const PLACE: [Option<&str>; 3] = [Some("metrics.jsonl"), Some("tensorboard"), Some("checkpoints")];

    #[test]
    fn what_a_dead_training_left_makes_room() {
        let all = [Some("ours".to_owned()), Some("ours".to_owned()), Some("ours".to_owned())];
        let folder = tempfile::tempdir().unwrap();
        lay(folder.path(), "ours", ASIDE);
        lay(folder.path(), "dead", [PLACE[0], PLACE[1], None]);
        take_back(folder.path(), OURS).unwrap();
        assert_eq!(found(folder.path()), all);

        // Cut short anywhere, it is done again: before the first move, and after each.
        for moved in 0..3 {
            let folder = tempfile::tempdir().unwrap();
            let at = |of: [Option<&'static str>; 3], there: &dyn Fn(usize) -> bool| [0, 1, 2].map(|at| of[at].filter(|_| there(at)));
            lay(folder.path(), "ours", at(ASIDE, &|at| at >= moved));
            lay(folder.path(), "ours", at(PLACE, &|at| at < moved));
            take_back(folder.path(), OURS).unwrap();
            assert_eq!(found(folder.path()), all, "{moved}");
        }

        // Events that the training which comes back never wrote are none of its own.
        let folder = tempfile::tempdir().unwrap();
        lay(folder.path(), "ours", [ASIDE[0], None, ASIDE[2]]);
        lay(folder.path(), "dead", [PLACE[0], PLACE[1], None]);
        take_back(folder.path(), OURS).unwrap();
        assert_eq!(found(folder.path()), [Some("ours".to_owned()), None, Some("ours".to_owned())]);
    }
}
