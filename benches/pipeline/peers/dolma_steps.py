"""dolma: tag (gopher_v2) → dedupe (Bloom filter over whole texts) → mix (apply the rules) → tokens.

Four runs of its command line, one process each. It has no MinHash: near duplicates stay.
Run with the Python of dolma's own virtual environment.
"""

import argparse
import glob
import gzip
import importlib.metadata
import json
import os
import resource
import shutil
import subprocess
import sys

from limits import LIMITS

TAGS = "bench__gopher_v2__"


def cpu():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def lines_in(pattern):
    total = 0
    for path in glob.glob(pattern):
        with gzip.open(path, "rb") as lines:
            total += sum(1 for _ in lines)
    return total


def rules(limits):
    """JSONPath of every document to leave out."""

    def when(tag, sign, value):
        tag = TAGS + tag
        return f"$.attributes[?(@.{tag} && @.{tag}[0] && @.{tag}[0][2] {sign} {value})]"

    quality, repetition = limits["quality"], limits["repetition"]
    (fewest, most), (shortest, longest) = quality["words"], quality["mean-word-length"]
    exclude = [
        when("word_count", "<", fewest),
        when("word_count", ">", most),
        when("median_word_length", "<", shortest),
        when("median_word_length", ">", longest),
        when("symbol_to_word_ratio", ">", quality["symbol-ratio"]),
        when("fraction_of_words_with_alpha_character", "<", quality["alpha-words"]),
        when("fraction_of_lines_starting_with_bullet_point", ">", quality["bullet-lines"]),
        when("fraction_of_lines_ending_with_ellipsis", ">", quality["ellipsis-lines"]),
        when("fraction_of_duplicate_lines", ">", repetition["dup_line_frac"]),
    ]
    if repetition["dup_line_char_frac"]:
        exclude.append(when("fraction_of_characters_in_duplicate_lines", ">", repetition["dup_line_char_frac"]))
    least, stop_words = quality["stop-words"]
    if not stop_words[0].startswith("-"):
        exclude.append(when("required_word_count", "<", least))
    exclude += [when(f"fraction_of_characters_in_most_common_{n}grams", ">", share) for n, share in repetition["top_n_grams"]]
    exclude += [when(f"fraction_of_characters_in_duplicate_{n}grams", ">", share) for n, share in repetition["dup_n_grams"]]
    return exclude


def main():
    parser = argparse.ArgumentParser()
    for name in ("input", "out", "tokenizer", "eos", "bucket"):
        parser.add_argument(f"--{name}", required=True)
    args = parser.parse_args()
    out = os.path.abspath(args.out)
    with open(args.tokenizer, encoding="utf-8") as file:
        tokenizer = json.load(file)
    vocabulary = tokenizer["model"]["vocab"]
    end = {token["content"]: token["id"] for token in tokenizer["added_tokens"]}.get(args.eos, vocabulary.get(args.eos))
    # dolma writes its attributes beside the documents.
    shutil.copytree(f"{args.input}/documents", f"{out}/documents")
    documents = f"{out}/documents/*.gz"
    # It looks for a sentence model that is not used here, and would fetch it from the network.
    os.makedirs(f"{out}/nltk/tokenizers/punkt")
    environment = {**os.environ, "NLTK_DATA": f"{out}/nltk", "PYTHONWARNINGS": "ignore", "RUST_LOG": "error"}
    command = os.path.join(os.path.dirname(sys.executable), "dolma")
    stages = {}

    def run(stage, *arguments):
        before = cpu()
        with open(f"{out}/dolma.log", "ab") as log:
            subprocess.run([command, *arguments], env=environment, stdout=log, stderr=log, check=True)
        stages[stage] = stages.get(stage, 0) + cpu() - before

    def config(name, content):
        with open(f"{out}/{name}.json", "w", encoding="utf-8") as file:
            json.dump({**content, "processes": 1, "work_dir": {"input": f"{out}/{name}-in", "output": f"{out}/{name}-out"}}, file)
        return f"{out}/{name}.json"

    limits = LIMITS[args.bucket]
    if limits:
        run("clean", "tag", "--documents", documents, "--experiment", "bench", "--taggers", "gopher_v2", "--processes", "1")
    bloom = {"file": f"{out}/bloom.bin", "read_only": False, "estimated_doc_count": 100_000, "desired_false_positive_rate": 1e-6}
    dedupe = {"name": "duplicate", "documents": {"key": "$.text", "attribute_name": "duplicate"}, "skip_empty": True}
    run("dedup", "-c", config("dedupe", {"documents": [documents], "dedupe": dedupe, "bloom_filter": bloom}), "dedupe")
    exclude = (rules(limits) if limits else []) + ["$.attributes[?(@.duplicate && @.duplicate[0])]"]
    stream = {
        "name": "mixed",
        "documents": [documents],
        "attributes": (["bench"] if limits else []) + ["duplicate"],
        "output": {"path": f"{out}/mixed", "max_size_in_bytes": 1 << 32},
        "filter": {"include": [], "exclude": exclude},
    }
    run("clean", "-c", config("mix", {"streams": [stream]}), "mix")
    width = "uint16" if max(vocabulary.values()) < 1 << 16 else "uint32"
    run(
        "tokenize", "tokens", "--documents", f"{out}/mixed/*.gz", "--destination", f"{out}/tokens",
        "--tokenizer.name_or_path", args.tokenizer, "--tokenizer.eos_token_id", str(end),
        "--tokenizer.pad_token_id", str(end), "--dtype", width, "--processes", "1",
    )
    ids = sum(os.path.getsize(path) for path in glob.glob(f"{out}/tokens/**/*.npy", recursive=True))
    read, kept = (lines_in(f"{out}/{folder}/*.gz") for folder in ("documents", "mixed"))
    result = {
        "stages": stages,
        "documents": read,
        "unique": kept,
        "tokens": ids // (2 if width == "uint16" else 4),
        "versions": {"dolma": importlib.metadata.version("dolma"), "dolma's tokenizers": importlib.metadata.version("tokenizers")},
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
