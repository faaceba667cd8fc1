"""Rewrites a tokenizer.json for old versions of the tokenizers library, which want a merge as one string.

usage: old_tokenizer.py IN OUT; prints the size of the vocabulary. A process of its own, because a
child of `compare.py` cannot be seen to use less memory than `compare.py` once did.
"""

import json
import sys


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        tokenizer = json.load(file)
    model = tokenizer["model"]
    model["merges"] = [merge if isinstance(merge, str) else " ".join(merge) for merge in model.get("merges", [])]
    with open(sys.argv[2], "w", encoding="utf-8") as out:
        json.dump(tokenizer, out, ensure_ascii=False)
    print(len(model["vocab"]))


if __name__ == "__main__":
    main()
