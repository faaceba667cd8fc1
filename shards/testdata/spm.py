#!/usr/bin/env python3
"""Models that SentencePiece 0.2.3 trains, as pieces with the ids they give. usage: spm.py OUT.json

Of `code` and `seed` the options are those that are given besides malmoi's default and preset."""

import json
import os
import pathlib
import random
import sys
import tempfile

import sentencepiece

LINES = [
    "나는 오늘 아침에 학교에 갔다. 학교에서 선생님을 만났고, 선생님이 나에게 책을 주셨다.",
    "책에는 오래된 이야기가 있었다. 이야기 속의 할머니는 강가에서 종이배를 띄웠다.",
    "The teacher gave me the book, and the book was old; it wasn't the other teacher's.",
    "I'll read it, I've read it, 12345 times in 2024 and 1999.",
    "ＡＢＣ ａｂｃ １２３ ㈜한글 ½ ﬁne Ⅷ  두   칸",
    "def read(book): return [line.strip() for line in book] # 주석 comment",
    "漢字とかなカナー 東京 toukyou ーー",
    "aaaa aaaaa aaa aa bababab babab ㅋㅋㅋㅋㅋ ㅋㅋㅋ ㅎㅎㅎㅎ !!!! ...... ----",
    "<tool>호출</tool> 그리고 <tool> 다시 cafe\u0301 café Straße İstanbul ΣΑΣ",
]


def corpus():
    dice = random.Random(7)
    words = " ".join(LINES).split()
    lines = list(LINES)
    for _ in range(400):
        lines.append(" ".join(dice.choice(words) for _ in range(dice.randrange(3, 14))))
    return "\n".join(lines) + "\n"


# As code is: indented, in both cases, with tabs.
CODE = """def read(self, path):
    with open(path) as file:
        for line in file:
            if line.strip():
                self.Lines.append(line)
	int Main(void) {
		return 0;  // 주석은  두 칸
	}
    한글과  English를   섞은    줄
"""


def code():
    dice = random.Random(11)
    lines = CODE.splitlines()
    return CODE + "\n".join(" " * dice.choice([0, 2, 4, 8]) + dice.choice(lines) for _ in range(120)) + "\n" + "\n".join(LINES) + "\n"


# Where malmoi's default is another one, what the library takes.
LIBRARY = {
    "normalization_rule_name": "nmt_nfkc", "remove_extra_whitespaces": True, "add_dummy_prefix": True, "byte_fallback": False,
    "allow_whitespace_only_pieces": False,
}
# malmoi's own.
KEEPS = {
    "normalization_rule_name": "identity", "remove_extra_whitespaces": False, "add_dummy_prefix": False, "byte_fallback": True,
    "allow_whitespace_only_pieces": True,
}
# The guide's.
SEED = {
    "model_type": "bpe", "character_coverage": 0.9995, "normalization_rule_name": "nmt_nfkc_cf", "remove_extra_whitespaces": True,
    "input_sentence_size": 10000000, "shuffle_input_sentence": True, "user_defined_symbols": ["<한국어>", "<영어>", "<코드>"], "unk_surface": " ⁇ ",
}

OPTIONS = [
    {"vocab_size": 220, "normalization_rule_name": "nmt_nfkc_cf", "user_defined_symbols": ["<tool>", "</tool>"], "unk_surface": " ?? "},
    {"vocab_size": 240, "normalization_rule_name": "nmt_nfkc", "character_coverage": 1.0, "split_digits": True},
    {"vocab_size": 470, "normalization_rule_name": "identity", "byte_fallback": True, "remove_extra_whitespaces": False, "character_coverage": 0.98},
    {"vocab_size": 190, "normalization_rule_name": "nmt_nfkc_cf", "add_dummy_prefix": False, "character_coverage": 0.985, "max_sentencepiece_length": 4},
]
UNIGRAM = [
    {"vocab_size": 190, "normalization_rule_name": "nmt_nfkc_cf", "user_defined_symbols": ["<tool>", "</tool>"]},
    {"vocab_size": 200, "normalization_rule_name": "nmt_nfkc", "character_coverage": 1.0, "split_digits": True, "num_sub_iterations": 1},
    {"vocab_size": 430, "normalization_rule_name": "identity", "byte_fallback": True, "remove_extra_whitespaces": False, "character_coverage": 0.98},
    {"vocab_size": 170, "normalization_rule_name": "nmt_nfkc_cf", "add_dummy_prefix": False, "character_coverage": 0.985, "max_sentencepiece_length": 4, "shrinking_factor": 0.9},
]
TEXTS = CODE.splitlines() + [CODE, "\r\n\ttab\n\n   ", "  x  y  "] + LINES + ["", " ", "새로운 문장 ZZZ 😀 ▅ \t x", "<tool><tool>a</tool>", "ㅋㅋ 뷁 🙂"]


def main():
    models = []
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "corpus.txt")
        cases = [({**LIBRARY, **options}, {}, "") for options in OPTIONS]
        cases += [({**LIBRARY, "model_type": "unigram", **options}, {}, "") for options in UNIGRAM]
        cases += [({"vocab_size": 460, "model_type": kind}, KEEPS, "code") for kind in ["bpe", "unigram"]]
        cases += [({"vocab_size": 240}, SEED, "seed")]
        texts = {"": corpus(), "seed": corpus(), "code": code()}
        for given, default, name in cases:
            pathlib.Path(path).write_text(texts[name])
            options = {**default, **given}
            prefix = os.path.join(folder, "m")
            sentencepiece.SentencePieceTrainer.train(
                input=path, model_prefix=prefix, minloglevel=2, **{"model_type": "bpe", "character_coverage": 0.9995, **options}
            )
            model = sentencepiece.SentencePieceProcessor(model_file=prefix + ".model")
            encoded = [{"text": t, "ids": model.encode(t), "decoded": model.decode(model.encode(t))} for t in TEXTS]
            pieces = [model.id_to_piece(id) for id in range(len(model))]
            scores = [model.get_score(id) for id in range(len(model))]
            models.append({"name": name, "options": given, "pieces": pieces, "scores": scores, "encoded": encoded})
    pathlib.Path(sys.argv[1]).write_text(json.dumps({"corpus": texts[""], "code": texts["code"], "models": models}) + "\n")


main()
