"""The classifier beside fastText: how well they tell texts apart, and what that costs.

    python benches/classifier/compare.py --malmoi target/release/malmoi --data DATA --work FOLDER

DATA is a folder with the Korean files named below; fasttext-wheel and numpy<2 must be installed. Both learn from
the same texts and score the same texts that they never saw; a text is held out by the hash of its id. One thread,
CPU seconds of user and system. malmoi's scoring is what `stage clean` takes more with the filter than without it;
fastText's is `model.predict` over the texts in memory, their line breaks replaced by spaces beforehand.
"""

import argparse
import hashlib
import json
import os
import resource
import subprocess
import time

RATE, EPOCHS = 0.5, 5


def read(path):
    text = subprocess.run(["zstd", "-dcq", path], capture_output=True, check=True).stdout.decode()
    return [json.loads(line) for line in text.splitlines()]


def tasks(data):
    reviews = read(f"{data}/korean_reviews_nsmc.jsonl.zst")
    good = [r["text"] for r in reviews if r["meta"]["rating"] >= 9]
    bad = [r["text"] for r in reviews if r["meta"]["rating"] <= 4]
    yield "reviews: 9 stars or more against 4 or less", good, bad
    # Documents of 600 characters from each side, so that length tells nothing.
    cut = lambda texts: [t[i : i + 600] for t in texts for i in range(0, min(len(t), 24_000), 600) if len(t[i : i + 600]) == 600]
    docs = cut([r["text"] for r in read(f"{data}/korean_docs.jsonl.zst")])
    machine = cut([r["text"] for r in read(f"{data}/korean_msdocs_cpp.jsonl.zst")])
    yield "600 characters: tutorials and books against reference pages", docs, machine


def held(text):
    return hashlib.sha256(text.encode()).digest()[0] < 26


def auc(scores):
    scores.sort()
    below, won, i = 0, 0.0, 0
    while i < len(scores):
        j = i
        while j < len(scores) and scores[j][0] == scores[i][0]:
            j += 1
        negatives = sum(1 for _, positive in scores[i:j] if not positive)
        won += (j - i - negatives) * (below + negatives / 2)
        below += negatives
        i = j
    positives = len(scores) - below
    return won / (positives * below)


def cpu(command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def write(path, texts):
    with open(path, "w") as file:
        for number, text in enumerate(texts):
            file.write(json.dumps({"id": str(number), "text": text}, ensure_ascii=False) + "\n")


def clean(malmoi, work, filters, name):
    recipe = f"{work}/recipe.toml"
    with open(recipe, "w") as file:
        file.write(f'output = "{work}/{name}"\n[[sources]]\nname = "t"\nbucket = "t"\nfiles = "{work}/test.jsonl"\nformat = "jsonl"\n')
        file.write(f"{filters}\n[dedup]\nexact = false\n[tokenizer]\nbytes = true\n")
    subprocess.run(["rm", "-rf", f"{work}/{name}"], check=True)
    return cpu([malmoi, "stage", "clean", recipe, "--jobs", "1", "--no-progress"])


def with_malmoi(args, train, test):
    write(f"{args.work}/positive.jsonl", [t for t, p in train if p])
    write(f"{args.work}/negative.jsonl", [t for t, p in train if not p])
    write(f"{args.work}/test.jsonl", [t for t, _ in test])
    model = f"{args.work}/model.bin"
    command = [args.malmoi, "filters", "train", "--positive", f"{args.work}/positive.jsonl", "--negative", f"{args.work}/negative.jsonl"]
    learnt = cpu([*command, "--held-out", "0", "--out", model, "--jobs", "1", "--no-progress"])
    plain = min(clean(args.malmoi, args.work, "", "plain") for _ in range(3))
    scored = min(clean(args.malmoi, args.work, f'[[filters]]\nclassifier = {{ model = "{model}", min-score = 0 }}', "scored") for _ in range(3))
    lines = read(f"{args.work}/scored/documents/t-00000.jsonl.zst")
    scores = [(json.loads(line["metrics"])["classifier-score"], test[int(line["id"])][1]) for line in lines]
    assert len(scores) == len(test)
    return scores, learnt, scored - plain


def with_fasttext(args, train, test, options):
    import fasttext

    flat = lambda text: text.replace("\n", " ")
    with open(f"{args.work}/train.txt", "w") as file:
        order = sorted(train, key=lambda pair: hashlib.sha256(pair[0].encode()).digest())
        file.writelines(f"__label__{int(p)} {flat(t)}\n" for t, p in order)
    start = time.process_time()
    model = fasttext.train_supervised(f"{args.work}/train.txt", lr=RATE, epoch=EPOCHS, thread=1, verbose=0, **options)
    learnt = time.process_time() - start
    texts = [flat(t) for t, _ in test]
    start = time.process_time()
    found = [model.f.predict(t + "\n", 2, 0.0, "strict") for t in texts]
    spent = time.process_time() - start
    scores = [(next((s for s, label in one if label == "__label__1"), 0.0), p) for one, (_, p) in zip(found, test)]
    return scores, learnt, spent


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--malmoi", required=True)
    parser.add_argument("--data", required=True)
    parser.add_argument("--work", required=True)
    args = parser.parse_args()
    args.malmoi, args.work = os.path.abspath(args.malmoi), os.path.abspath(args.work)
    os.makedirs(args.work, exist_ok=True)
    print("| task | engine | AUC | recall | precision | training CPU s | scoring MB per CPU s |")
    print("|---|---|---|---|---|---|---|")
    for name, positive, negative in tasks(args.data):
        texts = list(dict.fromkeys([(t, True) for t in positive] + [(t, False) for t in negative]))
        train, test = [x for x in texts if not held(x[0])], [x for x in texts if held(x[0])]
        size = sum(len(t.encode()) for t, _ in test) / 1e6
        engines = {
            "malmoi": lambda: with_malmoi(args, train, test),
            "fastText, words": lambda: with_fasttext(args, train, test, {}),
            "fastText, pairs of words": lambda: with_fasttext(args, train, test, {"wordNgrams": 2}),
            "fastText, pairs and 2 to 4 characters": lambda: with_fasttext(args, train, test, {"wordNgrams": 2, "minn": 2, "maxn": 4}),
        }
        for engine, run in engines.items():
            scores, learnt, spent = run()
            reach = [p for s, p in scores if s >= 0.5]
            precision, recall = sum(reach) / max(len(reach), 1), sum(reach) / sum(p for _, p in scores)
            speed = f"{size / spent:.1f}" if spent > 0.02 else "-"
            print(f"| {name} | {engine} | {auc(scores):.4f} | {recall:.3f} | {precision:.3f} | {learnt:.1f} | {speed} |", flush=True)
            name = ""
        print(f"| ({len(train):,} texts to learn from, {len(test):,} or {size:.1f} MB to score) | | | | | | |", flush=True)


main()
