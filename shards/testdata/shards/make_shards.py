"""Writes shards of formats 1.0 to 1.2, 2.0 and 2.1 by FORMAT.md alone, with nothing of the Rust writer.

    pip install blake3==1.0.11 zstandard==0.25.0  # which has zstd 1.5.7
    python make_shards.py
"""

import struct
from pathlib import Path

import zstandard
from blake3 import blake3

HERE = Path(__file__).parent


def u64(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}Q", *values)


def strings(texts: list[str]) -> bytes:
    encoded = [text.encode() for text in texts]
    ends = [sum(map(len, encoded[: n + 1])) for n in range(len(encoded))]
    return u64(0, *ends) + b"".join(encoded)


def shard(name: str, bucket: str, vocab: int, eos: int, documents: list[dict], loss: bool, packed: bool = False) -> None:
    width = 2 if vocab <= 65536 else 4
    tokens = [id for document in documents for id in [*document["tokens"], eos]]
    ends = [0]
    for document in documents:
        ends.append(ends[-1] + len(document["tokens"]) + 1)
    sources = list(dict.fromkeys(document["source"] for document in documents))
    meta = b"".join(
        struct.pack("<IIQ", sources.index(d["source"]), 0, d["bytes"]) + blake3(d["id"].encode()).digest()[:16] for d in documents
    )
    body = struct.pack(f"<{len(tokens)}{'H' if width == 2 else 'I'}", *tokens)
    size = 2**16 if packed else 2**20
    blocks = [body[at : at + size] for at in range(0, len(body), size)]
    if packed:
        blocks = [zstandard.ZstdCompressor(level=3).compress(block) for block in blocks]
        body = b"".join(blocks)
    hashes = b"".join(blake3(block).digest() for block in blocks)
    sections = [
        (1, len(tokens), body, blake3(hashes).digest()),
        (2, len(ends), u64(*ends), None),
        (3, len(documents), meta, None),
        (4, len(documents), strings([d["id"] for d in documents]), None),
        (5, len(sources), strings(sources), None),
        (6, len(hashes) // 32, hashes, None),
    ]
    if packed:
        ends = [sum(map(len, blocks[:n])) for n in range(len(blocks) + 1)]
        sections.append((9, len(ends), u64(*ends), None))
    if loss:
        spans = [span for document in documents for span in document["spans"]]
        counts = [sum(len(d["spans"]) for d in documents[:n]) for n in range(len(documents) + 1)]
        sections.append((7, len(spans), u64(*counts) + b"".join(struct.pack("<II", *span) for span in spans), None))
    judged = [document["judged"] for document in documents if "judged" in document]
    if judged:
        sections.append((8, len(judged), b"".join(struct.pack("<IIfI", *record, 0) for record in judged), None))
    texts = [document["text"] for document in documents if "text" in document]
    if texts:
        sections.append((10, len(texts), b"".join(blake3(text.encode()).digest()[:16] for text in texts), None))
    out = bytearray(4096)
    table = b""
    for kind, items, content, given in sections:
        out += bytes(-len(out) % 64)
        table += struct.pack("<IIQQQ", kind, 0, len(out), len(content), items) + (given or blake3(content).digest())
        out += content
    text = sum(document["bytes"] for document in documents)
    out[0:16] = b"MALMTOK\x01" + struct.pack("<II", *((2, 1 if texts else 0) if packed else (1, 2 if texts else 1 if judged else 0)))
    out[48:96] = struct.pack("<IIQQQQII", width, len(sections), len(tokens), len(documents), text, len(out), vocab, eos)
    out[96:132] = bytes([7] * 32) + struct.pack("<I", len(bucket.encode()))
    out[132 : 132 + len(bucket.encode())] = bucket.encode()
    out[256 : 256 + len(table)] = table
    out[16:48] = blake3(bytes(out[:4096])).digest()
    (HERE / name).write_bytes(out)


shard("v1.0.shard", "한국어", 257, 256, [
    {"id": "ko-1", "source": "web", "bytes": 6, "tokens": list("안녕".encode())},
    {"id": "ko-2", "source": "law", "bytes": 0, "tokens": []},
    {"id": "문서 3", "source": "web", "bytes": 3, "tokens": [97, 98, 99]},
], False)
shard("v1.0-loss.shard", "chat", 151669, 151645, [
    {"id": "talk-1", "source": "talk", "bytes": 20, "tokens": [151644, 872, 198, 9, 151645, 198, 151644, 77091, 198, 10, 11], "spans": [(9, 12)]},
    {"id": "talk-2", "source": "talk", "bytes": 9, "tokens": [1, 2, 3, 4, 5, 6], "spans": [(1, 2), (4, 6)]},
    {"id": "talk-3", "source": "talk", "bytes": 4, "tokens": [8], "spans": []},
], True)
# Split, judgement, margin.
shard("v1.1-judged.shard", "preference", 300, 299, [
    {"id": "p-1", "source": "hh", "bytes": 20, "tokens": [1, 2, 3, 299, 1, 2, 4, 5], "spans": [(2, 4), (6, 9)], "judged": (4, 0, 1.5)},
    {"id": "p-2", "source": "hh", "bytes": 7, "tokens": [9, 8], "spans": [(1, 3)], "judged": (0, 1, 0.0)},
    {"id": "p-3", "source": "kto", "bytes": 5, "tokens": [9, 7, 6], "spans": [(2, 3)], "judged": (0, 2, 0.0)},
], True)
shard("v2.0.shard", "한국어", 300, 299, [
    {"id": "ko-1", "source": "web", "bytes": 6, "tokens": [5, 6, 7]},
    {"id": "long", "source": "law", "bytes": 80_000, "tokens": [at * at % 251 for at in range(40_000)]},
    {"id": "ko-3", "source": "web", "bytes": 0, "tokens": []},
], False, True)
shard("v2.0-judged.shard", "한국어", 300, 299, [
    {"id": "p-1", "source": "hh", "bytes": 20, "tokens": [1, 2, 3, 299, 1, 2, 4, 5], "spans": [(2, 4), (6, 9)], "judged": (4, 0, 1.5)},
], True, True)
# The text that a document was made of.
shard("v1.2.shard", "한국어", 257, 256, [
    {"id": "ko-1", "source": "web", "bytes": 6, "tokens": list("안녕".encode()), "text": "안녕"},
    {"id": "ko-2", "source": "law", "bytes": 0, "tokens": [], "text": ""},
], False)
TALK = [("user", "가"), ("assistant", "나"), ("assistant", "다")]
PAIR = "가\n\n나\n\n다\0" + "[[" + ",".join(f'{{"role":"{role}","text":"{text}"}}' for role, text in TALK) + '],{"pair":1.5}]'
shard("v2.1-judged.shard", "한국어", 300, 299, [
    {"id": "p-1", "source": "hh", "bytes": 13, "tokens": [1, 2, 3, 299, 1, 2, 4, 5], "spans": [(2, 4), (6, 9)], "judged": (4, 0, 1.5), "text": PAIR},
], True, True)
