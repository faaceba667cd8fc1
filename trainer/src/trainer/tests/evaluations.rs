//! What evaluations decide, and what is sampled beside them, wherever the run is interrupted.

use super::*;
use crate::config::EarlyStop;
use crate::samples::SAMPLES_FILE;
use crate::watch::Best;

/// The mean bits per byte of each evaluation in the curve.
fn curve(folder: &Folder) -> Vec<Best> {
    let (_, lines) = folder.result();
    let evals = lines.iter().filter(|line| line["reason"] == "eval");
    let point = |line: &serde_json::Value| {
        let buckets = line["buckets"].as_array().unwrap();
        let bits = buckets.iter().map(|bucket| bucket["bits-per-byte"].as_f64().unwrap());
        Best { step: line["step"].as_u64().unwrap(), measure: bits.sum::<f64>() / buckets.len() as f64 }
    };
    evals.map(point).collect()
}

/// A rate that rises until the model gets worse. The best checkpoint outlives the newest ones, and it is
/// the one that an unbroken run keeps.
#[test]
fn the_best_checkpoint_is_kept_across_interruptions() {
    let config = TrainConfig {
        keep_best: true,
        keep_checkpoints: 1,
        checkpoint_every: 7,
        eval_every: 2,
        learning_rate: 3.0,
        warmup_steps: Some(20),
        ..config()
    };
    let whole = Folder::new();
    whole.train(&config, |_| false).0.unwrap();
    let (curve, last) = (curve(&whole), whole.stream(&config).steps());
    let best = curve.iter().copied().reduce(|best, next| if next.measure < best.measure { next } else { best }).unwrap();
    assert!(best.step + 7 < last, "{curve:?}");
    assert_eq!(whole.checkpoints(), [format!("step-{:06}", best.step), format!("step-{last:06}")]);
    let root = whole.dir.path().join(CHECKPOINTS_FOLDER);
    let path = Checkpoint::best(&root).unwrap().unwrap();
    let checkpoint = Checkpoint::open(&path).unwrap();
    assert_eq!((checkpoint.state().position.step, checkpoint.state().best), (best.step, Some(best)));

    for stop in [best.step, best.step + 1, last - 1] {
        let broken = Folder::new();
        let (result, _) = broken.train(&config, |event| step_of(event) == Some(stop));
        assert!(matches!(result, Err(Error::Interrupted)), "{result:?}");
        broken.train(&config, |_| false).0.unwrap();
        assert_eq!(broken.result(), whole.result());
        assert_eq!(broken.checkpoints(), whole.checkpoints());
    }
}

/// The best evaluation of a run that did not keep it is given up where it is to be kept from now on: in the middle the next one
/// is the best, at the end the last.
#[test]
fn a_best_checkpoint_that_was_not_kept_is_named_and_given_up() {
    let config =
        TrainConfig { keep_checkpoints: 1, checkpoint_every: 7, eval_every: 2, learning_rate: 3.0, warmup_steps: Some(20), ..config() };
    let keeping = TrainConfig { keep_best: true, ..config.clone() };
    let lost =
        |events: &[Event]| events.iter().filter_map(|event| if let Event::BestLost(lost) = event { Some(*lost) } else { None }).next();
    let kept = |folder: &Folder| {
        let path = Checkpoint::best(&folder.dir.path().join(CHECKPOINTS_FOLDER)).unwrap();
        Checkpoint::open(&path.unwrap()).unwrap().state().position.step
    };
    let whole = Folder::new();
    whole.train(&config, |_| false).0.unwrap();
    let (all, last) = (curve(&whole), whole.stream(&config).steps());
    let least = |from: u64| {
        let after = all.iter().copied().filter(|point| point.step > from);
        after.reduce(|best, next| if next.measure < best.measure { next } else { best }).unwrap()
    };
    let best = least(0);
    assert!(best.step + 9 < last && whole.checkpoints() == [format!("step-{last:06}")], "{all:?}");

    let (result, events) = whole.train(&keeping, |_| false);
    result.unwrap();
    let found = lost(&events).unwrap();
    assert_eq!((found.lost, found.best.unwrap().step, kept(&whole)), (best, last, last));
    // From then on nothing is amiss.
    assert_eq!(lost(&whole.train(&keeping, |_| false).1), None);

    let broken = Folder::new();
    let stop = best.step + 4; // evaluated, and the only checkpoint there is
    assert!(matches!(broken.train(&config, |event| step_of(event) == Some(stop)).0, Err(Error::Interrupted)));
    let (result, events) = broken.train(&keeping, |_| false);
    result.unwrap();
    let found = lost(&events).unwrap();
    let there = all.iter().copied().find(|point| point.step == stop);
    assert_eq!((found.lost, found.best, kept(&broken)), (best, there, least(stop - 1).step));
}

