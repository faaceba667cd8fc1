//! On cards: `make gpu-test` runs these where there are some; elsewhere they say that they were skipped.

#![allow(clippy::print_stderr)]

use super::*;

/// The same batches on one card and dealt to two: the same curve, but for the order of additions.
#[test]
fn gpu_two_cards_go_the_way_of_one() {
    let two = DeviceSpec::Cards { first: 0, count: 2 };
    if let Err(error) = two.open_all() {
        eprintln!("skipped: {error}");
        return;
    }
    // Of the first step only the order of additions differs; what it changes grows from step to step.
    for (precision, first, close) in [(Precision::F32, 1e-5, 1e-3), (Precision::Bf16, 1e-2, 3e-2)] {
        let config = TrainConfig {
            precision: Some(precision),
            learning_rate: 1e-3,
            model: ModelConfig { hidden: 128, layers: 2, heads: 2, kv_heads: 1, intermediate: 256, ..Default::default() },
            ..config()
        };
        let [one, both] = [DeviceSpec::Cuda(0), two].map(|device| {
            let folder = Folder { device, ..Folder::new() };
            let (result, events) = folder.train(&config, |_| false);
            result.unwrap();
            let steps = events.into_iter().filter_map(|event| if let Event::Step(step) = event { Some(step) } else { None });
            steps.map(|step| [step.loss, step.grad_norm]).collect::<Vec<_>>()
        });
        assert_eq!(one.len(), both.len());
        for (number, (a, b)) in one.iter().flatten().zip(both.iter().flatten()).enumerate() {
            let close = if number < 2 { first } else { close };
            assert!((a - b).abs() <= close * a.abs().max(1.0), "{precision}, number {number}: {a} {b}");
        }
    }
}

/// On a card, in bfloat16: stopped in the middle and continued, a run goes the way of an unbroken one,
/// evaluates and writes samples.
#[test]
fn gpu_run_stops_and_goes_on() {
    stops_and_goes_on(DeviceSpec::Cuda(0));
}

/// The same on two cards.
#[test]
fn gpu_run_on_two_cards_stops_and_goes_on() {
    stops_and_goes_on(DeviceSpec::Cards { first: 0, count: 2 });
}

fn stops_and_goes_on(device: DeviceSpec) {
    if let Err(error) = device.open_all() {
        eprintln!("skipped: {error}");
        return;
    }
    let sample = SampleConfig { prompts: vec!["가나".into()], tokens: 5, temperature: 0.0, top_k: 0, ..Default::default() };
    let config = TrainConfig {
        precision: Some(Precision::Bf16),
        learning_rate: 1e-3,
        sample: Some(sample),
        model: ModelConfig { hidden: 128, layers: 2, heads: 2, kv_heads: 1, intermediate: 256, ..Default::default() },
        ..config()
    };
    let losses = |events: &[Event]| -> Vec<f64> {
        let steps = events.iter().filter_map(|event| match event {
            Event::Step(step) => Some(step.loss),
            _ => None,
        });
        steps.collect()
    };
    let on_card = || Folder { device, ..Folder::new() };

    let whole = on_card();
    let (result, events) = whole.train(&config, |_| false);
    result.unwrap();
    let expected = losses(&events);
    assert!(expected.last().unwrap() < &(expected[0] - 1.0), "{expected:?}");
    assert!(events.iter().any(|event| matches!(event, Event::Sample(_))));
    assert!(events.iter().any(|event| matches!(event, Event::Eval(_))));

    let parts = on_card();
    let (result, before) = parts.train(&config, |event| step_of(event) == Some(9));
    assert!(matches!(result, Err(Error::Interrupted)), "{result:?}");
    let (result, after) = parts.train(&config, |_| false);
    result.unwrap();
    let found = [losses(&before), losses(&after)].concat();
    assert_eq!(found.len(), expected.len());
    for (a, b) in found.iter().zip(&expected) {
        assert!((a - b).abs() < 0.01 * b, "{found:?}\n{expected:?}");
    }
}
