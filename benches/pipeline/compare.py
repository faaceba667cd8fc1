"""malmoi beside its peers on the same files in the same run: MB of text per CPU-second, peak memory.

README.md says what each tool does. Standard library only; peers run in their own environments.
"""

import argparse
import datetime
import json
import os
import platform
import shutil
import subprocess
import sys

import malmoi
import tables
from inputs import BUCKETS
from measure import Failed, measure, own_peak_mib, pin

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SHARED = os.path.join(os.path.dirname(ROOT), "shared", "data")
# As few documents as give each stage something to do: what is left is start-up. Each is there twice,
# so a tool that does not deduplicate is found out.
PLANTED, PLANTED_MB = "planted", 0.05


def arguments():
    parser = argparse.ArgumentParser(prog="benches/pipeline/run", description="Throughput of clean + dedup + tokenize.")
    parser.add_argument("--data", help="folder with korean*, english*, code* .jsonl[.gz|.zst] [default: ../shared/data if there, else fetched crates]")
    parser.add_argument("--mb", type=float, default=20, help="text of each bucket in MB [default: 20]")
    parser.add_argument("--small-mb", type=float, default=2, help="the same for the group with the slow peers [default: 2]")
    parser.add_argument("--reps", type=int, default=3, help="times that each tool runs [default: 3]")
    parser.add_argument("--bucket", action="append", choices=BUCKETS, help="only this bucket; may be given again")
    parser.add_argument("--peers", metavar="VENV", help="virtual environment with datatrove, rensa and what README.md names")
    parser.add_argument("--dolma", metavar="VENV", help="virtual environment with dolma")
    parser.add_argument("--tokenizer", help="a tokenizer.json[.zst] [default: one that malmoi trains first]")
    parser.add_argument("--eos", default="<|endoftext|>", help="its end-of-document token [default: %(default)s]")
    parser.add_argument("--malmoi", default=os.path.join(ROOT, "target", "release", "malmoi"), help="the binary [default: target/release/malmoi]")
    parser.add_argument("--out", default=os.path.join(ROOT, "out", "bench-pipeline"), help="work folder [default: out/bench-pipeline]")
    return parser.parse_args()


def say(message):
    print(message, file=sys.stderr, flush=True)


