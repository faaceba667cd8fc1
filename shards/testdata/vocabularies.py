#!/usr/bin/env python3
"""Small vocabularies in the formats that malmoi reads, and the ids that their own programs give.

    vocabularies.py OUT [CL100K]

CL100K is cl100k_base.tiktoken. Made with tiktoken 0.14.0, mistral-common 1.13.1, tokenizers 0.23.2,
sentencepiece 0.2.3, gguf 0.19.0.
"""

import base64
import json
import pathlib
import random
import sys

import gguf
import numpy as np
import sentencepiece
import tiktoken
import tokenizers
from mistral_common.tokens.tokenizers.tekken import Tekkenizer
from tokenizers import Regex, decoders, models, pre_tokenizers, trainers

PATTERNS = {
    "gpt2": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
    "qwen2": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "llama3": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "o200k": "|".join(
        [
            r"""[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?""",
            r"""[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?""",
            r"""\p{N}{1,3}""",
            r""" ?[^\s\p{L}\p{N}]+[\r\n/]*""",
            r"""\s*[\r\n]+""",
            r"""\s+(?!\S)""",
            r"""\s+""",
        ]
    ),
    "tekken": r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+",
}
CORPUS = (
    "나는 오늘 아침에 학교에 갔다. 학교에서 선생님을 만났고, 선생님이 나에게 책을 주셨다. 책에는 오래된 이야기가 있었다. "
    "The teacher gave me the book, and the book was old; it wasn't the other teacher's. I'll read it, I've read it, 12345 times. "
    "def read(book):\n    return [line.strip() for line in book]\n\n\tif x == 10:\n        print(x)\n"
) * 8
TEXTS = [
    "",
    " ",
    "a",
    "나는 오늘 아침에 학교에 갔다.",
    "선생님이  책을\n\n주셨다. 뷁 똠방각하 ㅋㅋㅋ",
    "The teacher's book wasn't OLD, I'LL say: iPhone15Pro costs $1,234,567.89!!",
    "def read(book):\r\n    return [line.strip() for line in book]\n\n\n\t\tif x == 10:  \n",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "emoji 😀👩‍👩‍👧 한글\u0301 café cafe\u0301 \u00a0\u3000x\u2028y",
    "https://example.org/a/b?c=d&e=f//  //\n/",
    "١٢٣ ५ ½ Ⅷ ǅ ʰ ªº",
]


def mutations():
    dice = random.Random(1)
    pieces = list(CORPUS[:400]) + ["선생", "학교", "ing", "  ", "\n", "'s", "'", "123", "The", "the"]
    return ["".join(dice.choice(pieces) for _ in range(dice.randrange(1, 60))) for _ in range(60)]


def ranks(size):
    """Ranks of a BPE over the corpus, learnt as tiktoken joins: pairs of tokens by count."""
    import regex

    words = [[bytes([b]) for b in word.encode()] for word in regex.findall(PATTERNS["llama3"], CORPUS)]
    found = {bytes([b]): b for b in range(256)}
    while len(found) < size:
        counts = {}
        for word in words:
            for pair in zip(word, word[1:]):
                counts[pair] = counts.get(pair, 0) + 1
        pair = max(counts, key=lambda pair: (counts[pair], pair))
        found[pair[0] + pair[1]] = len(found)
        for word in words:
            at = 0
            while at + 1 < len(word):
                if (word[at], word[at + 1]) == pair:
                    word[at : at + 2] = [pair[0] + pair[1]]
                at += 1
    return found


