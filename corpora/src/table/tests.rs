use std::fs;

use polars::prelude::{ParquetReader, SerReader};

use super::*;

fn metrics(values: &[(&str, f64)]) -> BTreeMap<String, f64> {
    values.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect()
}

fn row<'a>(row: u64, id: &'a str, metrics: &'a BTreeMap<String, f64>) -> StatsRow<'a> {
    StatsRow {
        row,
        id,
        source: "s",
        bucket: "b",
        outcome: Outcome::Kept,
        rule: None,
        value: None,
        threshold: None,
        bytes: 10 + row,
        chars: row,
        lang: Some("ko"),
        metrics,
    }
}

#[test]
fn columns_are_the_fixed_ones_and_the_metrics_sorted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let mut writer = StatsWriter::create(&path, &["z", "a", "z"]).unwrap();
    let (some, none) = (metrics(&[("a", 0.5)]), metrics(&[]));
    writer.push(&row(0, "하나", &some)).unwrap();
    let rejected = StatsRow {
        outcome: Outcome::Rejected,
        rule: Some("length/min"),
        value: Some(3.0),
        threshold: Some(20.0),
        lang: None,
        ..row(1, "둘", &none)
    };
    writer.push(&rejected).unwrap();
    writer.push(&StatsRow { outcome: Outcome::Unreadable, ..row(2, "", &none) }).unwrap();
    writer.finish().unwrap();
    let frame = read(&path).unwrap();
    let names: Vec<&str> = frame.get_column_names().into_iter().map(|name| name.as_str()).collect();
    assert_eq!(names, ["row", "id", "source", "bucket", "outcome", "rule", "value", "threshold", "bytes", "chars", "lang", "a", "z"]);
    let strings = |name: &str| frame.column(name).unwrap().str().unwrap().iter().map(|value| value.map(str::to_owned)).collect::<Vec<_>>();
    let floats = |name: &str| frame.column(name).unwrap().f64().unwrap().iter().collect::<Vec<_>>();
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(strings("id"), [some("하나"), some("둘"), some("")]);
    assert_eq!(strings("outcome"), [some("kept"), some("rejected"), some("unreadable")]);
    assert_eq!(strings("rule"), [None, some("length/min"), None]);
    assert_eq!(strings("lang"), [some("ko"), None, some("ko")]);
    assert_eq!((floats("value"), floats("threshold")), (vec![None, Some(3.0), None], vec![None, Some(20.0), None]));
    assert_eq!((floats("a"), floats("z")), (vec![Some(0.5), None, None], vec![None; 3]));
    let bytes: Vec<Option<u64>> = frame.column("bytes").unwrap().u64().unwrap().iter().collect();
    assert_eq!(bytes, [Some(10), Some(11), Some(12)]);
}

#[test]
fn many_rows_are_several_row_groups_and_the_same_bytes_every_time() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, rows: u64| {
        let path = folder.path().join(name);
        let mut writer = StatsWriter::create(&path, &["m"]).unwrap();
        for n in 0..rows {
            writer.push(&row(n, &format!("id {n}"), &metrics(&[("m", n as f64)]))).unwrap();
        }
        writer.finish().unwrap();
        path
    };
    let rows = GROUP_ROWS as u64 * 2 + 5;
    let (one, two) = (write("one", rows), write("two", rows));
    assert_eq!(fs::read(&one).unwrap(), fs::read(two).unwrap());
    let mut reader = ParquetReader::new(fs::File::open(&one).unwrap());
    assert_eq!(
        reader.get_metadata().unwrap().row_groups.iter().map(|group| group.num_rows()).collect::<Vec<_>>(),
        [GROUP_ROWS, GROUP_ROWS, 5]
    );
    let frame = read(&one).unwrap();
    let column: Vec<Option<u64>> = frame.column("row").unwrap().u64().unwrap().iter().collect();
    assert!(column.into_iter().eq((0..rows).map(Some)));
    assert_eq!(read(&write("none", 0)).unwrap().height(), 0);
    assert_eq!(read(&write("exact", GROUP_ROWS as u64)).unwrap().height(), GROUP_ROWS);
}

#[test]
fn what_has_no_column_is_refused_and_an_unfinished_table_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let mut writer = StatsWriter::create(&path, &["m".to_owned()]).unwrap();
    let unknown = metrics(&[("n", 1.0)]);
    assert!(writer.push(&row(0, "", &unknown)).unwrap_err().to_string().contains("`n`"));
    drop(writer);
    assert!(StatsWriter::create(&path, &["bytes"]).err().unwrap().to_string().contains("`bytes`"));
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    assert!(read(&path).err().unwrap().to_string().contains("a.parquet"));
}

#[test]
fn groups_are_the_table_in_pieces() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let mut writer = StatsWriter::create(&path, &["a"]).unwrap();
    let total = GROUP_ROWS * 2 + 7;
    for number in 0..total {
        let value = metrics(&[("a", number as f64)]);
        writer.push(&row(number as u64, &number.to_string(), &value)).unwrap();
    }
    writer.finish().unwrap();
    let (mut heights, mut next) = (Vec::new(), 0);
    each_group(&path, &["a", "absent", "row"], &mut |group: DataFrame| -> Result<()> {
        assert_eq!(group.width(), 2);
        heights.push(group.height());
        for (number, value) in group.column("row").unwrap().u64().unwrap().iter().zip(group.column("a").unwrap().f64().unwrap().iter()) {
            assert_eq!((number, value), (Some(next), Some(next as f64)));
            next += 1;
        }
        Ok(())
    })
    .unwrap();
    assert_eq!((heights, next), (vec![GROUP_ROWS, GROUP_ROWS, 7], total as u64));
    let (rows, first) = head(&path, 3).unwrap();
    assert_eq!((rows, first.height(), first.width()), (total, 3, 12));
}

/// polars panics at some of these.
#[test]
fn a_damaged_table_is_read_or_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.parquet");
    let values = metrics(&[("a", 0.5)]);
    let mut writer = StatsWriter::create(&path, &["a"]).unwrap();
    (0..3).for_each(|number| writer.push(&row(number, "하나", &values)).unwrap());
    writer.finish().unwrap();
    let good = fs::read(&path).unwrap();
    let mut errors = 0;
    for at in 0..good.len() {
        for change in [0x01, 0x10, 0xff] {
            let mut bad = good.clone();
            bad[at] ^= change;
            fs::write(&path, &bad).unwrap();
            let mut rows = 0;
            let told = each_group(&path, &["row", "a"], &mut |group| {
                rows += group.height();
                Ok::<_, Error>(())
            });
            errors += usize::from(columns(&path).is_err() || head(&path, 1).is_err() || read(&path).is_err() || told.is_err());
        }
    }
    assert!(errors > good.len() / 2, "{errors} of {}", 3 * good.len());
}
