"""Bands of datatrove and rensa for the texts that come in: {"text"} a line on stdin, on stdout one list of band keys a line for each setting.

Runs in a Python that has datatrove 0.10 and rensa 0.5. The first line of the answer names the settings.
"""

import json
import sys

import rensa
from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupSignature
from datatrove.utils.text import ngrams

SEEDS = [1, 2, 3, 4, 5]
texts = [json.loads(line)["text"] for line in sys.stdin]
settings = []


def datatrove(buckets, hashes, seed):
    """datatrove's own signature step. Its words of Korean are those between white space once `simplify_text` took Hangul apart."""
    config = MinhashConfig(n_grams=5, num_buckets=buckets, hashes_per_bucket=hashes, seed=seed)
    step = MinhashDedupSignature("/tmp", config)
    step.word_tokenizer = type("Whitespace", (), {"word_tokenize": staticmethod(str.split)})()
    for text in texts:
        shingles = step.get_shingles(text)
        yield [] if shingles.size == 0 else [[int(value) for value in band] for band in step.get_signature(shingles)]


def shingles(text, unit):
    """rensa takes any pieces: of lower case, with single spaces."""
    text = " ".join(text.lower().split())
    return [" ".join(five) for five in ngrams(text.split(), 5)] if unit == "word 5" else [text[at : at + 5] for at in range(len(text) - 4)]


def rensa_bands(unit, bands, rows, seed):
    for text in texts:
        pieces = shingles(text, unit)
        if not pieces:
            yield []
            continue
        minhash = rensa.RMinHash(num_perm=bands * rows, seed=seed)
        minhash.update(pieces)
        values = minhash.digest()
        yield [[int(value) for value in values[band * rows : band * rows + rows]] for band in range(bands)]


for seed in SEEDS:
    for buckets, hashes in [(14, 8), (20, 5)]:
        settings.append((f"datatrove word 5, {buckets} × {hashes}", list(datatrove(buckets, hashes, seed))))
    for unit in ["word 5", "char 5"]:
        for bands, rows in [(14, 8), (20, 5)]:
            settings.append((f"rensa {unit}, {bands} × {rows}", list(rensa_bands(unit, bands, rows, seed))))

print(json.dumps([name for name, _ in settings]))
for _, bands in settings:
    print(json.dumps(bands))
