"""The measurements as Markdown."""

import statistics


def median(costs, key="cpu-s"):
    return statistics.median(cost[key] for cost in costs)


def rate(megabytes, seconds):
    return megabytes / seconds if seconds else float("inf")


def number(value):
    """Three significant digits, no exponent."""
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def table(head, rows):
    align = ["---" if at < 2 else "---:" for at in range(len(head))]
    lines = [head, align, *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines) + "\n"


def throughput(runs, inputs, startup):
    """One row for each bucket and tool of a group."""
    head = ["bucket", "tool", "MB per CPU-s", "CPU s: min", "median", "start-up", "peak MiB", "documents in → clean → unique", "tokens"]
    rows = []
    for (bucket, tool), run in runs.items():
        if "failed" in run:
            rows.append([bucket, tool, run["failed"], *[""] * 6])
            continue
        megabytes = inputs[bucket]["text-bytes"] / 1e6
        costs, counts = run["costs"], run["counts"]
        start = startup.get((bucket, tool), {}).get("costs")
        rows.append([
            bucket,
            tool,
            number(rate(megabytes, median(costs))),
            number(min(cost["cpu-s"] for cost in costs)),
            number(median(costs)),
            number(median(start)) if start else "",
            number(max(cost["peak-mib"] for cost in costs)),
            " → ".join(str(counts[key]) if key in counts else "?" for key in ("documents", "clean", "unique")),
            f"{counts['tokens']:,}",
        ])
    return table(head, rows)


def peer_stages(runs, inputs):
    """CPU seconds that each tool says its stages took, in its cheapest run."""
    head = ["bucket", "tool", "start", "clean", "dedup", "tokenize"]
    rows = []
    for (bucket, tool), run in runs.items():
        stages = run.get("counts", {}).get("stages")
        if stages:
            rows.append([bucket, tool, *(number(stages[key]) if key in stages else "" for key in head[2:])])
    return table(head, rows) if rows else ""


def own_stages(split, inputs):
    """malmoi's stages, each a process of its own."""
    head = ["bucket", "recipe", "stage", "CPU s (median)", "share", "MB per CPU-s", "peak MiB"]
    rows = []
    for (bucket, name), stages in split.items():
        total = sum(median(costs) for costs in stages.values())
        megabytes = inputs[bucket]["text-bytes"] / 1e6
        for stage, costs in stages.items():
            seconds = median(costs)
            peak = max(cost["peak-mib"] for cost in costs)
            rows.append([bucket, name, stage, number(seconds), f"{seconds / total:.0%}", number(rate(megabytes, seconds)), number(peak)])
    return table(head, rows)


def clean_steps(steps, inputs):
    """`clean` with one step at a time, less `clean` with none."""
    head = ["bucket", "step of clean", "CPU s (min)", "MB per CPU-s"]
    rows = []
    for (bucket, step), costs in steps.items():
        seconds = min(cost["cpu-s"] for cost in costs)
        base = steps.get((bucket, "read and write alone"), costs)
        if base is not costs:
            seconds = max(0, seconds - min(cost["cpu-s"] for cost in base))
        megabytes = inputs[bucket]["text-bytes"] / 1e6
        shown = number(rate(megabytes, seconds)) if seconds >= 0.01 else ""
        rows.append([bucket, step, f"{seconds:.2f}", shown])
    return table(head, rows)
