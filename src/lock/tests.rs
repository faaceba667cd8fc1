//! The journal of a folder: what it lists, removes and finds changed.

use super::*;

fn lock(folder: &Path) -> Lock {
    Lock::open(folder, Access::Alone).unwrap()
}

fn write(folder: &Path, names: &[&str]) -> Vec<String> {
    names.iter().for_each(|name| std::fs::write(folder.join(name), name).unwrap());
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn a_unit_that_is_replaced_leaves_nothing_of_the_earlier_one_but_what_others_have() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let lock = lock(path);
    lock.record("other", "o", &write(path, &["shared"])).unwrap();
    lock.replace("unit", "a", &write(path, &["shared", "old", "same"])).unwrap();
    lock.invalidate("unit").unwrap();
    assert!(!lock.is_current("unit", "a") && path.join("old").exists());
    lock.replace("unit", "b", &write(path, &["new", "same"])).unwrap();
    assert!(lock.is_current("unit", "b") && path.join("shared").exists() && path.join("same").exists() && !path.join("old").exists());
    lock.prune(&|unit| unit != "unit").unwrap();
    assert!(path.join("shared").exists() && !path.join("new").exists() && !lock.is_current("unit", "b"));
}

#[test]
fn a_snapshot_tells_how_files_differ_from_those_that_were_left() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    lock(path).record("unit", "print", &write(path, &["gone", "short", "flipped", "x.shard", "whole"])).unwrap();
    let faults = |print: &str| Snapshot::read(path).unwrap().faults("unit", print);
    assert_eq!(faults("print"), Vec::<String>::new());
    assert_eq!(faults("other"), ["unit: was not made by this recipe from this input"]);
    assert_eq!(Snapshot::read(path).unwrap().faults("none", "print"), ["none: recipe.lock does not say that it was finished"]);
    std::fs::remove_file(path.join("gone")).unwrap();
    std::fs::write(path.join("short"), "sho").unwrap();
    std::fs::write(path.join("flipped"), "flippec").unwrap();
    // Its reader finds that, with the place.
    std::fs::write(path.join("x.shard"), "x.sharc").unwrap();
    let told = faults("print");
    assert!(told[0].starts_with("unit: cannot look at ") && told[0].contains("gone"), "{told:?}");
    assert_eq!(told[1..], ["short: has 3 bytes, and had 5 when `unit` was finished", "flipped: is not as `unit` left it"]);
}
