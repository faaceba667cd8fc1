"""Builds the input of the benchmark: for each bucket one `documents/part.jsonl.gz` with `id` and `text`.

Every tool reads the same file. The same sources give the same bytes: nothing depends on time,
directory order or a hash seed. Standard library only.
"""

import argparse
import glob
import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys

BUCKETS = ("korean", "english", "code")
# Taken from a data folder where present; else every `<bucket>*` file there.
PREFERRED = {
    "korean": ("korean_docs", "korean_law"),
    "english": ("english_docs", "english_proposals"),
    "code": (),
}
ENDINGS = (".jsonl", ".jsonl.gz", ".jsonl.zst")
# A crate source outside these sizes is a stub or generated.
CODE_BYTES = (200, 1 << 20)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", required=True)
    parser.add_argument("--data")
    parser.add_argument("--mb", type=float, action="append", required=True)
    parser.add_argument("--planted", type=float, required=True, help="MB of a further input, `BUCKET-planted`, that holds every document twice")
    parser.add_argument("--bucket", action="append", choices=BUCKETS, required=True)
    args = parser.parse_args()
    sizes = [(f"{mb:g}", mb, False) for mb in args.mb] + [("planted", args.planted, True)]
    for bucket in args.bucket:
        files = data_files(args.data, bucket) if args.data else []
        for size, mb, twice in sizes:
            folder = os.path.join(args.out, f"{bucket}-{size}")
            if files:
                source, names = balanced(files), [os.path.basename(file) for file in files]
            else:
                source, names = fallback(bucket)
            write(folder, doubled(source, mb) if twice else source, names, float("inf") if twice else mb)


def doubled(source, mb):
    """The first `mb` million bytes of `source`, then the same once more under other ids."""
    first, total = [], 0
    for name, text in source:
        first.append((name, text))
        total += len(text.encode())
        if total >= mb * 1e6:
            break
    yield from first
    for name, text in first:
        yield f"{name}#copy", text


def data_files(data, bucket):
    """Files of the data folder for a bucket, in order of name."""
    named = {}
    for path in sorted(glob.glob(os.path.join(glob.escape(data), f"{bucket}*"))):
        for ending in ENDINGS:
            if path.endswith(ending):
                named[os.path.basename(path)[: -len(ending)]] = path
    preferred = [named[name] for name in PREFERRED[bucket] if name in named]
    files = preferred or list(named.values())
    if shutil.which("zstd") is None:
        for path in files:
            if path.endswith(".zst"):
                say(f"skipped: {os.path.basename(path)} needs the zstd command")
        files = [path for path in files if not path.endswith(".zst")]
    return files


def records(path):
    """(id, text) of each line of a file that has a text."""
    process = None
    if path.endswith(".zst"):
        process = subprocess.Popen(["zstd", "-dcq", "--", path], stdout=subprocess.PIPE)
        lines = process.stdout
    else:
        lines = gzip.open(path, "rb") if path.endswith(".gz") else open(path, "rb")
    try:
        for number, line in enumerate(lines):
            record = json.loads(line)
            text = record.get("text")
            if isinstance(text, str) and text:
                yield str(record.get("id", f"{os.path.basename(path)}:{number}")), text
    finally:
        lines.close()
        if process:
            process.kill()
            process.wait()


def balanced(files):
    """Records of all files, always from the one that gave the fewest bytes so far."""
    streams = [[0, index, records(path)] for index, path in enumerate(files)]
    while streams:
        least = min(streams, key=lambda stream: stream[:2])
        try:
            name, text = next(least[2])
        except StopIteration:
            streams.remove(least)
            continue
        least[0] += len(text.encode())
        yield name, text


def fallback(bucket):
    """(records, names) from the crates that cargo has fetched; no data folder needed."""
    registry = os.path.join(os.environ.get("CARGO_HOME") or os.path.expanduser("~/.cargo"), "registry", "src")
    if bucket == "korean":
        found = glob.glob(os.path.join(glob.escape(registry), "*", "lingua-korean-language-model-*", "testdata", "sentences.txt"))
        return sentences(sorted(found)[-1:]), ["lingua-korean-language-model sentences, ten a document"]
    if bucket == "english":
        return crate_files(registry, lambda name: name == "README.md"), ["READMEs of the fetched crates"]
    return crate_files(registry, lambda name: name.endswith(".rs")), ["sources of the fetched crates"]


def sentences(files):
    for path in files:
        with open(path, encoding="utf-8") as lines:
            sentences = [line.strip() for line in lines if line.strip()]
        for at in range(0, len(sentences), 10):
            yield f"sentences:{at}", "\n".join(sentences[at : at + 10])


def crate_files(registry, wanted):
    """Files in the order of a hash of `crate-version/path`: a spread over all crates, and the same
    on every machine that has fetched the same crates."""
    found = set()
    for crate in glob.glob(os.path.join(glob.escape(registry), "*", "*")):
        for folder, _, names in os.walk(crate):
            for name in filter(wanted, names):
                path = os.path.join(folder, name)
                found.add((os.path.join(os.path.basename(crate), os.path.relpath(path, crate)), path))
    keyed = sorted((hashlib.sha256(name.encode("utf-8", "replace")).digest(), name, path) for name, path in found)
    last = None
    for _, name, path in keyed:
        if name == last or os.path.islink(path) or not CODE_BYTES[0] <= os.path.getsize(path) <= CODE_BYTES[1]:
            continue
        last = name
        with open(path, "rb") as file:
            content = file.read()
        try:
            yield name, content.decode("utf-8")
        except UnicodeDecodeError:
            continue


def write(folder, source, names, mb):
    """The first `mb` million bytes of text of `source`, with its facts beside it."""
    os.makedirs(os.path.join(folder, "documents"), exist_ok=True)
    path = os.path.join(folder, "documents", "part.jsonl.gz")
    digest, documents, total = hashlib.sha256(), 0, 0
    with open(path + ".tmp", "wb") as raw, gzip.GzipFile(filename="", mode="wb", fileobj=raw, compresslevel=6, mtime=0) as out:
        for name, text in source:
            line = json.dumps({"id": name, "text": text}, ensure_ascii=False).encode() + b"\n"
            out.write(line)
            digest.update(line)
            documents += 1
            total += len(text.encode())
            if total >= mb * 1e6:
                break
    os.replace(path + ".tmp", path)
    facts = {"documents": documents, "text-bytes": total, "sha256": digest.hexdigest(), "from": names}
    with open(os.path.join(folder, "facts.json"), "w", encoding="utf-8") as out:
        json.dump(facts, out, ensure_ascii=False, indent=1)


def say(message):
    print(message, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
