#!/usr/bin/env python3
"""What datatrove's filters decide about English with spaCy's words, and ours with words of three segmentations.

    cargo build --release --locked --workspace --examples
    pip install 'datatrove[processing]==0.10.1' spacy==3.8.18
    python benches/words/english.py FILE.jsonl[.zst][:FIELD[:CHARS]] ...

Texts of 200 to 60,000 characters, up to so many of each file (2,000,000) in the order of the SHA-1 of their ids. For each filter and for all together: the share of equal decisions (keep or drop),
then how many that datatrove keeps are lost and how many that it drops are kept.
"""
import collections, hashlib, io, json, subprocess, sys

from datatrove.data import Document
from datatrove.pipeline.filters import FineWebQualityFilter, GopherQualityFilter, GopherRepetitionFilter

OURS = "target/release/examples/words"
FILTERS = {"gopher-quality": GopherQualityFilter(), "gopher-repetition": GopherRepetitionFilter(), "fineweb-quality": FineWebQualityFilter()}
SPLITS = ["whitespace", "unicode", "unicode-signs"]


def read(argument):
    path, field, left = (argument.split(":") + ["", ""])[:3]
    if path.endswith(".zst"):
        lines = io.TextIOWrapper(subprocess.Popen(["zstd", "-dcq", path], stdout=subprocess.PIPE).stdout, encoding="utf-8")
    else:
        lines = open(path, encoding="utf-8")
    rows = sorted(map(json.loads, lines), key=lambda row: hashlib.sha1(str(row["id"]).encode()).hexdigest())
    texts, left = [], int(left or 2_000_000)
    for text in (row.get(field or "text") or "" for row in rows):
        if 200 <= len(text) <= 60_000:
            left -= len(text)
            if left < 0:
                break
            texts.append(text)
    return texts


def decide(filter, text):
    try:
        return filter.filter(Document(text=text, id="0")) is True
    except ZeroDivisionError:
        return False


def main():
    texts = [text for argument in sys.argv[1:] for text in read(argument)]
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    answers = subprocess.run([OURS, "--english"], input=lines, capture_output=True, text=True, check=True).stdout.splitlines()
    count = collections.Counter()
    for text, answer in zip(texts, map(json.loads, answers)):
        theirs = {name: decide(filter, text) for name, filter in FILTERS.items()}
        theirs["all"] = all(theirs.values())
        for split in SPLITS:
            ours = {name: answer[f"{name} {split}"] == "ok" for name in FILTERS}
            ours["all"] = all(ours.values())
            for name, kept in theirs.items():
                count[name, split, "lost"] += kept and not ours[name]
                count[name, split, "gained"] += ours[name] and not kept
    print(f"{len(texts)} texts\n\n| filter | " + " | ".join(SPLITS) + " |\n" + "|---" * (1 + len(SPLITS)) + "|")
    for name in [*FILTERS, "all"]:
        cells = []
        for split in SPLITS:
            lost, gained = count[name, split, "lost"], count[name, split, "gained"]
            cells.append(f"{100 * (1 - (lost + gained) / len(texts)):.1f} %; {lost}, {gained}")
        print(f"| {name} | " + " | ".join(cells) + " |")


main()
