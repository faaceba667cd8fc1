//! Gradients that cards add up while they differentiate, against sums that the host makes of each card's own.

use burn::tensor::{Device, Tensor};
use shards::Batch;

use super::super::engine::{forgive, is_fenced_exactly};
use super::super::{Sums, counted, fault, join, on_streams_of, part};
use super::{adapted, batch, lora, shapes, values};
use crate::buckets::Buckets;
use crate::gradients::Counted;
use crate::objective::{Metric, Tally};
use crate::{Base, Cpt, DeviceSpec, Gradients, Model, Parameter, Precision};

/// What one card has of a step: an earlier micro-batch and the last one.
type Share = Option<[Batch; 2]>;

pub(super) fn cards(count: usize) -> Option<Vec<Device>> {
    let cards = DeviceSpec::Cards { first: 0, count }.open_all();
    if let Err(error) = &cards {
        eprintln!("skipped: {error}");
    }
    cards.ok()
}

fn parameters(model: &Model) -> Vec<Tensor<2>> {
    model.parameters().into_iter().map(Parameter::value).collect()
}

fn loss(model: &Model, batch: &Batch) -> Tensor<1> {
    Cpt::default().of(model, batch).unwrap().sum
}

fn read(gradients: &Gradients, count: usize) -> Vec<Vec<f32>> {
    (0..count).map(|index| gradients.get(index).map(values).unwrap_or_default()).collect()
}

/// Buckets that most parameters fill alone.
fn small_buckets(model: &Model, uses: &[&[u32]]) -> Buckets {
    let lengths: Vec<usize> = model.parameters().into_iter().map(Parameter::len).collect();
    Buckets::closed_at(20_000, &lengths, uses)
}

