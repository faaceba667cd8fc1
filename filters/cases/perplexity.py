"""Perplexities of a small model by a second, naive implementation: dictionaries, and the formulas as they stand on paper.

    python filters/cases/perplexity.py > filters/cases/perplexity.json

Python 3.11, no package. Interpolated modified Kneser-Ney over characters (Chen and Goodman 1999, section 3), order 3,
nothing left out.
"""

import collections
import json
import math

ORDER = 3
TEXTS = [
    "나는 학교에 간다. 너는 학교에 온다.",
    "학교는 산 아래에 있다. 산은 높다.",
    "우리는 산에 간다. 학교에서 산이 보인다.",
    "너는 산에 온다. 나는 너를 본다.",
    "바다는 넓다. 산은 높고 바다는 깊다. 2026년 12월.",
]
ASKED = ["나는 산에 간다.", "학교에 온다", "바다 3", "xyz 학교", "다다다다", " \n산은   높다.\n"]


def normal(text):
    return "".join("0" if c in "0123456789" else c for c in " ".join(text.split()))


def grams(text, order):
    padded = " " * (order - 1) + normal(text)
    return [padded[i - order + 1 : i + 1] for i in range(order - 1, len(padded))]


counts = {ORDER: collections.Counter(g for text in TEXTS for g in grams(text, ORDER))}
for order in range(ORDER - 1, 0, -1):
    counts[order] = collections.Counter(g[1:] for g in counts[order + 1])
alphabet = {c for text in TEXTS for c in normal(text)} | {" ", "unknown"}


def discounts(order):
    n = [sum(1 for v in counts[order].values() if v == k) for k in range(5)]
    try:
        y = n[1] / (n[1] + 2 * n[2])
        d = [1 - 2 * y * n[2] / n[1], 2 - 3 * y * n[3] / n[2], 3 - 4 * y * n[4] / n[3]]
    except ZeroDivisionError:
        return [0.5, 1.0, 1.5]
    return d if all(0 <= v <= k + 1 for k, v in enumerate(d)) else [0.5, 1.0, 1.5]


D = {order: discounts(order) for order in counts}


def p(context, symbol):
    """Probability of a symbol after a context of at most ORDER - 1 characters."""
    order = len(context) + 1
    after = {g[-1]: v for g, v in counts[order].items() if g[:-1] == context}
    below = p(context[1:], symbol) if context else 1 / len(alphabet)
    if not after:
        return below
    take = lambda v: D[order][min(v, 3) - 1] if v else 0
    own = after.get(symbol, 0)
    return (own - take(own) + sum(take(v) for v in after.values()) * below) / sum(after.values())


def bits(text):
    total, padded = 0.0, " " * (ORDER - 1) + normal(text)
    padded = [c if c in alphabet else "unknown" for c in padded]
    for i in range(ORDER - 1, len(padded)):
        context = padded[i - ORDER + 1 : i]
        # What has an unknown character in it was never met.
        while "unknown" in context:
            context = context[1:]
        total -= math.log2(p("".join(context), padded[i]))
        total += 17 if padded[i] == "unknown" else 0
    return total, len(padded) - ORDER + 1


print(json.dumps({"texts": TEXTS, "discounts": D, "asked": [[text, *bits(text)] for text in ASKED]}, ensure_ascii=False, indent=1))