class Bench:
    def __init__(self, args):
        self.args = args
        self.buckets = args.bucket or list(BUCKETS)
        self.tokenizer = os.path.join(args.out, "tokenizer.json")
        self.failed = False

    def inputs(self, megabytes):
        """Builds the input files; facts of each by bucket and size."""
        data = self.args.data
        if data and not os.path.isdir(data):
            raise SystemExit(f"--data: there is no folder {data}")
        if not data and os.path.isdir(SHARED):
            data = SHARED
        elif not data:
            say("skipped: no ../shared; Korean is lingua's sentences, English the READMEs of the fetched crates")
        command = [sys.executable, "-B", os.path.join(HERE, "inputs.py"), "--out", self.input_folder()]
        command += ["--data", data] if data else []
        command += ["--planted", f"{PLANTED_MB:g}"] + [part for size in megabytes for part in ("--mb", f"{size:g}")]
        command += [part for bucket in self.buckets for part in ("--bucket", bucket)]
        subprocess.run(command, check=True)
        facts = {}
        for size in [*megabytes, PLANTED]:
            for bucket in self.buckets:
                with open(os.path.join(self.input_folder(bucket, size), "facts.json"), encoding="utf-8") as file:
                    facts.setdefault(size, {})[bucket] = json.load(file)
        return facts

    def input_folder(self, bucket=None, size=None):
        folder = os.path.join(self.args.out, "inputs")
        return folder if bucket is None else os.path.join(folder, f"{bucket}-{size if size == PLANTED else format(size, 'g')}")

    def make_tokenizer(self):
        """The one tokenizer.json that all tools load."""
        given = self.args.tokenizer
        if given and given.endswith(".zst"):
            with open(self.tokenizer, "wb") as out:
                subprocess.run(["zstd", "-dcq", "--", given], stdout=out, check=True)
        elif given:
            shutil.copyfile(given, self.tokenizer)
        else:
            say("training a tokenizer (not measured)")
            inputs = [(bucket, self.input_folder(bucket, self.args.mb)) for bucket in self.buckets]
            train = f'train = {{ model = "bpe", vocab-size = 32_000, sample-bytes = 20_000_000, special-tokens = [{json.dumps(self.args.eos)}] }}'
            folder = os.path.join(self.args.out, "tokenizer")
            recipe = malmoi.recipe(folder, inputs, [], "exact = true", train)
            for stage in ("clean", "dedup", "tokenizer"):
                measure(malmoi.command(self.args.malmoi, "stage", stage, recipe), os.path.join(self.args.out, "tokenizer.log"))
            shutil.copyfile(os.path.join(folder, "run", "tokenizer", "tokenizer.json"), self.tokenizer)
        convert = [sys.executable, "-B", os.path.join(HERE, "old_tokenizer.py"), self.tokenizer, self.tokenizer + ".old"]
        vocabulary = int(subprocess.run(convert, capture_output=True, text=True, check=True).stdout)
        return {"from": os.path.basename(given) if given else "trained by malmoi", "vocabulary": vocabulary}

    def tools(self, slow):
        """Names of the tools of a group, each with a function (bucket, input, folder) → (cost, counts)."""
        tools = {"malmoi": self.malmoi("same work"), "malmoi, template recipe": self.malmoi("template")}
        if self.args.peers:
            python = os.path.join(self.args.peers, "bin", "python")
            tools["hand script with rensa"] = self.peer(python, "hand.py")
            tools["datatrove, words by spaces"] = self.peer(python, "datatrove_steps.py", "--words", "spaces")
            if slow:
                tools["datatrove, own words"] = self.peer(python, "datatrove_steps.py", "--words", "default")
        if self.args.dolma and slow:
            tools["dolma"] = self.peer(os.path.join(self.args.dolma, "bin", "python"), "dolma_steps.py", tokenizer=self.tokenizer + ".old")
        return tools

    def settings(self, name, bucket):
        if name == "template":
            return malmoi.template(os.path.join(ROOT, "recipes", "template.toml"), bucket)
        if name == "data stage":
            return malmoi.DATA_STAGE[bucket], malmoi.DATA_DEDUP
        return malmoi.SAME_WORK[bucket], malmoi.SAME_DEDUP

    def malmoi(self, name):
        def run(bucket, documents, folder):
            recipe = malmoi.recipe(folder, [(bucket, documents)], *self.settings(name, bucket), malmoi.load(self.tokenizer, self.args.eos))
            cost, _ = measure(malmoi.command(self.args.malmoi, "build", recipe), f"{folder}.log")
            return cost, malmoi.counts(folder)

        return run

    def peer(self, python, script, *options, tokenizer=None):
        def run(bucket, documents, folder):
            os.makedirs(folder)
            command = [python, "-B", os.path.join(HERE, "peers", script), "--input", documents, "--out", folder]
            command += ["--tokenizer", tokenizer or self.tokenizer, "--eos", self.args.eos, "--bucket", bucket, *options]
            cost, output = measure(command, f"{folder}.log")
            return cost, json.loads(output.strip().splitlines()[-1])

        return run

    def group(self, size, reps, slow, name):
        """Runs every tool `reps` times on each bucket; the tools take turns, a different one first each time."""
        tools = list(self.tools(slow).items())
        runs = {(bucket, tool): {"costs": []} for bucket in self.buckets for tool, _ in tools}
        for rep in range(reps):
            for bucket in self.buckets:
                for tool, start in tools[rep % len(tools) :] + tools[: rep % len(tools)]:
                    run = runs[bucket, tool]
                    folder = os.path.join(self.args.out, "work", name, f"{bucket}-{tool.replace(' ', '-').replace(',', '')}")
                    shutil.rmtree(folder, ignore_errors=True)
                    os.makedirs(os.path.dirname(folder), exist_ok=True)
                    try:
                        cost, counts = start(bucket, self.input_folder(bucket, size), folder)
                        if all(cost["cpu-s"] < other["cpu-s"] for other in run["costs"]):
                            run["counts"] = counts
                        run["costs"].append(cost)
                        say(f"{name} {rep + 1}/{reps}: {bucket}, {tool}: {cost['cpu-s']} CPU s, {cost['peak-mib']} MiB")
                    except Failed as error:
                        run["failed"] = f"failed: {error}"
                        self.failed = True
                        say(f"{name} {rep + 1}/{reps}: {bucket}, {tool}: {error}")
        return runs

    def check_planted(self, startup, inputs):
        """Half of the planted documents are copies: who keeps clearly more than half does not deduplicate."""
        missed = {}
        for (bucket, tool), run in startup.items():
            counts = run.get("counts", {})
            passed = counts.get("clean", inputs[bucket]["documents"])
            if counts and counts["unique"] > 0.6 * passed:
                missed[bucket, tool] = f"failed: keeps {counts['unique']} of {passed} planted documents, of which half are copies"
                say(f"{bucket}, {tool}: {missed[bucket, tool]}")
        self.failed = self.failed or bool(missed)
        return missed

    def stage(self, stage, recipe, what):
        """Cost of one stage of malmoi; None, told and remembered, where it fails."""
        try:
            return measure(malmoi.command(self.args.malmoi, "stage", stage, recipe), f"{os.path.dirname(recipe)}.log")[0]
        except Failed as error:
            say(f"{stage}: {what}: {error}")
            self.failed = True
            return None

    def split(self, size, reps):
        """malmoi's stages, each as a process of its own."""
        split = {}
        for _ in range(reps):
            for bucket in self.buckets:
                for name in ("same work", "template", "data stage"):
                    folder = os.path.join(self.args.out, "work", "stages")
                    inputs = [(bucket, self.input_folder(bucket, size))]
                    recipe = malmoi.recipe(folder, inputs, *self.settings(name, bucket), malmoi.load(self.tokenizer, self.args.eos))
                    for stage in malmoi.STAGES:
                        cost = self.stage(stage, recipe, f"{bucket}, {name}")
                        if cost is None:
                            break
                        split.setdefault((bucket, name), {}).setdefault(stage, []).append(cost)
        return split

    def steps(self, size, reps):
        """`clean` with one filter or signature at a time."""
        steps = {}
        for _ in range(reps):
            for bucket in self.buckets:
                filters = self.settings("template", bucket)[0]
                variants = [("read and write alone", [], "exact = false")]
                variants += [(line.split(" =")[0], [line], "exact = false") for line in filters]
                variants += [(line.split(" =")[0], [line], "exact = false") for line in malmoi.MORE_FILTERS]
                variants += [("exact signature", [], "exact = true"), ("MinHash signature", [], malmoi.SAME_DEDUP)]
                variants.append(("SimHash signature", [], "exact = false\nsimhash = {}"))
                for name, filters, dedup in variants:
                    folder = os.path.join(self.args.out, "work", "steps")
                    inputs = [(bucket, self.input_folder(bucket, size))]
                    recipe = malmoi.recipe(folder, inputs, filters, dedup, malmoi.load(self.tokenizer, self.args.eos))
                    cost = self.stage("clean", recipe, f"{bucket}, {name}")
                    if cost is not None:
                        steps.setdefault((bucket, name), []).append(cost)
        return steps


