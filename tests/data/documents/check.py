"""Whether other programs read the files of a run: RUN, the exported folder of `data documents --format jsonl`, its Parquet sibling.

Prints one line of JSON: for each reader, documents and rejected rows and the sum of one metric. Checked with datasets 5.2, polars 2.1 and
duckdb 2.0; a reader that is not installed is left out.
"""

import glob
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

datasets.disable_progress_bars()
with tempfile.TemporaryDirectory() as cache:
    for name, place in [("documents", (run, "documents")), ("rejects", (run, "rejects")), ("exported", (lines,))]:
        rows = datasets.load_dataset(*place, split="train", cache_dir=cache)
        measured = [row[metric] for row in rows["metrics"] if row is not None]
        answers[f"datasets {name}"] = [len(rows), sum(value or 0.0 for value in measured)]

try:
    import duckdb

    def ask(pattern, column):
        query = f"select count(*), sum({column}) from read_json('{pattern}', union_by_name = true, sample_size = -1)"
        return list(duckdb.sql(query).fetchall()[0])

    answers["duckdb documents"] = ask(f"{run}/documents/*.jsonl.zst", f"metrics['{metric}']")
    answers["duckdb exported"] = ask(f"{lines}/*.jsonl.zst", f"metrics['{metric}']")
    query = f"""select count(*), sum("metrics.{metric}") from read_parquet('{tables}/*.parquet', union_by_name = true)"""
    answers["duckdb parquet"] = list(duckdb.sql(query).fetchall()[0])
except ImportError:
    pass

try:
    import polars

    frames = [polars.scan_ndjson(path, infer_schema_length=None) for path in sorted(glob.glob(f"{run}/documents/*.jsonl.zst"))]
    frame = polars.concat([frame.select("id", polars.col("metrics").struct.field(metric)) for frame in frames]).collect()
    answers["polars documents"] = [frame.height, frame[metric].sum()]
    frame = polars.read_parquet(f"{tables}/*.parquet")
    answers["polars parquet"] = [frame.height, frame[f"metrics.{metric}"].sum()]
except ImportError:
    pass

print(json.dumps(answers))
