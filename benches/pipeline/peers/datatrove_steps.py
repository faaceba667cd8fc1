"""datatrove: its own Gopher filters, four MinHash steps and document tokenizer, in one local process.

`--words default` takes datatrove's word tokenizer of the language (spaCy, Kiwi); `--words spaces`
gives it `str.split` through its public interface for own word tokenizers.
"""

import argparse
import importlib.metadata
import json
import os
import resource

from limits import KOREAN_MORPHEMES, LIMITS, MINHASH
from loguru import logger

logger.remove()

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.pipeline.filters import GopherQualityFilter, GopherRepetitionFilter
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.tokens import DocumentTokenizer
from datatrove.pipeline.writers import JsonlWriter
from datatrove.utils.hashing import HashConfig
from datatrove.utils.word_tokenizers import WordTokenizer, load_word_tokenizer

LANGUAGES = {"korean": "kor_Hang", "english": "eng_Latn", "code": "eng_Latn"}
COMPRESSION = "zstd"


class Spaces(WordTokenizer):
    """Words between white space; sentences are not asked for here."""

    def word_tokenize(self, text):
        return text.split()

    def sent_tokenize(self, text):
        raise NotImplementedError

    def span_tokenize(self, text):
        raise NotImplementedError


def cpu():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def filters(limits, language, endings, dropped):
    """The two Gopher filters; datatrove knows whole stop words only, so endings switch that rule off."""
    quality, repetition = limits["quality"], limits["repetition"]
    least, stop_words = quality["stop-words"]
    return [
        GopherQualityFilter(
            min_doc_words=quality["words"][0],
            max_doc_words=quality["words"][1],
            min_avg_word_length=quality["mean-word-length"][0],
            max_avg_word_length=quality["mean-word-length"][1],
            max_symbol_word_ratio=quality["symbol-ratio"],
            max_bullet_lines_ratio=quality["bullet-lines"],
            max_ellipsis_lines_ratio=quality["ellipsis-lines"],
            max_non_alpha_words_ratio=quality["alpha-words"],
            min_stop_words=0 if endings else least,
            stop_words=list(stop_words),
            exclusion_writer=JsonlWriter(f"{dropped}/quality", compression=COMPRESSION),
            language=language,
        ),
        GopherRepetitionFilter(
            **repetition,
            exclusion_writer=JsonlWriter(f"{dropped}/repetition", compression=COMPRESSION),
            language=language,
        ),
    ]


def main():
    parser = argparse.ArgumentParser()
    for name in ("input", "out", "tokenizer", "eos", "bucket"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--words", choices=("default", "spaces"), required=True)
    args = parser.parse_args()
    spaces = args.words == "spaces"
    language = Spaces() if spaces else LANGUAGES[args.bucket]
    limits = LIMITS[args.bucket]
    if args.bucket == "korean" and not spaces:
        limits = KOREAN_MORPHEMES
    out, documents = args.out, f"{args.input}/documents"
    config = MinhashConfig(
        n_grams=MINHASH["ngram"],
        num_buckets=MINHASH["bands"],
        hashes_per_bucket=MINHASH["rows"],
        hash_config=HashConfig(hash_fc="xxhash", precision=64),
    )
    stages = {"start": cpu()}
    counts = {}

    def run(stage, name, tasks, steps):
        """One executor, its CPU seconds added to `stage`, the counters of its steps kept."""
        # A loaded Kiwi cannot be copied, and datatrove copies its steps.
        load_word_tokenizer.cache_clear()
        before = cpu()
        logs = f"{out}/logs/{name}"
        LocalPipelineExecutor(steps(), tasks=tasks, workers=1, logging_dir=logs, skip_completed=False).run()
        stages[stage] = stages.get(stage, 0) + cpu() - before
        with open(f"{logs}/stats.json", encoding="utf-8") as file:
            counts[name] = [step.get("stats", {}) for step in json.load(file)]

    def total(name, step, key):
        value = counts[name][step].get(key, 0)
        return value.get("total", 0) if isinstance(value, dict) else value

    source = documents
    if limits:
        source = f"{out}/clean"
        run("clean", "clean", 1, lambda: [
            JsonlReader(documents),
            *filters(limits, language, spaces and args.bucket == "korean", f"{out}/dropped"),
            JsonlWriter(source, compression=COMPRESSION),
        ])
    run("dedup", "signatures", 1, lambda: [JsonlReader(source), MinhashDedupSignature(f"{out}/signatures", config=config, language=language)])
    run("dedup", "bands", MINHASH["bands"], lambda: [MinhashDedupBuckets(f"{out}/signatures", f"{out}/bands", config=config)])
    run("dedup", "clusters", 1, lambda: [MinhashDedupCluster(f"{out}/bands", f"{out}/remove", config=config)])
    run("dedup", "remove", 1, lambda: [
        JsonlReader(source),
        MinhashDedupFilter(f"{out}/remove", exclusion_writer=JsonlWriter(f"{out}/dropped/duplicates", compression=COMPRESSION)),
        JsonlWriter(f"{out}/unique", compression=COMPRESSION),
    ])
    run("tokenize", "tokenize", 1, lambda: [
        JsonlReader(f"{out}/unique"),
        DocumentTokenizer(f"{out}/tokens", args.tokenizer, eos_token=args.eos, shuffle_documents=False, batch_size=1000),
    ])
    ids = sum(os.path.getsize(os.path.join(f"{out}/tokens", name)) for name in os.listdir(f"{out}/tokens") if name.endswith(".ds"))
    result = {
        "stages": stages,
        "documents": total("clean", 0, "documents") if limits else total("signatures", 0, "documents"),
        "clean": total("signatures", 0, "documents"),
        "unique": total("tokenize", 0, "documents"),
        "tokens": total("tokenize", 1, "tokens"),
        "id-bytes": ids,
        "versions": {name: importlib.metadata.version(name) for name in ("datatrove", "spacy", "kiwipiepy", "tokenizers")},
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
