//! Stopped, killed or failed, and continued.

use super::*;

#[test]
fn killed_anywhere_and_resumed_is_the_same_run() {
    let whole = Folder::new();
    let config = config();
    whole.train(&config, |_| false).0.unwrap();
    let steps = whole.stream(&config).steps();
    assert!(steps >= 20, "{steps}");
    // Before the first step, between checkpoints, at one, and in the step before the last.
    for stop in [0, 4, 12, 15, steps - 1] {
        let broken = Folder::new();
        if stop == 4 {
            // Steps made one by one are told when the run goes on.
            let stream = broken.stream(&config);
            let mut trainer = Trainer::new(broken.run(&config, &stream)).unwrap();
            (0..4).for_each(|_| trainer.step().unwrap());
            let mut told = Vec::new();
            let result = trainer.run(&AtomicBool::new(true), &mut |event| told.extend(step_of(&event)));
            assert!(matches!(result, Err(Error::Interrupted)));
            assert_eq!(told, [1, 2, 3, 4]);
        } else if stop == 0 {
            let stream = broken.stream(&config);
            let result = Trainer::new(broken.run(&config, &stream)).unwrap().run(&AtomicBool::new(true), &mut |_| ());
            assert!(matches!(result, Err(Error::Interrupted)));
        } else {
            let (result, _) = broken.train(&config, |event| step_of(event).is_some_and(|step| step >= stop));
            assert!(matches!(result, Err(Error::Interrupted)), "{stop}: {result:?}");
        }
        broken.train(&config, |_| false).0.unwrap();
        assert_eq!(broken.result(), whole.result(), "stopped at {stop}");
    }
}

/// What the weights have behind them may be long; what could not be read again is refused before the first step.
#[test]
fn a_long_list_of_trainings_before_is_read_again_or_refused() {
    let folder = Folder::new();
    let config = config();
    let stream = folder.stream(&config);
    let begin = |letters: usize| {
        Trainer::open(Run { lineage: vec![serde_json::json!({ "a": "x".repeat(letters) })], ..folder.run(&config, &stream) })
    };
    let error = begin(1 << 24).err().unwrap().to_string();
    assert!(error.starts_with("`init` is a model whose `training_stages` in model_info.json take 16777"), "{error}");
    let mut trainer = begin(2 << 20).unwrap();
    trainer.step().unwrap();
    assert!(matches!(trainer.run(&AtomicBool::new(true), &mut |_| ()), Err(Error::Interrupted)));
    assert_eq!(begin(2 << 20).unwrap().step_number(), 1);
}

/// A process that dies leaves no last checkpoint; lines of steps after the one there is are redone.
#[test]
fn a_crash_loses_only_the_steps_since_the_checkpoint() {
    let whole = Folder::new();
    let config = config();
    whole.train(&config, |_| false).0.unwrap();
    let crashed = Folder::new();
    {
        let stream = crashed.stream(&config);
        let mut trainer = Trainer::new(crashed.run(&config, &stream)).unwrap();
        let died = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            trainer.run(&AtomicBool::new(false), &mut |event| assert_ne!(step_of(&event), Some(9), "on purpose"))
        }));
        assert!(died.is_err());
    }
    assert_eq!(crashed.checkpoints(), ["step-000005"]);
    // What a kill in the middle of writing the next one would leave.
    std::fs::create_dir(crashed.dir.path().join(CHECKPOINTS_FOLDER).join(".step-000010.tmp")).unwrap();
    crashed.train(&config, |_| false).0.unwrap();
    assert_eq!(crashed.result(), whole.result());
    assert_eq!(crashed.checkpoints(), whole.checkpoints());
    assert_eq!(whole.checkpoints().len(), 2);
}

/// The evaluation of the last step fails because someone has written into a shard: the steps made
/// are kept, and going on makes the evaluation that is missing.
#[test]
fn a_failed_evaluation_loses_no_step() {
    let whole = Folder::new();
    let config = TrainConfig { checkpoint_every: 0, ..config() };
    whole.train(&config, |_| false).0.unwrap();
    for at in [8, whole.stream(&config).steps()] {
        let broken = Folder::new();
        let path = broken.dir.path().join("code-HeldOut.shard");
        let good = std::fs::read(&path).unwrap();
        let write = |bytes: &[u8]| {
            // In place, as the file is mapped: ids outside the vocabulary behind the header.
            let mut file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
            std::io::Write::write_all(&mut file, bytes).unwrap();
        };
        let bad = [&good[..4096], &[0xff; 64], &good[4160..]].concat();
        let (result, events) = broken.train(&config, |event| {
            if step_of(event) == Some(at) {
                write(&bad);
            }
            false
        });
        assert!(matches!(result, Err(Error::Batch(_))), "{result:?}");
        assert!(matches!(events.last(), Some(Event::Checkpoint(_))), "{events:?}");
        assert_eq!(broken.checkpoints(), [format!("step-{at:06}")]);
        // It is found before a step is made when training goes on.
        let (result, events) = broken.train(&config, |_| false);
        assert!(result.unwrap_err().to_string().contains("code-HeldOut.shard: damaged at byte 4096"));
        assert!(events.is_empty(), "{events:?}");
        write(&good);
        let (result, events) = broken.train(&config, |_| false);
        result.unwrap();
        assert!(matches!(&events[0], Event::Eval(eval) if eval.step == at), "{:?}", events[0]);
        assert_eq!(broken.result(), whole.result());
    }
}

/// Adapters with dropout and a rank of their own: stopped and continued, and with steps split in another way.
#[test]
fn adapters_go_on_where_they_stopped() {
    let lora = LoraConfig { rank: 4, dropout: 0.2, full: vec![Full::EmbedTokens], ..LoraConfig::default() };
    let config = TrainConfig { lora: Some(lora), learning_rate: 1e-2, ..config() };
    let whole = Folder::new();
    let (result, events) = whole.train(&config, |_| false);
    result.unwrap();
    let losses: Vec<f64> = events.iter().filter_map(|event| if let Event::Step(step) = event { Some(step.loss) } else { None }).collect();
    assert!(losses.last().unwrap() < &(losses[0] - 0.5), "{losses:?}");

    let parts = Folder::new();
    let (result, _) = parts.train(&config, |event| step_of(event) == Some(9));
    assert!(matches!(result, Err(Error::Interrupted)), "{result:?}");
    parts.train(&config, |_| false).0.unwrap();
    assert_eq!(parts.result(), whole.result());

    let split = Folder::new();
    let (result, events) = split.train(&TrainConfig { micro_batch: Some(2), ..config }, |_| false);
    result.unwrap();
    let steps = events.iter().filter_map(|event| if let Event::Step(step) = event { Some(step.loss) } else { None });
    for (a, b) in steps.zip(&losses) {
        assert!((a - b).abs() <= 1e-4 * b, "{a} {b}");
    }
}