/// With a rate of nearly nothing no evaluation is progress: after the first, two are waited for.
#[test]
fn training_ends_when_patience_runs_out() {
    let stop = EarlyStop { patience: 2, min_delta: 0.01 };
    let config = TrainConfig { early_stop: Some(stop), eval_every: 4, checkpoint_every: 5, learning_rate: 1e-9, ..config() };
    let whole = Folder::new();
    let (result, events) = whole.train(&config, |_| false);
    result.unwrap();
    assert!(whole.stream(&config).steps() > 16);
    let stopped = events.iter().find_map(|event| if let Event::Stopped(stop) = event { Some(*stop) } else { None }).unwrap();
    assert_eq!((stopped.step, stopped.stale), (12, 2));
    assert!(stopped.best.is_some());
    assert_eq!(whole.checkpoints(), ["step-000010", "step-000012"]);
    // Opened again it stands where it ended.
    let (result, again) = whole.train(&config, |_| false);
    result.unwrap();
    assert!(matches!(again[..], [Event::Stopped(_), Event::Rows(_)]), "{again:?}");

    // Patience is counted over interruptions, with and without an evaluation in between.
    for stop in [3, 6, 8, 10] {
        let broken = Folder::new();
        let (result, _) = broken.train(&config, |event| step_of(event) == Some(stop));
        assert!(matches!(result, Err(Error::Interrupted)), "{result:?}");
        broken.train(&config, |_| false).0.unwrap();
        assert_eq!(broken.result(), whole.result(), "stopped at {stop}");
    }
    // More patience goes on from there.
    let patient = TrainConfig { early_stop: None, ..config.clone() };
    assert_eq!(patient.identity(), config.identity());
    let (result, events) = whole.train(&patient, |_| false);
    result.unwrap();
    assert_eq!(events.iter().find_map(step_of), Some(13));
}

/// A sample of the step at which early stopping ended is none of a training that goes on from there.
#[test]
fn samples_do_not_depend_on_where_early_stopping_ended() {
    let sample = SampleConfig { prompts: vec!["fn".to_owned()], every: 5, tokens: 3, ..Default::default() };
    let config = TrainConfig { eval_every: 4, checkpoint_every: 5, learning_rate: 1e-9, sample: Some(sample), ..config() };
    let texts = |folder: &Folder| std::fs::read_to_string(folder.dir.path().join(SAMPLES_FILE)).unwrap();
    let whole = Folder::new();
    whole.train(&config, |_| false).0.unwrap();

    let stopping = TrainConfig { early_stop: Some(EarlyStop { patience: 2, min_delta: 0.01 }), ..config.clone() };
    let stopped = Folder::new();
    stopped.train(&stopping, |_| false).0.unwrap();
    assert!(texts(&stopped).ends_with('\n') && texts(&stopped).contains("\"step\":12,"));
    stopped.train(&config, |_| false).0.unwrap();
    assert_eq!(texts(&stopped), texts(&whole));
}

/// How often is evaluated may change on the way: the weights are those of an unbroken run, and the curve has what was due.
#[test]
fn another_eval_every_goes_on_with_the_training() {
    let config = TrainConfig { eval_every: 4, ..config() };
    let (often, whole, broken) = (TrainConfig { eval_every: 3, ..config.clone() }, Folder::new(), Folder::new());
    assert_eq!(often.identity(), config.identity());
    whole.train(&config, |_| false).0.unwrap();
    let (result, _) = broken.train(&config, |event| step_of(event) == Some(10));
    assert!(matches!(result, Err(Error::Interrupted)), "{result:?}");
    let (result, events) = broken.train(&often, |_| false);
    result.unwrap();
    assert_eq!(events.iter().find_map(step_of), Some(11));
    assert_eq!(broken.result().0[..2], whole.result().0[..2]);
    let last = whole.stream(&config).steps();
    let due: Vec<u64> = [4, 8].into_iter().chain((11..=last).filter(|step| step % 3 == 0 || *step == last)).collect();
    assert_eq!(curve(&broken).iter().map(|best| best.step).collect::<Vec<_>>(), due);
}

#[test]
fn what_evaluations_decide_needs_held_out_text() {
    let folder = Folder::new();
    let config = TrainConfig { keep_best: true, best_by: Some("english".to_owned()), ..config() };
    let stream = folder.stream(&config);
    let error = Trainer::new(folder.run(&config, &stream)).err().unwrap().to_string();
    assert_eq!(error, "`best-by` is \"english\", which has no held-out text; code, korean have some");
}

/// Samples of every fourth step and of the end, and the rows trained, are those of an unbroken run.
#[test]
fn samples_and_rows_are_the_same_across_interruptions() {
    let sample = SampleConfig { prompts: vec!["fn".to_owned(), "가".to_owned()], every: 4, tokens: 3, ..Default::default() };
    let config = TrainConfig { sample: Some(sample), tensorboard: true, ..config() };
    let texts = |folder: &Folder| std::fs::read_to_string(folder.dir.path().join(SAMPLES_FILE)).unwrap();
    let rows = |events: &[Event]| if let Some(Event::Rows(rows)) = events.last() { Some(rows.clone()) } else { None };
    let whole = Folder::new();
    let (result, events) = whole.train(&config, |_| false);
    result.unwrap();
    let (expected, last) = (texts(&whole), whole.stream(&config).steps());
    let steps: Vec<u64> = expected.lines().map(|line| serde_json::from_str::<crate::event::SampleEvent>(line).unwrap().step).collect();
    let mut due: Vec<u64> = (1..last).filter(|step| step % 4 == 0).chain([last]).flat_map(|step| [step, step]).collect();
    due.sort_unstable();
    assert_eq!(steps, due);
    for stop in [4, 5, 7, last - 1] {
        let broken = Folder::new();
        let (result, _) = broken.train(&config, |event| step_of(event) == Some(stop));
        assert!(matches!(result, Err(Error::Interrupted)), "{result:?}");
        let (result, after) = broken.train(&config, |_| false);
        result.unwrap();
        assert_eq!(texts(&broken), expected, "stopped at {stop}");
        assert_eq!(rows(&after), rows(&events));
        assert!(rows(&events).is_some());
    }
}
