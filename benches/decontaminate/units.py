"""By what Korean evaluation items are found: n-grams of eojeol or of syllables.

    python benches/decontaminate/units.py DATA

DATA is a folder with `eval/` (KMMLU, KorQuAD, Korean arithmetic) and Korean files. Prints how many items have a
window of each kind, how many documents that are not contaminated on purpose meet one, and how many items are
still found where spaces are missing or too many. Units are those of the filter: letters and digits without
signs and case, a syllable as half a word.
"""

import csv
import glob
import io
import json
import random
import subprocess
import sys
import unicodedata


def read(path):
    return subprocess.run(["zstd", "-dcq", path], capture_output=True, check=True).stdout.decode()


def is_syllable(c):
    return "\uac00" <= c <= "\ud7a3" or "\u3040" <= c <= "\u30ff" or "\u3400" <= c <= "\u9fff"


def folded(text):
    return unicodedata.normalize("NFC", text).lower()


def eojeol(text):
    words = ("".join(c for c in word if c.isalnum()) for word in folded(text).split())
    return [(word, 1) for word in words if word]


def syllables(text):
    units, run = [], ""
    for c in folded(text) + " ":
        if c.isalnum() and not is_syllable(c):
            run += c
            continue
        if run:
            units.append((run, 2))
            run = ""
        if is_syllable(c):
            units.append((c, 1))
    return units


def windows(units, weight):
    found, to, held = set(), 0, 0
    for start, (_, own) in enumerate(units):
        while to < len(units) and held < weight:
            held += units[to][1]
            to += 1
        if held < weight:
            break
        found.add("\1".join(unit for unit, _ in units[start:to]))
        held -= own
    return found


def respaced(text, share):
    """Every space left out with this chance, one put behind a syllable with a sixth of it."""
    out = []
    for c in text:
        if c == " " and random.random() < share:
            continue
        out.append(c)
        if is_syllable(c) and random.random() < share / 6:
            out.append(" ")
    return "".join(out)


def main():
    data = sys.argv[1]
    tables = sorted(glob.glob(f"{data}/eval/kmmlu/data/*-test.csv.zst"))
    items = [row["question"] for path in tables for row in csv.DictReader(io.StringIO(read(path)))]
    korquad = json.loads(read(f"{data}/eval/korquad/KorQuAD_v1.0_dev.json.zst"))
    items += [q["question"] for d in korquad["data"] for p in d["paragraphs"] for q in p["qas"]]
    items += [json.loads(line)["question"] for line in read(f"{data}/eval/korean_math/ktai_test.jsonl.zst").splitlines()]
    documents = []
    for name in ("law", "docs", "msdocs_cpp", "reviews_nsmc", "comments_profanity"):
        documents += [json.loads(line)["text"] for line in read(f"{data}/korean_{name}.jsonl.zst").splitlines()][:60_000]
    size = sum(len(text.encode()) for text in documents) / 1e6
    random.seed(2)
    noisy = {share: [respaced(item, share) for item in items] for share in (0.05, 0.2)}
    print(f"{len(items):,} items; {len(documents):,} documents, {size:.1f} MB\n")
    print("| window | items with one | documents that meet one | found, 5 % respaced | found, 20 % respaced |\n|---|---|---|---|---|")
    for name, cut, weights in (("eojeol", eojeol, (5, 8, 13)), ("syllables", syllables, (16, 20, 26, 32))):
        for weight in weights:
            own = [windows(cut(item), weight) for item in items]
            index = set().union(*own)
            meets = sum(not index.isdisjoint(windows(cut(text), weight)) for text in documents)
            cells = [f"{weight} {name}", f"{sum(map(bool, own)) / len(items):.1%}", f"{meets:,}"]
            for texts in noisy.values():
                found = sum(not windows(cut(text), weight).isdisjoint(one) for text, one in zip(texts, own))
                cells.append(f"{found / len(items):.1%}")
            print(f"| {' | '.join(cells)} |", flush=True)


main()
