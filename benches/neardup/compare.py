"""Recall and precision of near-duplicate settings on real Korean pairs, beside datatrove's and rensa's.

    python3 benches/neardup/compare.py DATA SIGNATURES [PEERS_PYTHON]

DATA has pairs.jsonl.zst (versions of pages and unlike pages, with the true Jaccard similarity of their sets of five characters),
corpus.jsonl.zst and corpus_truth.jsonl.zst (every pair of its documents at 0.3 and more). SIGNATURES is the built
filters/examples/signatures.rs. Banding is done here for all alike: two documents meet that agree in one whole band; malmoi then
compares the share of equal values with a threshold. Prints the tables of RESULTS.md; five seeds each.
"""

import json
import subprocess
import sys
from collections import defaultdict
from functools import cache
from itertools import combinations
from pathlib import Path

SEEDS = [1, 2, 3, 4, 5]
EDGES = [0.0, 0.3, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.01]
NEAR = 0.8


def load(path):
    text = subprocess.run(["zstd", "-dc", path], check=True, capture_output=True).stdout.decode()
    return [json.loads(line) for line in text.splitlines()]


data, program = Path(sys.argv[1]), sys.argv[2]
pairs, corpus = load(data / "pairs.jsonl.zst"), load(data / "corpus.jsonl.zst")
texts = [pair[side]["text"] for pair in pairs for side in "ab"] + [document["text"] for document in corpus]
stdin = "".join(json.dumps({"text": text}) + "\n" for text in texts).encode()
number = {document["id"]: at for at, document in enumerate(corpus)}
truth = defaultdict(float)
for line in load(data / "corpus_truth.jsonl.zst"):
    truth[frozenset((number[line["a"]], number[line["b"]]))] = line["jaccard_char5"]


def run(command):
    return [json.loads(line) for line in subprocess.run(command, input=stdin, check=True, capture_output=True).stdout.splitlines()]


@cache
def signatures(shingle, ngram, bands, rows, seed):
    """What the program says of all texts; values depend on how many there are."""
    minhash = f'minhash = {{ shingle = "{shingle}", ngram = {ngram}, bands = {bands}, rows = {rows}, seed = {seed} }}'
    return run([program, minhash, "simhash = { ngram = 6 }"])


class Score:
    """Decisions of a setting, added up over seeds."""

    def __init__(self):
        self.found, self.of = defaultdict(float), defaultdict(float)
        self.links, self.near_links, self.like_links = 0.0, 0.0, 0.0
        self.together, self.near = 0.0, 0.0
        self.removed, self.right = 0.0, 0.0

    def add(self, like, lang=None):
        """`like(a, b)` for numbers of texts; pairs of one language, or all."""
        for at, pair in enumerate(pairs):
            if lang not in (None, pair["lang"]):
                continue
            jaccard = pair["jaccard_char5"]
            band = max(edge for edge in EDGES if edge <= jaccard)
            self.of[band] += 1
            if like(2 * at, 2 * at + 1):
                self.found[band] += 1
                self.links += 1
                self.near_links += jaccard >= NEAR
                self.like_links += jaccard >= 0.7
        first = 2 * len(pairs)
        parent = list(range(len(corpus)))

        def root(at):
            while parent[at] != at:
                at = parent[at]
            return at

        for a, b in combinations(range(len(corpus)), 2):
            if like(first + a, first + b):
                ra, rb = root(a), root(b)
                parent[max(ra, rb)] = min(ra, rb)
                self.removed += 1
                self.right += truth[frozenset((a, b))] >= 0.7
        for pair, jaccard in truth.items():
            if jaccard >= NEAR:
                a, b = pair
                self.near += 1
                self.together += root(a) == root(b)

    def row(self, name):
        share = lambda part, whole: f"{part / whole:.3f}" if whole else "–"
        near = [band for band in EDGES[:-1] if band >= NEAR]
        recall = share(sum(self.found[band] for band in near), sum(self.of[band] for band in near))
        curve = [share(self.found[band], self.of[band]) for band in EDGES[:-1]]
        return [name, recall, share(self.near_links, self.links), share(self.like_links, self.links), *curve, share(self.together, self.near), share(self.right, self.removed)]


