//! Loaders as processes of their own, one for each rank, that are killed without warning.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::*;

const FOLDER: &str = "MALMOI_TEST_LOADER_FOLDER";
const LIFE: &str = "MALMOI_TEST_LOADER_LIFE";
const SHAPE: StreamConfig = StreamConfig { seq_len: 16, batch: 8, seed: 5 };
/// Steps that a life is given before the kill comes, about.
const LIVES: [(u32, u64); 6] = [(1, 30), (8, 60), (2, 45), (4, 20), (8, 90), (1, 15)];

fn open(folder: &Path) -> TokenStream {
    let manifest = Manifest::load(folder.join("manifest.json")).unwrap();
    let plan = MixturePlan::load(folder.join("mixture.json")).unwrap();
    TokenStream::with_manifest(folder, &manifest, &plan, SHAPE).unwrap()
}

fn record(batch: &Batch) -> Vec<u8> {
    let mut bytes = Vec::new();
    for field in [&batch.inputs, &batch.targets, &batch.positions, &batch.documents, &batch.buckets] {
        field.iter().for_each(|number| bytes.extend(number.to_le_bytes()));
    }
    bytes.extend(batch.mask.iter().map(|&counts| u8::from(counts)));
    bytes
}

/// No test by itself: what a rank's process does. It appends the rows of its rank, step by step, to a file.
#[test]
#[ignore = "run by `killed_processes_go_on_with_the_same_rows`"]
fn loader() {
    use std::io::Write;
    let Some(folder) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let life: Vec<u64> = std::env::var(LIFE).unwrap().split(' ').map(|number| number.parse().unwrap()).collect();
    let [number, first, rank, size] = life[..] else { panic!("{life:?}") };
    let stream = open(&folder);
    let mut file = std::fs::File::create(folder.join(format!("life-{number}-rank-{rank}"))).unwrap();
    for step in first..stream.steps() {
        file.write_all(&record(&stream.at(step, World { rank: rank as u32, size: size as u32 }).unwrap())).unwrap();
        std::thread::sleep(Duration::from_millis(1)); // the accelerator computes
    }
}

fn spawn(folder: &Path, life: u64, first: u64, rank: u32, size: u32) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "stream::tests::killed::loader", "--ignored"])
        .env(FOLDER, folder)
        .env(LIFE, format!("{life} {first} {rank} {size}"))
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
fn killed_processes_go_on_with_the_same_rows() {
    for compression in [Compression::None, Compression::Zstd] {
        let folder = tempfile::tempdir().unwrap();
        let docs = |count: usize| (0..count).map(|i| plain(i * 7 % 40)).collect::<Vec<_>>();
        let buckets = [("cut", docs(300)), ("packed", docs(200))];
        let manifest = run_compressed(folder.path(), &buckets, 50, true, compression);
        let packed = Packed::of(folder.path(), &manifest, "packed", SHAPE.seq_len, false).unwrap();
        let mixture = MixtureConfig { on_shortage: crate::mixture::OnShortage::Repeat, ..equal_ratios(&buckets) };
        let packed = [("packed".to_owned(), packed)].into();
        let plan = MixturePlan::with_packed(&mixture, &manifest.available(), &packed, Some(40_000), SHAPE.seq_len).unwrap();
        manifest.save(folder.path().join("manifest.json")).unwrap();
        plan.save(folder.path().join("mixture.json")).unwrap();
        let stream = open(folder.path());
        let steps = stream.steps();
        let mut resumed: Vec<Vec<u8>> = Vec::new(); // of each step, the rows of all ranks
        let mut killed = 0;
        for (life, (size, time)) in (0..).zip(LIVES.into_iter().chain([(4, u64::MAX)])) {
            let first = resumed.len() as u64;
            let mut ranks: Vec<Child> = (0..size).map(|rank| spawn(folder.path(), life, first, rank, size)).collect();
            if time < u64::MAX {
                std::thread::sleep(Duration::from_millis(time));
                // SIGKILL, at whatever each of them is doing.
                killed += ranks.iter_mut().map(|rank| usize::from(rank.kill().is_ok())).sum::<usize>();
            }
            for rank in &mut ranks {
                rank.wait().unwrap();
            }
            // A process may have been killed before it had a file, or inside of a step, which then comes again.
            let file = |rank: u32| std::fs::read(folder.path().join(format!("life-{life}-rank-{rank}"))).unwrap_or_default();
            let files: Vec<Vec<u8>> = (0..size).map(file).collect();
            let length = record(&stream.at(0, World { rank: 0, size }).unwrap()).len();
            let whole = files.iter().map(|file| file.len() / length).min().unwrap();
            for step in 0..whole {
                resumed.push(files.iter().flat_map(|file| file[step * length..(step + 1) * length].to_vec()).collect());
            }
            // Which ranks a step's rows came from depends on the life; what they are does not.
            for (step, rows) in (first..).zip(&resumed[first as usize..]) {
                let expected: Vec<u8> = (0..size).flat_map(|rank| record(&stream.at(step, World { rank, size }).unwrap())).collect();
                assert!(*rows == expected, "step {step} of life {life}");
            }
        }
        assert_eq!((resumed.len() as u64, killed > 0), (steps, true));
    }
}
