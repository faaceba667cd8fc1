#!/usr/bin/env python3
"""SentencePiece models of malmoi beside those of SentencePiece itself: the same pieces, scores and lengths of text?

    unigram.py --malmoi target/release/malmoi [--type unigram|bpe] [--vocab 8000] [--mb 3] TEXT.jsonl[.zst]...

Both train with the same options on the same lines, one thread, a process each (CPU seconds and peak memory of `wait4`). Every tenth
document is held out; SentencePiece encodes it with both models, and the table says how many tokens each needs. Python needs `sentencepiece`.
"""
import argparse, json, os, resource, subprocess, sys, tempfile

TRAIN = """
import sentencepiece, sys
sentencepiece.SentencePieceTrainer.train(input=sys.argv[1], model_prefix=sys.argv[2], vocab_size=int(sys.argv[3]), model_type=sys.argv[4],
    num_threads=1, minloglevel=2, character_coverage=0.9995, max_sentence_length=4192)
"""


def documents(path):
    command = ["zstd", "-dcq", "--", path] if path.endswith(".zst") else ["cat", path]
    lines = subprocess.Popen(command, stdout=subprocess.PIPE)
    for line in lines.stdout:
        yield json.loads(line)["text"]
    lines.kill()
    lines.wait()


def split(path, megabytes, train, held_out):
    """Lines to train on that SentencePiece does not drop for their length, and documents to measure on."""
    size, measured = 0, []
    with open(train, "w", encoding="utf-8") as out:
        for number, text in enumerate(documents(path)):
            if size >= megabytes * 1e6:
                break
            if number % 10 == 9:
                measured.append(text)
                continue
            for line in text.splitlines():
                if 0 < len(line.encode()) <= 4192:
                    out.write(line + "\n")
                    size += len(line.encode()) + 1
    return size, measured


def cost(command):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, "RAYON_NUM_THREADS": "1"})
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{command[0]} failed")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main():
    import sentencepiece

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--malmoi", required=True)
    parser.add_argument("--type", choices=["unigram", "bpe"], default="unigram")
    parser.add_argument("--vocab", type=int, default=8000)
    parser.add_argument("--mb", type=float, default=3)
    parser.add_argument("texts", nargs="+")
    args = parser.parse_args()
    print(f"sentencepiece {sentencepiece.__version__}, {args.type}, {args.vocab} pieces, load {os.getloadavg()[0]:.1f}\n")
    print("| text | MB | CPU s: malmoi | SentencePiece | peak MiB: malmoi | SentencePiece | pieces in common | of the first 1,000 | mean difference of scores | tokens of held-out text: malmoi | SentencePiece |")
    print("| --- " + "| ---: " * 10 + "|")
    for path in args.texts:
        with tempfile.TemporaryDirectory() as folder:
            name = lambda file: os.path.join(folder, file)
            size, measured = split(path, args.mb, name("train.txt"), None)
            ours = [args.malmoi, "tokenizer", "train", name("train.txt"), "--out", name("ours.model"), "--vocab-size", str(args.vocab), "--jobs", "1", "--quiet"]
            # Where malmoi's default is another one, the library's.
            library = [f"model-type={args.type}", "normalization-rule-name=nmt_nfkc", "remove-extra-whitespaces=true", "add-dummy-prefix=true", "byte-fallback=false", "allow-whitespace-only-pieces=false"]
            ours += [part for option in library for part in ("--set", f"tokenizer.sentencepiece.{option}")]
            ours_cost = cost(ours)
            theirs_cost = cost([sys.executable, "-c", TRAIN, name("train.txt"), name("theirs"), str(args.vocab), args.type])
            models = [sentencepiece.SentencePieceProcessor(model_file=name(file)) for file in ("ours.model", "theirs.model")]
            pieces = [{model.id_to_piece(id): model.get_score(id) for id in range(len(model))} for model in models]
            common = pieces[0].keys() & pieces[1].keys()
            first = [{model.id_to_piece(id) for id in range(1000)} for model in models]
            difference = sum(abs(pieces[0][piece] - pieces[1][piece]) for piece in common) / len(common)
            tokens = [sum(len(model.encode(text)) for text in measured) for model in models]
            print(
                f"| {os.path.basename(path)} | {size / 1e6:.1f} | {ours_cost[0]:.1f} | {theirs_cost[0]:.1f} | {ours_cost[1]:.0f} | {theirs_cost[1]:.0f} "
                f"| {len(common):,} of {len(models[1]):,} | {len(first[0] & first[1])} | {difference:.4f} | {tokens[0]:,} | {tokens[1]:,} |", flush=True)


main()