def main():
    out = pathlib.Path(sys.argv[1])
    texts = TEXTS + mutations()
    cases = {"texts": texts}
    small = ranks(420)
    # Tokens that no merges lead to: whole words only.
    small[" 똠방각하".encode()] = len(small)
    small[b"1234567"] = len(small)
    lines = [base64.b64encode(token) + b" %d\n" % rank for token, rank in small.items()]
    (out / "small.tiktoken").write_bytes(b"".join(lines))
    for name, pattern in PATTERNS.items():
        encoding = tiktoken.Encoding(name, pat_str=pattern, mergeable_ranks=small, special_tokens={"<|endoftext|>": len(small) + 3})
        cases[f"tiktoken-{name}"] = [encoding.encode_ordinary(text) for text in texts]
    # The whole words are left out of the half that is used.
    tekken = {
        "config": {
            "pattern": PATTERNS["tekken"],
            "num_vocab_tokens": len(small),
            "default_vocab_size": 30 + 400,
            "default_num_special_tokens": 30,
            "version": "v3",
        },
        "vocab": [{"rank": rank, "token_bytes": base64.b64encode(token).decode(), "token_str": None} for token, rank in small.items()],
    }
    (out / "tekken.json").write_text(json.dumps(tekken))
    mistral = Tekkenizer.from_file(out / "tekken.json")
    cases["tekken"] = [mistral.encode(text, bos=False, eos=False) for text in texts]
    cases["tekken-special"] = [mistral.id_to_piece(id) for id in range(30)]

    trained = tokenizers.Tokenizer(models.BPE())
    split = pre_tokenizers.Split(Regex(PATTERNS["qwen2"]), behavior="isolated", invert=False)
    trained.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    trained.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=500, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
    trained.train_from_iterator([CORPUS], trainer)
    trained.normalizer = tokenizers.normalizers.NFC()
    trained.add_special_tokens(["<|endoftext|>", "<|im_end|>"])
    trained.add_tokens([tokenizers.AddedToken("<think>", special=False, normalized=False)])
    trained.encode_special_tokens = True
    texts_added = texts + ["a<think>b <|im_end|> c"]
    cases["gguf-gpt2"] = [trained.encode(text, add_special_tokens=False).ids for text in texts_added]
    cases["gguf-end"] = trained.token_to_id("<|endoftext|>")
    cases["gguf-texts"] = texts_added[len(texts) :]
    model = json.loads(trained.to_str())["model"]
    writer = gguf.GGUFWriter(out / "gpt2.gguf", "qwen2")
    by_id = {id: token for token, id in trained.get_vocab(with_added_tokens=True).items()}
    end, mark, think = (trained.token_to_id(token) for token in ("<|endoftext|>", "<|im_end|>", "<think>"))
    kinds = {end: gguf.TokenType.CONTROL, mark: gguf.TokenType.CONTROL, think: gguf.TokenType.USER_DEFINED}
    normal, unused = gguf.TokenType.NORMAL, gguf.TokenType.UNUSED
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list([by_id.get(id, f"[PAD{id}]") for id in range(512)])
    writer.add_token_types([kinds.get(id, normal if id < end else unused) for id in range(512)])
    writer.add_token_merges([" ".join(merge) for merge in model["merges"]])
    writer.add_eos_token_id(end)
    writer.add_tensor("token_embd.weight", np.zeros((1, 32), dtype=np.float32))
    close(writer)

    (out / "corpus.txt").write_text(CORPUS.replace("\n", " "))
    sentencepiece.SentencePieceTrainer.train(
        input=str(out / "corpus.txt"), model_prefix=str(out / "spm"), model_type="bpe", vocab_size=460, byte_fallback=True,
        normalization_rule_name="identity", remove_extra_whitespaces=False, hard_vocab_limit=False, max_sentence_length=100000,
        user_defined_symbols=["<tool>"],
    )  # fmt: skip
    spm = sentencepiece.SentencePieceProcessor(model_file=str(out / "spm.model"))
    cases["gguf-llama"] = [spm.encode(text) for text in texts]
    writer = gguf.GGUFWriter(out / "llama.gguf", "llama")
    writer.add_tokenizer_model("llama")
    writer.add_token_list([spm.id_to_piece(id) for id in range(len(spm))])
    writer.add_token_scores([spm.get_score(id) for id in range(len(spm))])

    def kind(id):
        checks = [(spm.is_unknown, "UNKNOWN"), (spm.is_control, "CONTROL"), (spm.is_byte, "BYTE"), (spm.is_unused, "UNUSED")]
        named = next((name for check, name in checks if check(id)), "USER_DEFINED" if spm.id_to_piece(id) == "<tool>" else "NORMAL")
        return gguf.TokenType[named]

    writer.add_token_types([kind(id) for id in range(len(spm))])
    writer.add_unk_token_id(spm.unk_id())
    writer.add_bos_token_id(spm.bos_id())
    writer.add_eos_token_id(spm.eos_id())
    close(writer)
    for name in ("corpus.txt", "spm.vocab", "spm.model"):
        (out / name).unlink()

    if len(sys.argv) > 2:
        from tiktoken.load import load_tiktoken_bpe

        encoding = tiktoken.Encoding("cl100k", pat_str=PATTERNS["llama3"], mergeable_ranks=load_tiktoken_bpe(sys.argv[2]), special_tokens={})
        cases["cl100k"] = [encoding.encode_ordinary(text) for text in texts]
    (out / "cases.json").write_text(json.dumps(cases, ensure_ascii=True) + "\n")


def close(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


main()
