"""The script one writes by hand: orjson, the Gopher rules on `str.split`, rensa's MinHash, HF tokenizers.

Everything stays in memory; what is dropped is counted, not written. One thread.
"""

import argparse
import array
import collections
import glob
import gzip
import importlib.metadata
import json
import re
import string
import time

import orjson
from limits import LIMITS, MINHASH
from rensa import RMinHash, RMinHashLSH
from tokenizers import Tokenizer

SYMBOLS = string.punctuation + "·•–—‘’“”…、。「」『』《》〈〉，．：；！？（）"
CONTENT = re.compile(f"[^{re.escape(SYMBOLS)}]")
LETTER = re.compile(r"[^\W\d_]")
ENCODE_AT_ONCE = 1000


def quality(text, words, limits):
    """Name of the first Gopher quality rule that the text fails, or None."""
    content = [word for word in words if CONTENT.search(word)]
    low, high = limits["words"]
    if not low <= len(content) <= high:
        return "words"
    low, high = limits["mean-word-length"]
    if not low <= sum(map(len, content)) / len(content) <= high:
        return "mean-word-length"
    most = limits["symbol-ratio"] * len(words)
    if text.count("#") > most or text.count("...") + text.count("…") > most:
        return "symbol-ratio"
    lines = text.splitlines()
    if sum(line.lstrip().startswith(("•", "-")) for line in lines) > limits["bullet-lines"] * len(lines):
        return "bullet-lines"
    if sum(line.rstrip().endswith(("...", "…")) for line in lines) > limits["ellipsis-lines"] * len(lines):
        return "ellipsis-lines"
    if sum(1 for word in words if LETTER.search(word)) < limits["alpha-words"] * len(words):
        return "alpha-words"
    least, stop_words = limits["stop-words"]
    if stop_words[0].startswith("-"):
        endings = {word.rstrip(SYMBOLS)[-1:] for word in words if len(word.rstrip(SYMBOLS)) > 1}
        found = sum(ending[1:] in endings for ending in stop_words)
    else:
        found = len(set(stop_words).intersection(words))
    return "stop-words" if found < least else None


def again(elements):
    """How many elements occurred before, and their characters."""
    seen, count, chars = set(), 0, 0
    for element in elements:
        if element in seen:
            count += 1
            chars += len(element)
        else:
            seen.add(element)
    return count, chars


def repetition(text, words, limits):
    """Name of the first Gopher repetition rule that the text fails, or None."""
    for kind, pattern, source in (("para", r"\n{2,}", text.strip()), ("line", r"\n+", text)):
        of_count, of_chars = limits[f"dup_{kind}_frac"], limits[f"dup_{kind}_char_frac"]
        if of_count or of_chars:
            elements = re.split(pattern, source)
            count, chars = again(elements)
            if of_count and count > of_count * len(elements) or of_chars and chars > of_chars * len(text):
                return f"dup_{kind}"
    for n, most in limits["top_n_grams"]:
        grams = collections.Counter(zip(*(words[at:] for at in range(n))))
        if grams:
            top, times = max(grams.items(), key=lambda item: item[1])
            if (sum(map(len, top)) + n - 1) * times > most * len(text):
                return f"top_{n}_gram"
    for n, most in limits["dup_n_grams"]:
        seen, chars, at = set(), 0, 0
        while at + n <= len(words):
            gram = "".join(words[at : at + n])
            if gram in seen:
                chars += len(gram)
                at += n
            else:
                seen.add(gram)
                at += 1
        if chars > most * len(text):
            return f"dup_{n}_gram"
    return None


def unique(texts):
    """Indices of the texts that stay: the first of each group that MinHash-LSH connects."""
    n, bands = MINHASH["ngram"], MINHASH["bands"]
    hashes = bands * MINHASH["rows"]
    shingles = []
    for text in texts:
        words = text.lower().split()
        shingles.append([" ".join(words[at : at + n]) for at in range(max(1, len(words) - n + 1))])
    signatures = RMinHash.from_token_sets(shingles, num_perm=hashes, seed=1)
    index = RMinHashLSH(threshold=0.7, num_perm=hashes, num_bands=bands)
    index.insert_many(signatures)
    parent = list(range(len(texts)))

    def root(of):
        while parent[of] != of:
            parent[of] = parent[parent[of]]
            of = parent[of]
        return of

    for row, candidates in enumerate(index.query_all(signatures)):
        for other in candidates:
            first, second = sorted((root(row), root(other)))
            parent[second] = first
    return [row for row in range(len(texts)) if root(row) == row]


def main():
    parser = argparse.ArgumentParser()
    for name in ("input", "out", "tokenizer", "eos", "bucket"):
        parser.add_argument(f"--{name}", required=True)
    args = parser.parse_args()
    stages, mark = {}, time.process_time()
    stages["start"] = mark

    def done(stage):
        nonlocal mark
        stages[stage], mark = time.process_time() - mark, time.process_time()

    limits, texts, documents, reasons = LIMITS[args.bucket], [], 0, collections.Counter()
    for path in sorted(glob.glob(f"{args.input}/documents/*.jsonl.gz")):
        with gzip.open(path, "rb") as lines:
            for line in lines:
                documents += 1
                text = orjson.loads(line)["text"]
                if limits:
                    words = text.split()
                    reason = quality(text, words, limits["quality"]) or repetition(text, words, limits["repetition"])
                    if reason:
                        reasons[reason] += 1
                        continue
                texts.append(text)
    done("clean")
    kept = unique(texts)
    done("dedup")
    tokenizer = Tokenizer.from_file(args.tokenizer)
    end = tokenizer.token_to_id(args.eos)
    width = "H" if tokenizer.get_vocab_size() <= 1 << 16 else "I"
    tokens = 0
    with open(f"{args.out}/tokens.bin", "wb") as out:
        for at in range(0, len(kept), ENCODE_AT_ONCE):
            batch = [texts[row] for row in kept[at : at + ENCODE_AT_ONCE]]
            for encoded in tokenizer.encode_batch(batch, add_special_tokens=False):
                ids = array.array(width, encoded.ids)
                ids.append(end)
                ids.tofile(out)
                tokens += len(ids)
    done("tokenize")
    versions = {name: importlib.metadata.version(name) for name in ("rensa", "tokenizers", "orjson")}
    result = {
        "stages": stages,
        "documents": documents,
        "clean": len(texts),
        "unique": len(kept),
        "tokens": tokens,
        "text-bytes": sum(len(texts[row].encode()) for row in kept),
        "reasons": dict(reasons),
        "versions": versions,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
