#!/usr/bin/env python3
"""MB of text per CPU-second of other encoders, on the files of `cargo bench --bench encode`.

    peers.py TOKENIZER.json --rounds 3 --peer gigatoken=VENV/bin/python --peer fastokens=VENV/bin/python \\
        --peer tokenizers=VENV/bin/python --ours target/release/deps/encode-HASH FILE...

A peer is a package and the Python that has it. Each is measured in a process of its own, on one thread:
cold is the first pass, warm the second, and the median of the rounds counts. The rounds of all encoders
alternate, since machines are not equally fast all the time. `--ours` takes the benchmark of this
repository in turn with them. Peers turn text like `<|im_end|>` into special tokens, this crate never does.
Equal ids have equal checksums. What it costs a peer to make Python objects counts as its time, as its
users pay it too; flat arrays are used where there are any.
"""

import argparse
import array
import json
import os
import statistics
import subprocess
import sys
import time
import zlib


def documents(name):
    texts = []
    with open(name.rstrip("+"), encoding="utf-8") as file:
        for line in file:
            record = json.loads(line)
            texts.append(record if isinstance(record, str) else record["text"])
    if name.endswith("+"):
        texts = ["\n".join(texts[at : at + 1000]) for at in range(0, len(texts), 1000)]
    return texts


def encoder(peer, tokenizer):
    """A function from documents to the peer's result, one from that to lists of ids, and the version."""
    if peer == "gigatoken":
        import gigatoken

        loaded = gigatoken.Tokenizer(tokenizer)
        return lambda texts: loaded.encode_batch(texts, parallel=False), lambda out: out.to_list()
    if peer == "fastokens":
        import fastokens
        import numpy

        loaded = fastokens.Tokenizer.from_file(tokenizer)

        def lists(out):
            ids, ends = (numpy.frombuffer(part, dtype=kind) if isinstance(part, bytes) else numpy.asarray(part) for part, kind in zip(out, ("<u4", "<u8")))
            return [ids[start:end].tolist() for start, end in zip(ends[:-1], ends[1:])]

        return lambda texts: loaded.encode_batch_flat(texts, add_special_tokens=False), lists
    import tokenizers

    loaded = tokenizers.Tokenizer.from_file(tokenizer)
    if tokenizers.__version__.startswith("0."):
        return lambda texts: loaded.encode_batch_fast(texts, add_special_tokens=False), lambda out: [e.ids for e in out]
    options = {"add_special_tokens": False, "padding": None, "truncation": None}
    return lambda texts: loaded.encode_batch(texts, **options), lambda out: [e.ids for e in out]


def work(peer, tokenizer, name):
    """One measurement, as a JSON line."""
    texts = documents(name)
    encode, lists = encoder(peer, tokenizer)
    seconds = []
    for _ in range(2):
        start = time.process_time()
        out = encode(texts)
        seconds.append(time.process_time() - start)
    checksum, tokens = 0, 0
    for ids in lists(out):
        tokens += len(ids)
        checksum = zlib.crc32(array.array("I", [*ids, 0xFFFFFFFF]).tobytes(), checksum)
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    print(json.dumps([megabytes / seconds[0], megabytes / seconds[1], tokens, f"{checksum:08x}"]))


def measure(command):
    environment = {**os.environ, "RAYON_NUM_THREADS": "1", "RAYON_RS_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()[-1]


def ours(command, tokenizer, name):
    cells = [cell.strip() for cell in measure([command, tokenizer, "1", "0", name]).strip("|").split("|")]
    return [float(cells[4]), float(cells[5]), int(cells[6]), cells[7]]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tokenizer")
    parser.add_argument("files", nargs="+")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PYTHON")
    parser.add_argument("--ours", metavar="PROGRAM")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        return work(options.worker, options.tokenizer, options.files[0])
    print("| text | encoder | cold | warm | tokens | checksum |\n|---|---|---|---|---|---|")
    for name in options.files:
        results = {}
        for _ in range(options.rounds):
            if options.ours:
                results.setdefault("malmoi", []).append(ours(options.ours, options.tokenizer, name))
            for peer, python in (peer.split("=", 1) for peer in options.peer):
                command = [python, __file__, options.tokenizer, name, "--worker", peer.split(" ")[0]]
                results.setdefault(peer, []).append(json.loads(measure(command)))
        for peer, rows in results.items():
            cold, warm = (statistics.median(row[at] for row in rows) for at in (0, 1))
            print(f"| {os.path.basename(name)} | {peer} | {cold:.1f} | {warm:.1f} | {rows[0][2]} | {rows[0][3]} |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