def table(title, rows):
    bins = [f"{low:g}" for low in EDGES[:-1]]
    head = ["setting", f"recall {NEAR}", f"precision {NEAR}", "precision 0.7", *bins, "corpus recall", "corpus precision 0.7"]
    print(f"\n## {title}\n")
    print("| " + " | ".join(head) + " |")
    print("|---|" + "--:|" * (len(head) - 1))
    for row in rows:
        print("| " + " | ".join(row) + " |")


def meet(keys):
    """Pairs (a, b), a before b, of texts that agree in a band; `keys` has the bands of each."""
    groups = defaultdict(list)
    for at, bands in enumerate(keys):
        for band, key in enumerate(bands):
            groups[band, tuple(key)].append(at)
    return {pair for members in groups.values() for pair in combinations(members, 2)}


def ours(shingle, ngram, bands, rows, seed, threshold):
    signed = signatures(shingle, ngram, bands, rows, seed)
    values = [line["minhash"] or [] for line in signed]
    keys = [[v[at : at + rows] for at in range(0, len(v), rows)] for v in values]
    alike = lambda a, b: sum(x == y for x, y in zip(values[a], values[b])) / len(values[a]) >= threshold
    met = {pair for pair in meet(keys) if alike(*pair)}
    return lambda a, b: signed[a]["exact"] == signed[b]["exact"] or (a, b) in met


def scored(name, shingle, ngram, bands, rows, threshold):
    score = Score()
    for seed in SEEDS:
        score.add(ours(shingle, ngram, bands, rows, seed, threshold))
    return score.row(name)


print(f"{len(pairs)} pairs, of which {sum(pair['jaccard_char5'] >= NEAR for pair in pairs)} at {NEAR} and more; {len(corpus)} documents of a corpus")
rows = [scored(f"{shingle} {ngram}", shingle, ngram, 14, 8, 0.7) for shingle, ngram in [("word", 2), ("word", 3), ("word", 5), ("char", 3), ("char", 5), ("char", 8)]]
table("malmoi: what a shingle is (14 × 8, threshold 0.7)", rows)
rows = []
for shingle in ["char", "word"]:
    for bands, per in [(9, 13), (14, 8), (20, 10), (20, 5), (32, 8), (42, 6)]:
        for threshold in [0.0, 0.7, 0.8]:
            name = f"{shingle} 5, {bands} × {per}" + (f", threshold {threshold}" if threshold else ", all that meet")
            rows.append(scored(name, shingle, 5, bands, per, threshold))
table("malmoi: bands, rows and the threshold", rows)
rows = []
for lang in ["ko", "en"]:
    for shingle, threshold in [("word", 0.0), ("word", 0.7), ("char", 0.7), ("char", 0.8)]:
        score = Score()
        for seed in SEEDS:
            score.add(ours(shingle, 5, 14, 8, seed, threshold), lang)
        rows.append(score.row(f"{lang}: {shingle} 5" + (f", threshold {threshold}" if threshold else ", all that meet")))
table("malmoi: by the language of the pairs (14 × 8; the corpus is the same)", rows)
rows = []
for distance in [0, 3, 6]:
    score = Score()
    hashes = [(line["exact"], line["simhash"]) for line in signatures("char", 5, 14, 8, 1)]

    def like(a, b):
        (text, x), (other, y) = hashes[a], hashes[b]
        return text == other or (x is not None and y is not None and (x ^ y).bit_count() <= distance)

    score.add(like)
    rows.append(score.row(f"simhash 6, distance {distance}"))
table("malmoi: SimHash", rows)

if len(sys.argv) > 3:
    answer = run([sys.argv[3], str(Path(__file__).parent / "peers.py")])
    scores = defaultdict(Score)
    for name, bands in zip(answer[0], answer[1:]):
        met = meet(bands)
        scores[name].add(lambda a, b: (a, b) in met)
    table("peers, same pairs", [score.row(name) for name, score in scores.items()])
