#!/usr/bin/env python3
"""Training byte-pair encodings: CPU-seconds and peak memory, a process for each run, engines in turn.

    cargo bench --workspace --bench train_bpe --no-run    # prints the path of the program
    peers.py --malmoi PROGRAM [--vocab 32000] [--rounds 3] [--engines malmoi,hf,gigabpe,...] TEXT...

A file is UTF-8 text, each line a training text. Engines that are not installed in the Python that runs
this are left out by name. `--python NAME=PATH` runs an engine with another Python (an environment with
another version). Every engine learns on all of the file with one thread; merges are compared with those
of `tokenizers` under the same splitting pattern.
"""
import argparse, json, os, statistics, subprocess, sys, tempfile, time

QWEN2 = r"""(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"""
ENGINES = ["malmoi", "hf", "gigabpe", "hf-gpt2", "malmoi-gpt2", "spm"]


def lines(path):
    with open(path, encoding="utf-8", newline="") as file:
        yield from file


def hf(path, vocab, pattern):
    from tokenizers import Regex, Tokenizer, __version__, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    bytes_ = lambda by_itself: pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=by_itself)
    split = lambda: pre_tokenizers.Split(Regex(QWEN2), "isolated")
    tokenizer.pre_tokenizer = bytes_(True) if pattern == "gpt2" else pre_tokenizers.Sequence([split(), bytes_(False)])
    trainer = trainers.BpeTrainer(
        vocab_size=vocab, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
    )
    tokenizer.train_from_iterator(lines(path), trainer)
    return __version__, lambda: json.loads(tokenizer.to_str())["model"]["merges"]


def gigabpe(path, vocab):
    from importlib.metadata import version
    import gigabpe

    _, merges = gigabpe.train_bpe([path], vocab_size=vocab, pretokenizer="bytelevel")
    return version("gigabpe"), lambda: [list(merge) for merge in merges]


def spm(path, vocab):
    import sentencepiece

    with tempfile.TemporaryDirectory() as folder:
        sentencepiece.SentencePieceTrainer.train(
            input=path, model_prefix=os.path.join(folder, "m"), vocab_size=vocab, model_type="bpe", byte_fallback=True,
            character_coverage=0.9995, num_threads=1, minloglevel=2, max_sentence_length=1 << 20,
        )
    return sentencepiece.__version__, None


def one(engine, path, vocab, out):
    """In a process of its own: trains, prints what it took, writes merges."""
    wall, cpu = time.perf_counter(), time.process_time()
    if engine.startswith("hf"):
        version, merges = hf(path, vocab, "gpt2" if engine == "hf-gpt2" else "qwen2")
    else:
        version, merges = {"gigabpe": gigabpe, "spm": spm}[engine](path, vocab)
    row = {"engine": engine, "version": version, "wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
    with open("/proc/self/status") as status:  # getrusage would count the process that started this one
        row["peak_rss_MB"] = next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) // 1024
    if merges:
        with open(out, "w") as file:
            json.dump(merges(), file)
    print(json.dumps(row))


def run(args, engine, path, out):
    env = {**os.environ, "RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    if engine.startswith("malmoi"):
        pattern = "gpt2" if engine == "malmoi-gpt2" else "qwen2"
        command = [args.malmoi, path, str(args.vocab), pattern, "1", str(1 << 30), out]
    else:
        python = dict(pair.split("=", 1) for pair in args.python).get(engine, sys.executable)
        command = [python, __file__, "--one", engine, "--vocab", str(args.vocab), "--out", out, path]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    if done.returncode:
        print(f"{engine}: left out: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return None
    return json.loads(done.stdout)


def merges_of(engine, out):
    if not os.path.exists(out):
        return None
    with open(out) as file:
        content = json.load(file)
    return content["model"]["merges"] if engine.startswith("malmoi") else content


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--malmoi")
    parser.add_argument("--vocab", type=int, default=32000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--python", action="append", default=[], metavar="ENGINE=PYTHON")
    parser.add_argument("--one")
    parser.add_argument("--out")
    parser.add_argument("files", nargs="+")
    args = parser.parse_args()
    if args.one:
        return one(args.one, args.files[0], args.vocab, args.out)
    print("| text | MB | trainer | CPU s | MB per CPU s | peak MB | merges |\n|---|---|---|---|---|---|---|")
    for path in args.files:
        size = os.path.getsize(path) / 1e6
        rows, merges = {}, {}
        with tempfile.TemporaryDirectory() as folder:
            for _ in range(args.rounds):
                for engine in args.engines.split(","):
                    out = os.path.join(folder, engine + ".json")
                    row = run(args, engine, path, out)
                    if row:
                        rows.setdefault(engine, []).append(row)
                        merges[engine] = merges_of(engine, out)
        for engine, runs in rows.items():
            cpu, peak = (statistics.median(row[key] for row in runs) for key in ("cpu_s", "peak_rss_MB"))
            theirs = merges.get("hf-gpt2" if engine in ("gigabpe", "malmoi-gpt2") else "hf")
            ours, note = merges[engine], "not comparable"
            if engine in ("hf", "hf-gpt2"):
                note = f"{len(ours)}"
            elif ours and theirs:
                # Where only bytes of the text become tokens, more merges follow.
                both = min(len(ours), len(theirs))
                equal = next((at for at in range(both) if ours[at] != theirs[at]), both)
                note = f"{equal} of {both} equal"
            version = runs[0].get("version", "")
            name = os.path.splitext(os.path.basename(path))[0]
            print(f"| {name} | {size:.1f} | {engine} {version} | {cpu:.2f} | {size / cpu:.1f} | {peak:.0f} | {note} |")


if __name__ == "__main__":
    main()
