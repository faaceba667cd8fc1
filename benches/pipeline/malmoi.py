"""malmoi as the benchmark runs it: recipes for the work that all tools do, and counts from the run folder."""

import json
import os
import re
import shutil

# The work that the peers do too. Order, presets and thresholds: peers/limits.py says the same.
SAME_WORK = {
    "korean": ['gopher-quality = { preset = "korean-eojeol" }', 'gopher-repetition = { preset = "fineweb2-korean", words = "whitespace" }'],
    "english": ['gopher-quality = { preset = "gopher" }', 'gopher-repetition = { preset = "gopher" }'],
    "code": [],
}
# `threshold = 0` links all documents that share a band, as the peers do.
MINHASH = 'minhash = { shingle = "word", threshold = 0 }'
SAME_DEDUP = f"exact = false\n{MINHASH}"
# What a corpus for pretraining is usually put through: the filters of the peers, language, personal data, copies.
DATA_STAGE = {
    bucket: ["normalize = {}", *(['language = { keep = ["ko", "en"] }'] if filters else []), *filters, "pii = {}"]
    for bucket, filters in SAME_WORK.items()
}
DATA_DEDUP = "exact = true\nminhash = {}"
# Filters that are in neither of the recipes but have a row among the steps.
MORE_FILTERS = ["pii = {}", "secrets = {}", "profanity = {}", "spam = {}"]
STAGES = ("clean", "dedup", "tokenizer", "tokenize", "mix")


def template(path, bucket):
    """(filters, dedup) that the template recipe applies to a bucket."""
    with open(path, encoding="utf-8") as file:
        text = file.read()
    filters = []
    for line in re.findall(r"^\[\[filters\]\]\n(.+)$", text, re.MULTILINE):
        only = re.search(r",?\s*only-buckets = \[(.*?)\]", line)
        unless = re.search(r",?\s*except-buckets = \[(.*?)\]", line)
        if only and f'"{bucket}"' not in only[1] or unless and f'"{bucket}"' in unless[1]:
            continue
        for limit in filter(None, (only, unless)):
            line = line.replace(limit[0], "")
        filters.append(line)
    dedup = re.search(r"^\[dedup\]\n(.*?)(?=^\[|\Z)", text, re.MULTILINE | re.DOTALL)
    if not filters or not dedup:
        raise SystemExit(f"{path} has no [[filters]] or no [dedup] that could be read")
    return filters, dedup[1].strip()


def recipe(folder, inputs, filters, dedup, tokenizer):
    """Writes a recipe without training; `inputs` are (bucket, folder of documents)."""
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    parts = ['output = "run"', "seed = 7", "held-out = 0.0"]
    for bucket, documents in inputs:
        files = json.dumps(os.path.join(os.path.abspath(documents), "documents", "part.jsonl.gz"))
        parts.append(f'[[sources]]\nname = "{bucket}"\nbucket = "{bucket}"\nformat = "jsonl"\nfiles = {files}')
    parts += [f"[[filters]]\n{line}" for line in filters]
    parts += [f"[dedup]\n{dedup}", f"[tokenizer]\n{tokenizer}"]
    path = os.path.join(folder, "recipe.toml")
    with open(path, "w", encoding="utf-8") as out:
        out.write("\n\n".join(parts) + "\n")
    return path


def load(tokenizer, eos):
    return f"load = {json.dumps(os.path.abspath(tokenizer))}\neos = {json.dumps(eos)}"


def command(binary, *arguments):
    return [binary, *arguments, "--jobs", "1", "--no-progress", "--quiet"]


def counts(folder):
    """What a finished run kept, from its own files."""
    run = os.path.join(folder, "run")

    def read(path):
        with open(path, encoding="utf-8") as file:
            return json.load(file)

    parts = [read(os.path.join(run, "stats", name)) for name in sorted(os.listdir(os.path.join(run, "stats"))) if name.endswith(".json")]
    shards = []
    for place, _, names in os.walk(os.path.join(run, "shards")):
        shards += [read(os.path.join(place, name)) for name in sorted(names) if name.endswith(".json")]
    reasons = {}
    for part in parts:
        for rule, count in part["rejected"].items():
            reasons[rule] = reasons.get(rule, 0) + count["documents"]
    return {
        "documents": sum(part["input"]["documents"] for part in parts),
        "clean": sum(part["kept"]["documents"] for part in parts),
        "unique": sum(part["encoded"]["documents"] for part in shards),
        "text-bytes": sum(part["encoded"]["bytes"] for part in shards),
        "tokens": sum(shard["tokens"] for part in shards for shard in part["shards"]),
        "reasons": reasons,
    }
