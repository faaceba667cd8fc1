#!/usr/bin/env python3
"""Makes signs.jsonl.zst: words of the texts of presets.jsonl.zst as `unicode-signs` splits them, and what datatrove decides with them.

Needs datatrove 0.10.1 (pip install 'datatrove[processing]') and uniseg 0.10.1:

    zstd -dc presets.jsonl.zst | python signs.py > signs.jsonl && zstd -19 --rm signs.jsonl

A word is a segment of Unicode's text segmentation that is not white space. `words` is the SHA-1 of all words of a text,
a NUL behind each. Rows are those of presets.jsonl.zst.
"""
import hashlib, json, sys

import datatrove.utils.word_tokenizers as tokenizers
from datatrove.data import Document
from uniseg.wordbreak import words as segments


class Signs(tokenizers.WordTokenizer):
    def word_tokenize(self, text):
        return [word for word in segments(text) if word.strip()]

    def sent_tokenize(self, text):
        return [text]

    def span_tokenize(self, text):
        return [(0, len(text))]


signs = Signs()
tokenizers.load_word_tokenizer = lambda *_, **__: signs
from datatrove.pipeline.filters import FineWebQualityFilter, GopherQualityFilter, GopherRepetitionFilter

FILTERS = {
    "gopher-repetition gopher@datatrove unicode-signs": GopherRepetitionFilter(),
    "gopher-quality gopher@datatrove unicode-signs": GopherQualityFilter(),
    "fineweb-quality fineweb@datatrove unicode-signs": FineWebQualityFilter(),
}


def decide(filter, text):
    try:
        answer = filter.filter(Document(text=text, id="0"))
    except ZeroDivisionError:
        return "error"
    return "ok" if answer is True else answer[1]


for line in sys.stdin:
    text = json.loads(line)["text"]
    row = {"words": hashlib.sha1("".join(word + "\0" for word in signs.word_tokenize(text)).encode()).hexdigest()}
    print(json.dumps(row | {name: decide(filter, text) for name, filter in FILTERS.items()}))