/// The gradients of every parameter on every card, and the losses and numbers beside them.
fn together(models: &[Model], shares: &[Share], total: u64) -> Vec<(Vec<Vec<f32>>, [f32; 2])> {
    let ready = models.iter().zip(shares).map(|(model, share)| {
        let mut gradients = Gradients::new(model);
        let last = share.as_ref().map(|[first, last]| {
            gradients.add(model, loss(model, first), total).unwrap();
            let (sum, uses) = counted(parameters(model), || loss(model, last));
            let tied = model.parameters()[0].name().contains("embed_tokens") && model.config().tied_embeddings;
            let expected: Vec<u32> = (0..uses.len()).map(|index| if tied && index == 0 { 2 } else { 1 }).collect();
            assert_eq!(uses, expected);
            Counted { sum, uses }
        });
        (model, gradients, last)
    });
    let ready: Vec<_> = ready.collect();
    let uses: Vec<&[u32]> = ready.iter().filter_map(|(.., last)| Some(&*last.as_ref()?.uses)).collect();
    let buckets = small_buckets(&models[0], &uses);
    std::thread::scope(|scope| {
        let threads = ready.into_iter().enumerate().map(|(rank, (model, mut gradients, last))| {
            let buckets = buckets.clone();
            scope.spawn(move || {
                let vector = model.tensors().find(|tensor| !tensor.is_matrix()).unwrap().value();
                on_streams_of(vector, || {
                    let mut tally = Tally::new(&["number"], &model.device());
                    tally.add(vec![Metric { sum: Tensor::full([1], rank as f32 + 1.0, &model.device()), count: 1 }]).unwrap();
                    gradients.add_up(model, last, total, buckets, &mut tally).unwrap();
                    let beside = [gradients.loss(), tally.sums_mut().clone().unwrap()].map(|numbers| values(numbers)[0]);
                    (read(&gradients, model.parameters().len()), beside)
                })
            })
        });
        let threads: Vec<_> = threads.collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// The same without a group.
fn alone(model: &Model, share: &Share, total: u64) -> (Vec<Vec<f32>>, f32) {
    let mut gradients = Gradients::new(model);
    for batch in share.iter().flatten() {
        gradients.add(model, loss(model, batch), total).unwrap();
    }
    (read(&gradients, model.parameters().len()), values(gradients.loss())[0])
}

/// Bit by bit, but for the embedding, whose gradient a card adds up in no fixed order.
#[test]
fn gpu_sums_are_those_of_the_host() {
    let shares = |count: usize| -> Vec<Vec<Share>> {
        let one = Some([batch(2, 150, 300), batch(3, 150, 300)]);
        match count {
            1 => vec![vec![one]],
            _ => vec![vec![one.clone(), Some([batch(3, 100, 300), batch(1, 150, 300)])], vec![one, None]],
        }
    };
    for count in [1, 2] {
        let Some(devices) = cards(count) else { return };
        join(0, &devices).unwrap();
        let [qwen2, qwen3, llama] = shapes();
        let whole =
            |device: &Device, config: &crate::ModelConfig| config.init(device, 300, 5).unwrap().with_precision(Precision::Bf16).unwrap();
        let makes: [&dyn Fn(&Device) -> Model; 4] = [
            &|device| whole(device, &qwen2),
            &|device| whole(device, &qwen3).with_recompute(true),
            &|device| whole(device, &llama).kept_as(crate::WeightNumbers::Bf16),
            &|device| adapted(&llama, &lora(Base::Nf4), device, Precision::Bf16),
        ];
        for (case, (make, shares)) in makes.iter().flat_map(|make| shares(count).into_iter().map(move |shares| (make, shares))).enumerate()
        {
            let models: Vec<Model> = devices.iter().map(make).collect();
            let total = 1000;
            let own: Vec<_> = models.iter().zip(&shares).map(|(model, share)| alone(model, share, total)).collect();
            let found = together(&models, &shares, total);
            for (parameter, name) in models[0].parameters().iter().map(|parameter| parameter.name()).enumerate() {
                let each: Vec<&Vec<f32>> = own.iter().map(|(gradients, _)| &gradients[parameter]).filter(|own| !own.is_empty()).collect();
                let expected: Vec<f32> = (0..each[0].len()).map(|at| each.iter().map(|own| own[at]).sum()).collect();
                for (gradients, _) in &found {
                    assert_eq!(gradients[parameter], found[0].0[parameter], "cards differ in {name}");
                    let close = |(a, b): (&f32, &f32)| {
                        if name.contains("embed_tokens") { (a - b).abs() <= 1e-5 * b.abs().max(1e-2) } else { a == b }
                    };
                    assert!(gradients[parameter].iter().zip(&expected).all(close), "{count} cards, case {case}: {name}");
                }
            }
            let loss: f32 = own.iter().map(|(_, loss)| loss).sum();
            for (_, beside) in found {
                assert_eq!(beside, [loss, [0.0, 1.0, 3.0][count]]);
            }
        }
        assert!(fault().is_none(), "{:?}", fault());
    }
}

/// All sums of a model's layers have begun when its backward pass ends, behind fences that leave them out.
#[test]
fn gpu_sums_begin_during_the_backward_pass() {
    let Some(devices) = cards(1) else { return };
    join(0, &devices).unwrap();
    for config in shapes() {
        let model = config.init(&devices[0], 300, 5).unwrap().with_precision(Precision::Bf16).unwrap();
        let (sum, uses) = counted(parameters(&model), || loss(&model, &batch(2, 150, 300)));
        let count = uses.len();
        let buckets = small_buckets(&model, &[&uses]);
        let sums = Sums::new(parameters(&model), vec![None; count], buckets, uses, devices[0].clone());
        let (mut found, sums) = sums.during(|| sum.clone().backward());
        assert!((0..count).all(|index| sums.has_taken(index)));
        assert!(sums.has_begun_all());
        assert!(parameters(&model).iter().all(|parameter| parameter.grad_remove(&mut found).is_none()));
        let (all, beside) = sums.finish(vec![Tensor::ones([1, 3], &devices[0])]);
        assert_eq!((all.len(), values(beside[0].clone())), (count, vec![1.0; 3]));
    }
    assert!(is_fenced_exactly(), "cubecl's streams are not known: sums wait for all other work, and it for them");
    assert!(fault().is_none(), "{:?}", fault());
}

/// Streams that come later are found too: work of other threads is in order with this one's.
#[test]
fn gpu_fences_see_streams_of_other_threads() {
    let Some(devices) = cards(1) else { return };
    let x = Tensor::<2>::ones([64, 64], &devices[0]).cast(burn::tensor::DType::BF16);
    let mut identity = vec![0.0f32; 64 * 64];
    (0..64).for_each(|at| identity[at * 65] = 1.0);
    let identity = Tensor::<2>::from_data(burn::tensor::TensorData::new(identity, [64, 64]), &devices[0]);
    for round in 0..20 {
        let (x, identity) = (x.clone(), identity.clone());
        let own = crate::kernels::linear(x.clone() * round as f32, identity.clone(), None);
        let sum = std::thread::spawn(move || crate::kernels::linear(own + 1.0, identity, None) + x).join().unwrap();
        assert!(values(sum).iter().all(|value| *value == round as f32 + 2.0));
    }
    assert!(is_fenced_exactly());
    assert!(fault().is_none(), "{:?}", fault());
}

/// A card whose backward pass ends early is not waited for.
#[test]
fn gpu_a_card_that_fails_is_not_waited_for() {
    let Some(devices) = cards(2) else { return };
    join(0, &devices).unwrap();
    let models = devices.iter().map(|device| shapes()[0].init(device, 300, 5).unwrap().with_precision(Precision::Bf16).unwrap());
    let models: Vec<Model> = models.collect();
    std::thread::scope(|scope| {
        for (rank, model) in models.iter().enumerate() {
            scope.spawn(move || {
                let (sum, uses) = counted(parameters(model), || loss(model, &batch(2, 150, 300)));
                let buckets = small_buckets(model, &[&uses]);
                let sums = Sums::new(parameters(model), vec![None; uses.len()], buckets, uses, model.device());
                let ended = part(|| match rank {
                    0 => {
                        let (_, sums) = sums.during(|| sum.backward());
                        drop(sums.finish(vec![sum.inner().unsqueeze_dim(0)]));
                        Ok(())
                    }
                    _ => Err(crate::Error::Interrupted),
                });
                assert_eq!(ended.is_ok(), rank == 0);
            });
        }
    });
    // Comes after all that the first card was given.
    values(models[0].parameters()[0].value());
    assert!(forgive().is_some_and(|fault| fault.contains("left its group")));
    join(0, &devices).unwrap();
}
