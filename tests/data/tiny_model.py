"""Makes tiny.model and tiny.json: a SentencePiece BPE model of 900 pieces trained on this project's
Korean documents and README, and the ids that the library itself gives for a few texts.

Made with sentencepiece 0.2.1 from PyPI: python3 tests/data/tiny_model.py
"""

import glob
import io
import json
import pathlib

import sentencepiece

here = pathlib.Path(__file__).parent
root = here.parent.parent
files = [*sorted(glob.glob(str(root / "docs/ko/*.md"))), str(root / "README.md")]
lines = [line for file in files for line in pathlib.Path(file).read_text("utf-8").splitlines() if line.strip()]
model = io.BytesIO()
sentencepiece.SentencePieceTrainer.train(
    sentence_iterator=iter(lines),
    model_writer=model,
    model_type="bpe",
    vocab_size=900,
    character_coverage=0.98,
    byte_fallback=True,
    num_threads=1,
    normalization_rule_name="identity",
    remove_extra_whitespaces=False,
)
(here / "tiny.model").write_bytes(model.getvalue())
processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
texts = ["말모이는 낱말을 모은다.", "One recipe, the same bytes.", "fn main() {\n    let  x = 1;\n}", "뷁 쀍 🦀 é", "  두  칸 ", "<s>와 </s>는 글자다"]
ids = [{"text": text, "ids": processor.encode(text)} for text in texts]
(here / "tiny.json").write_text(json.dumps(ids, ensure_ascii=False, indent=1) + "\n", "utf-8")
