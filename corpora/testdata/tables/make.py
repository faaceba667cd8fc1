"""Writes the tables of this folder with pyarrow 26.0.1, and what pyarrow itself reads in them.

python3 make.py
"""
import json

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as parquet

message = pa.struct([("role", pa.string()), ("content", pa.string())])
rows = [
    {
        "id": number,
        "text": None if number == 3 else f"{number}번째 글 " + "가나다 " * number,
        "body": f"body {number}",
        "lang": ["ko", "en", None][number % 3],
        "score": None if number == 4 else number / 4,
        "good": number % 2 == 0,
        "meta": None if number == 5 else {"kind": f"k{number}", "deep": {"n": number * 10, "tags": ["a", None, f"t{number}"][: number % 4]}},
        "messages": [
            {"role": "user", "content": f"질문 {number}"},
            {"role": "assistant", "content": f"답 {number}"},
        ][: 1 + number % 2],
        "answers": {"text": [f"정답 {number}", "둘"], "answer_start": [number, 7]},
        "small": [-number, None],
        "fixed": [number, number + 1],
        "skipped": b"\x00\x01\xff",
    }
    for number in range(9)
]
schema = pa.schema(
    [
        ("id", pa.int64()),
        ("skipped", pa.binary()),
        ("text", pa.string()),
        ("body", pa.large_string()),
        ("lang", pa.dictionary(pa.int8(), pa.string())),
        ("score", pa.float32()),
        ("good", pa.bool_()),
        ("meta", pa.struct([("kind", pa.string()), ("deep", pa.struct([("n", pa.uint16()), ("tags", pa.list_(pa.string()))]))])),
        ("messages", pa.list_(message)),
        ("answers", pa.struct([("text", pa.list_(pa.string())), ("answer_start", pa.list_(pa.int32()))])),
        ("small", pa.large_list(pa.int8())),
        ("fixed", pa.list_(pa.int32(), 2)),
    ]
)
table = pa.Table.from_pylist(rows, schema)
view = table.set_column(2, "text", table["text"].cast(pa.string_view()))

feather.write_feather(table, "file.arrow", compression="uncompressed", chunksize=4)
feather.write_feather(table, "lz4.feather", compression="lz4", chunksize=4)
feather.write_feather(table, "zstd.feather", compression="zstd", chunksize=9)
for name, options, written in [
    ("stream.arrow", pa.ipc.IpcWriteOptions(), table),
    ("stream-zstd.arrow", pa.ipc.IpcWriteOptions(compression="zstd"), view),
]:
    with pa.ipc.new_stream(name, schema=written.schema, options=options) as stream:
        stream.write_table(written, max_chunksize=4)
parquet.write_table(table, "nested.parquet", row_group_size=4, compression="zstd")
parquet.write_table(table, "legacy.parquet", row_group_size=9, version="1.0", use_compliant_nested_type=False, data_page_version="2.0")

with open("expected.jsonl", "w", encoding="utf-8") as out:
    for row in table.to_pylist():
        del row["skipped"]
        out.write(json.dumps(row, ensure_ascii=False) + "\n")
