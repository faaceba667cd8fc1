"""Whether other programs read the files of a run: RUN, the exported folder of `data documents --format jsonl`, its Parquet sibling.

Prints one line of JSON: for each reader, documents and rejected rows and the sum of one metric. Checked with datasets 5.2, polars 2.1 and
duckdb 2.0; a reader that is not installed is left out.
"""

import json
import sys
import tempfile

run, lines, tables, metric = sys.argv[1:]
answers = {}

try:
    import datasets
except ImportError:
    print("{}")
    sys.exit()


def total(texts):
    """The sum of a metric over texts of JSON."""
    return sum(json.loads(text).get(metric, 0.0) for text in texts)


datasets.disable_progress_bars()
with tempfile.TemporaryDirectory() as cache:
    # By the card, and by the files alone.
    json_files = {"documents": f"{run}/documents/*.jsonl.zst", "rejects": f"{run}/rejects/*.jsonl.zst", "exported": f"{lines}/*.jsonl.zst"}
    places = {"documents": (run, "documents"), "rejects": (run, "rejects"), "exported": (lines,)}
    for name, files in json_files.items():
        for reader, rows in [
            ("datasets", datasets.load_dataset(*places[name], split="train", cache_dir=cache)),
            ("json", datasets.load_dataset("json", data_files=files, split="train", cache_dir=cache)),
        ]:
            assert all(kind.dtype != "null" for kind in rows.features.values() if hasattr(kind, "dtype")), rows.features
            answers[f"{reader} {name}"] = [len(rows), total(rows["metrics"])]
    rows = datasets.load_dataset(tables, split="train", cache_dir=cache)
    assert rows.features["text"].dtype == "string" and rows.features[f"metrics.{metric}"].dtype == "float64", rows.features
    answers["datasets parquet"] = [len(rows), sum(value or 0.0 for value in rows[f"metrics.{metric}"])]
    # The ledgers.
    for ledger in ["duplicates", "duplicates/clusters"]:
        datasets.load_dataset("json", data_files=f"{run}/{ledger}/*.jsonl.zst", split="train", cache_dir=cache)

try:
    import duckdb

    def ask(files, column):
        return list(duckdb.sql(f"select count(*), sum({column}) from {files}").fetchall()[0])

    for name, files in json_files.items():
        answers[f"duckdb {name}"] = ask(f"read_json('{files}')", f"(metrics->>'{metric}')::double")
    answers["duckdb parquet"] = ask(f"'{tables}/*.parquet'", f'"metrics.{metric}"')
except ImportError:
    pass

try:
    import polars

    for name, files in json_files.items():
        frame = polars.scan_ndjson(files).select("id", "metrics").collect()
        answers[f"polars {name}"] = [frame.height, total(frame["metrics"])]
    frame = polars.read_parquet(f"{tables}/*.parquet")
    answers["polars parquet"] = [frame.height, frame[f"metrics.{metric}"].sum()]
except ImportError:
    pass

print(json.dumps(answers))
