//! There and back, and what is refused on the way back.

use super::*;
use crate::config::TrainConfig;

fn made() -> (Model, AdamW, State) {
    let config = ModelConfig { hidden: 8, layers: 1, heads: 2, kv_heads: 1, intermediate: 6, tied_embeddings: false, ..Default::default() };
    let model = config.init(&Device::flex(), 10, 1).unwrap();
    let mut optimizer = AdamW::new(&TrainConfig::default(), &model, 0);
    let moments = model.parameters().iter().map(|p| Moments::Full([2.0, 3.0].map(|times| p.value().inner() * times))).collect();
    optimizer.restore(7, moments);
    let state = State {
        version: CHECKPOINT_VERSION,
        position: Position { step: 7, updates: 7, drawn: 100, trained: 90, masked: 10 },
        seed: 1,
        fingerprint: "print".to_owned(),
        tokenizer: Digest([3; 32]),
        vocab_size: 10,
        model: config,
        precision: Some(crate::model::Precision::F32),
        lora: None,
        best: Some(Best { step: 3, measure: 1.5 }),
        stale: 2,
        lineage: vec!["before".into()],
        kl_coefficient: None,
    };
    (model, optimizer, state)
}

fn numbers(model: &Model) -> Vec<Vec<f32>> {
    model.parameters().iter().map(|p| p.to_vec().unwrap()).collect()
}

#[test]
fn there_and_back() {
    let root = tempfile::tempdir().unwrap();
    let (model, optimizer, state) = made();
    let path = Checkpoint::save(root.path(), &state, &model, &optimizer).unwrap();
    assert_eq!(path, root.path().join("step-000007"));
    assert_eq!(Checkpoint::latest(root.path()).unwrap(), Some(path.clone()));
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);

    let checkpoint = Checkpoint::open(&path).unwrap();
    assert_eq!(checkpoint.state(), &state);
    let read = checkpoint.model(&Device::flex()).unwrap();
    assert_eq!(numbers(&read), numbers(&model));
    let mut restored = AdamW::new(&TrainConfig::default(), &read, 0);
    checkpoint.optimizer(&read, &mut restored).unwrap();
    assert_eq!(restored.steps(), 7);
    for pair in optimizer.moments().iter().zip(restored.moments()) {
        let (Moments::Full(saved), Moments::Full(restored)) = pair else { panic!("{pair:?}") };
        assert_eq!(saved.each_ref().map(Tensor::to_data), restored.each_ref().map(Tensor::to_data));
    }
    // The same state gives the same bytes.
    let files = |path: &Path| Checkpoint::FILES.map(|file| fs::read(path.join(file)).unwrap());
    let first = files(&path);
    let again = Checkpoint::save(root.path(), &state, &read, &restored).unwrap();
    assert_eq!(files(&again), first);
    // The one whose name it took is gone.
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 1);
}

#[test]
fn every_damaged_byte_is_noticed() {
    let root = tempfile::tempdir().unwrap();
    let (model, optimizer, state) = made();
    let path = Checkpoint::save(root.path(), &state, &model, &optimizer).unwrap();
    let load = || {
        let checkpoint = Checkpoint::open(&path)?;
        let model = checkpoint.model(&Device::flex())?;
        checkpoint.optimizer(&model, &mut AdamW::new(&TrainConfig::default(), &model, 0))
    };
    load().unwrap();
    for file in [MODEL, OPTIMIZER, STATE, SUMS] {
        let file = path.join(file);
        let good = fs::read(&file).unwrap();
        for place in (0..good.len()).step_by(good.len() / 40 + 1) {
            let mut bad = good.clone();
            bad[place] ^= 1 << (place % 8);
            fs::write(&file, &bad).unwrap();
            let error = load().unwrap_err().to_string();
            assert!(error.contains(path.to_str().unwrap()), "{}:{place}: {error}", file.display());
        }
        for bad in [Vec::new(), good[..good.len() / 2].to_vec(), [good.clone(), good.clone()].concat()] {
            fs::write(&file, &bad).unwrap();
            // The list of hashes twice is the same list.
            assert!(load().is_err() || file.ends_with(SUMS), "{}", file.display());
        }
        fs::remove_file(&file).unwrap();
        assert!(matches!(load(), Err(Error::Io { .. } | Error::Invalid { .. })));
        fs::write(&file, &good).unwrap();
    }
    load().unwrap();
}

