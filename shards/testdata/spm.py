#!/usr/bin/env python3
"""Models that SentencePiece 0.2.3 trains, as pieces with the ids they give. usage: spm.py OUT.json"""

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
TEXTS = LINES + ["", " ", "새로운 문장 ZZZ 😀 ▅ \t x", "<tool><tool>a</tool>", "ㅋㅋ 뷁 🙂"]


def main():
    text = corpus()
    models = []
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "corpus.txt")
        pathlib.Path(path).write_text(text)
        for options in OPTIONS + [{"model_type": "unigram", **options} for options in UNIGRAM]:
            prefix = os.path.join(folder, "m")
            sentencepiece.SentencePieceTrainer.train(
                input=path, model_prefix=prefix, minloglevel=2, **{"model_type": "bpe", "character_coverage": 0.9995, **options}
            )
            model = sentencepiece.SentencePieceProcessor(model_file=prefix + ".model")
            encoded = [{"text": t, "ids": model.encode(t), "decoded": model.decode(model.encode(t))} for t in TEXTS]
            pieces = [model.id_to_piece(id) for id in range(len(model))]
            scores = [model.get_score(id) for id in range(len(model))]
            models.append({"options": options, "pieces": pieces, "scores": scores, "encoded": encoded})
    pathlib.Path(sys.argv[1]).write_text(json.dumps({"corpus": text, "models": models}) + "\n")


main()