def machine(cpu):
    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), model)
    except OSError:
        pass
    load = [round(value, 2) for value in os.getloadavg()]
    return {"cores": os.cpu_count(), "model": model, "pinned-to-cpu": cpu, "load-at-start": load, "python": platform.python_version()}


def flat(runs):
    return [{"bucket": bucket, "tool": tool, **run} for (bucket, tool), run in runs.items()]


def main():
    args = arguments()
    args.out = os.path.abspath(args.out)
    if not os.access(args.malmoi, os.X_OK):
        raise SystemExit("there is no malmoi binary: `cargo build --release` makes target/release/malmoi, or give --malmoi")
    if args.reps < 1:
        raise SystemExit("--reps must be at least 1")
    for name in ("peers", "dolma"):
        folder = getattr(args, name)
        if folder and not os.access(os.path.join(folder, "bin", "python"), os.X_OK):
            raise SystemExit(f"--{name}: no bin/python in {folder}")
        if not folder:
            say(f"skipped: no {name} (VENV): --{name} names a virtual environment; README.md says how to make it")
    os.makedirs(args.out, exist_ok=True)
    facts = machine(pin())
    facts["date"] = datetime.date.today().isoformat()
    bench = Bench(args)
    inputs = bench.inputs(sorted({args.mb, args.small_mb}))
    tokenizer = bench.make_tokenizer()
    own_mib = own_peak_mib()
    version = subprocess.run([args.malmoi, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    startup = bench.group(PLANTED, 1, True, "start-up")
    missed = bench.check_planted(startup, inputs[PLANTED])
    large = bench.group(args.mb, args.reps, False, f"{args.mb:g} MB")
    small = bench.group(args.small_mb, args.reps, True, f"{args.small_mb:g} MB")
    for runs in (large, small):
        for key in missed.keys() & runs.keys():
            runs[key].setdefault("failed", missed[key])
    split = bench.split(args.mb, args.reps)
    steps = bench.steps(args.mb, max(2, args.reps - 1))
    facts["load-at-end"] = [round(value, 2) for value in os.getloadavg()]
    versions = {}
    for run in [*large.values(), *small.values()]:
        versions.update(run.get("counts", {}).get("versions", {}))

    words = ", ".join(f"{name} {number}" for name, number in sorted(versions.items()))
    text = [
        f"{facts['date']}; {facts['model']}, {facts['cores']} cores"
        + (f", all on CPU {facts['pinned-to-cpu']}" if facts["pinned-to-cpu"] is not None else "")
        + f"; load {facts['load-at-start'][0]} at the start, {facts['load-at-end'][0]} at the end; {version}; Python {facts['python']}; {words or 'no peers'}. "
        f"Tokenizer: {tokenizer['from']}, {tokenizer['vocabulary']:,} entries. {args.reps} repetitions, tools in turns; no figure of memory can be below {own_mib} MiB.\n",
        f"## {args.mb:g} MB of each bucket\n",
        tables.throughput(large, inputs[args.mb], startup),
        f"## {args.small_mb:g} MB of each bucket, with the slow peers\n",
        tables.throughput(small, inputs[args.small_mb], startup),
        "## Stages of the peers (CPU s by their own clock, cheapest repetition)\n",
        tables.peer_stages(large, inputs[args.mb]) or "skipped: no peers (VENV)\n",
        tables.peer_stages(small, inputs[args.small_mb]),
        f"## Stages of malmoi ({args.mb:g} MB)\n",
        tables.own_stages(split, inputs[args.mb]),
        f"## Steps of malmoi's clean ({args.mb:g} MB), each alone and less reading and writing\n",
        tables.clean_steps(steps, inputs[args.mb]),
        "## Inputs\n",
        tables.table(
            ["bucket", "from", "documents", "bytes of text", "sha256 of the lines"],
            [[bucket, ", ".join(fact["from"]), fact["documents"], f"{fact['text-bytes']:,}", f"`{fact['sha256'][:16]}`"] for size in (args.mb, args.small_mb) for bucket, fact in inputs[size].items()],
        ),
    ]
    report = "\n".join(part for part in text if part)
    print(report)
    with open(os.path.join(args.out, "results.md"), "w", encoding="utf-8") as out:
        out.write(report)
    stages = [{"bucket": bucket, "recipe": name, "stages": costs} for (bucket, name), costs in split.items()]
    clean = [{"bucket": bucket, "step": name, "costs": costs} for (bucket, name), costs in steps.items()]
    groups = {"start-up": flat(startup), f"{args.mb:g} MB": flat(large), f"{args.small_mb:g} MB": flat(small)}
    with open(os.path.join(args.out, "results.json"), "w", encoding="utf-8") as out:
        json.dump({"version": 1, "machine": facts, "malmoi": version, "tokenizer": tokenizer, "inputs": {str(size): fact for size, fact in inputs.items()}, "groups": groups, "stages": stages, "clean-steps": clean}, out, ensure_ascii=False, indent=1)
        out.write("\n")
    say(f"written: {os.path.join(args.out, 'results.md')} and results.json beside it")
    return 1 if bench.failed else 0


if __name__ == "__main__":
    sys.exit(main())