#[test]
fn other_versions_and_shapes_are_refused() {
    let root = tempfile::tempdir().unwrap();
    let (model, optimizer, state) = made();
    let saved = |state: &State| Checkpoint::save(root.path(), state, &model, &optimizer).unwrap();
    let newer = saved(&State { version: 2, ..state.clone() });
    assert!(Checkpoint::open(&newer).unwrap_err().to_string().contains("version 2, this program reads version 1"));
    let wider = saved(&State { vocab_size: 11, ..state.clone() });
    let error = Checkpoint::open(&wider).unwrap().model(&Device::flex()).unwrap_err().to_string();
    assert!(error.contains("`model.embed_tokens.weight` is [10, 8], not [11, 8]"), "{error}");
    // Two tables of 16,777,216 ids are claimed: found out by the file's header, not by making them.
    let claimed = saved(&State { vocab_size: 1 << 24, ..state.clone() });
    let error = Checkpoint::open(&claimed).unwrap().model(&Device::flex()).unwrap_err().to_string();
    assert!(error.contains("is [10, 8], not [16777216, 8]"), "{error}");
    let impossible = saved(&State { vocab_size: usize::MAX, ..state });
    assert!(Checkpoint::open(&impossible).is_err());
}

#[test]
fn the_oldest_go_first() {
    let root = tempfile::tempdir().unwrap();
    assert!(Checkpoint::latest(&root.path().join("none")).unwrap().is_none());
    let (model, optimizer, state) = made();
    for step in [2, 1_000_000, 30] {
        let position = Position { step, ..state.position };
        Checkpoint::save(root.path(), &State { position, ..state.clone() }, &model, &optimizer).unwrap();
    }
    // Not ours: left alone.
    for name in ["step-7", "step-0000001", "best", ".step-000009.tmp"] {
        fs::create_dir(root.path().join(name)).unwrap();
    }
    let all = names(root.path()).unwrap();
    Checkpoint::prune(root.path(), 2, Some(2)).unwrap();
    assert_eq!(names(root.path()).unwrap(), all.iter().filter(|name| !name.starts_with('.')).cloned().collect::<Vec<_>>());
    assert_eq!(Checkpoint::best(root.path()).unwrap(), None); // step 3 is not there
    Checkpoint::prune(root.path(), 2, None).unwrap();
    assert_eq!(names(root.path()).unwrap(), ["best", "step-0000001", "step-000030", "step-1000000", "step-7"]);
    assert_eq!(Checkpoint::latest(root.path()).unwrap(), Some(root.path().join("step-1000000")));
}

/// A head for numbers is a parameter like others, and its model opens again as what it is.
#[test]
fn scalar_heads_are_kept() {
    for head in [crate::model::ScalarHead::Score, crate::model::ScalarHead::Value] {
        let root = tempfile::tempdir().unwrap();
        let (_, _, mut state) = made();
        state.model.scalar_head = Some(head);
        let model = state.model.init(&Device::flex(), 10, 1).unwrap();
        let optimizer = AdamW::new(&TrainConfig::default(), &model, 0);
        let path = Checkpoint::save(root.path(), &state, &model, &optimizer).unwrap();
        let checkpoint = Checkpoint::open(&path).unwrap();
        assert_eq!(numbers(&checkpoint.model(&Device::flex()).unwrap()), numbers(&model));
        let weights = checkpoint.weights().unwrap().without_value_head();
        let kept = Some(head).filter(|head| *head == crate::model::ScalarHead::Score);
        assert_eq!(weights.config().scalar_head, kept);
        assert_eq!(weights.model(&Device::flex()).unwrap().tensors().count(), model.tensors().count() - usize::from(kept.is_none()));
    }
}
