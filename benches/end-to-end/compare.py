"""jsonl.zst in, token shards out: MB of text per CPU-second and peak memory, malmoi beside Hugging Face tokenizers with numpy and datatrove.

All read the same file, encode with the same tokenizer.json, and write ids with an end token after each document, in the order
of the file; a hash of all ids says whether they are the same. Everything runs on one CPU with one thread; CPU seconds are user and
system time of `wait4`, start-up and loading the tokenizer included. `malmoi build` is the whole of it: documents with their records,
shards with checksums, synced, and a report. `with audit` reads them again: every checksum, every count, and every 97th document encoded
once more. Larger inputs (`--memory-mb`) are for malmoi alone and show what memory does with size; text is repeated where there is not
enough. Needs the `zstd` command; peers run in VENV, with tokenizers, numpy, zstandard and datatrove.
"""

import argparse
import datetime
import hashlib
import importlib
import json
import os
import shutil
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "benches", "pipeline"))
inputs = importlib.import_module("inputs")
measure = importlib.import_module("measure")


def arguments():
    parser = argparse.ArgumentParser(prog="benches/end-to-end/run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", metavar="FILE", help=".jsonl[.gz|.zst] with `text`; documents are taken from them in turn")
    parser.add_argument("--tokenizer", required=True, help="a tokenizer.json[.zst]")
    parser.add_argument("--eos", default="<|endoftext|>", help="its end-of-document token [default: %(default)s]")
    parser.add_argument("--peers", metavar="VENV", help="virtual environment of the peers")
    parser.add_argument("--mb", type=float, default=10, help="text in MB that all read [default: 10]")
    parser.add_argument("--memory-mb", type=float, action="append", default=[], help="text in MB that malmoi reads alone; may be given again")
    parser.add_argument("--reps", type=int, default=1, help="times that each runs, in turns [default: 1]")
    parser.add_argument("--malmoi", default=os.path.join(ROOT, "target", "release", "malmoi"), help="the binary [default: target/release/malmoi]")
    parser.add_argument("--out", default=os.path.join(ROOT, "out", "bench-end-to-end"), help="work folder [default: out/bench-end-to-end]")
    return parser.parse_args()


def write_input(args, megabytes):
    """One file of that much text; (path, bytes of text, documents)."""
    folder = os.path.join(args.out, f"input-{megabytes:g}")
    os.makedirs(folder)
    path = os.path.join(folder, "text.jsonl.zst")
    total = documents = turn = 0
    with open(path, "wb") as out:
        zstd = subprocess.Popen(["zstd", "-q", "-3", "-c"], stdin=subprocess.PIPE, stdout=out)
        while total < megabytes * 1e6:
            turn += 1
            for name, text in inputs.balanced(args.files):
                zstd.stdin.write(json.dumps({"id": f"{turn}:{documents}:{name}", "text": text}, ensure_ascii=False).encode() + b"\n")
                total += len(text.encode())
                documents += 1
                if total >= megabytes * 1e6:
                    break
        zstd.stdin.close()
        if zstd.wait() != 0:
            raise SystemExit("zstd failed")
    return path, total, documents


class Malmoi:
    def __init__(self, args, audit, compression):
        self.args, self.audit, self.compression = args, audit, compression
        self.name = "malmoi" + (", zstd shards" if compression == "zstd" else "") + (", with audit" if audit else "")

    def run(self, path, folder):
        recipe = os.path.join(folder, "recipe.toml")
        parts = ['output = "run"', "held-out = 0.0"]
        parts += ['[shards]\ncompression = "zstd"'] if self.compression == "zstd" else []
        parts.append(f'[[sources]]\nname = "text"\nbucket = "text"\nformat = "jsonl"\nfiles = {json.dumps(path)}')
        parts.append("[dedup]\nexact = false")
        parts.append(f"[tokenizer]\nload = {json.dumps(self.args.tokenizer)}\neos = {json.dumps(self.args.eos)}")
        parts.append("[mixture]\ntext = 1.0")
        with open(recipe, "w", encoding="utf-8") as out:
            out.write("\n\n".join(parts) + "\n")
        end = ["--jobs", "1", "--no-progress", "--quiet"]
        cost, _ = measure.measure([self.args.malmoi, "build", recipe, *end], f"{folder}.log")
        if self.audit:
            more, _ = measure.measure([self.args.malmoi, "audit", os.path.join(folder, "run"), *end], f"{folder}.audit.log")
            cost = {key: max(cost[key], more[key]) if key == "peak-mib" else cost[key] + more[key] for key in cost}
        return cost

    def ids(self, folder):
        out = os.path.join(folder, "ids")
        subprocess.run([self.args.malmoi, "shards", "export", os.path.join(folder, "run"), out, "--to", "olmo", "--quiet"], check=True, stdout=subprocess.DEVNULL)
        return sorted(os.path.join(out, "text", name) for name in os.listdir(os.path.join(out, "text")) if name.endswith(".npy"))


