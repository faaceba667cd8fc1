"""Hugging Face tokenizers as people use it: batches of texts in, ids with an end token into one file. usage: hf.py IN.jsonl.zst OUT TOKENIZER EOS"""

import io
import json
import os
import sys

import numpy as np
import zstandard
from tokenizers import Tokenizer

source, out, tokenizer, eos = sys.argv[1:]
tokenizer = Tokenizer.from_file(tokenizer)
# Text that spells a special token stays text, as in a corpus it must.
tokenizer.encode_special_tokens = True
end = tokenizer.token_to_id(eos)
os.makedirs(out)


def batches():
    with open(source, "rb") as file:
        batch = []
        for line in io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(file), encoding="utf-8"):
            batch.append(json.loads(line)["text"])
            if len(batch) == 1000:
                yield batch
                batch = []
        if batch:
            yield batch


with open(os.path.join(out, "ids.bin"), "wb") as ids:
    for batch in batches():
        for encoding in tokenizer.encode_batch_fast(batch, add_special_tokens=False):
            np.array([*encoding.ids, end], dtype=np.uint32).tofile(ids)
    ids.flush()
    os.fsync(ids.fileno())