class Peer:
    def __init__(self, args, name, script):
        self.args, self.name, self.script = args, name, script

    def run(self, path, folder):
        python = os.path.join(self.args.peers, "bin", "python")
        command = [python, "-B", os.path.join(HERE, "peers", self.script), path, os.path.join(folder, "ids"), self.args.tokenizer, self.args.eos]
        cost, _ = measure.measure(command, f"{folder}.log")
        return cost

    def ids(self, folder):
        folder = os.path.join(folder, "ids")
        return sorted(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith((".bin", ".ds")))


def digest(files):
    """(tokens, hash) of files of ids in 32 bits."""
    hasher, size = hashlib.sha256(), 0
    for file in files:
        with open(file, "rb") as content:
            while chunk := content.read(1 << 20):
                hasher.update(chunk)
                size += len(chunk)
    return size // 4, hasher.hexdigest()[:16]


def main():
    args = arguments()
    args.out = os.path.abspath(args.out)
    shutil.rmtree(args.out, ignore_errors=True)
    os.makedirs(args.out)
    tokenizer = os.path.join(args.out, "tokenizer.json")
    if args.tokenizer.endswith(".zst"):
        subprocess.run(["zstd", "-dq", "-o", tokenizer, args.tokenizer], check=True)
    else:
        shutil.copyfile(args.tokenizer, tokenizer)
    args.tokenizer = tokenizer
    peers = [Peer(args, "Hugging Face tokenizers, numpy", "hf.py"), Peer(args, "datatrove", "datatrove_tokens.py")] if args.peers else []
    if not peers:
        print("skipped: no peers (--peers VENV)", file=sys.stderr)
    ours = [Malmoi(args, False, "none"), Malmoi(args, True, "none"), Malmoi(args, False, "zstd")]
    files = {megabytes: write_input(args, megabytes) for megabytes in [args.mb, *args.memory_mb]}
    cpu = measure.pin()
    print(f"{datetime.date.today()}; CPU {cpu}; load {os.getloadavg()[0]:.1f} at the start\n")
    print("| MB | tool | MB per CPU-s | CPU s | of it system | peak MiB | tokens | hash of ids |")
    print("| ---: | --- | ---: | ---: | ---: | ---: | ---: | --- |")
    for megabytes, tools in [(args.mb, ours + peers), *((size, ours[:1]) for size in args.memory_mb)]:
        path, size, _ = files[megabytes]
        costs = {tool.name: [] for tool in tools}
        ids = {}
        for _ in range(args.reps):
            for tool in tools:
                folder = os.path.join(args.out, "work")
                shutil.rmtree(folder, ignore_errors=True)
                os.makedirs(folder)
                costs[tool.name].append(tool.run(path, folder))
                ids[tool.name] = digest(tool.ids(folder))
        for name, runs in costs.items():
            seconds = statistics.median(run["cpu-s"] for run in runs)
            system = statistics.median(run["system-s"] for run in runs)
            peak = max(run["peak-mib"] for run in runs)
            tokens, hash = ids[name]
            print(f"| {size / 1e6:.1f} | {name} | {size / 1e6 / seconds:.2f} | {seconds:.2f} | {system:.2f} | {peak:.0f} | {tokens:,} | `{hash}` |", flush=True)
    print(f"\nload {os.getloadavg()[0]:.1f} at the end")


main()
