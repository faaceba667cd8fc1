#!/usr/bin/env python3
"""Token files made by the programs whose layouts malmoi reads and writes, and a check of what malmoi wrote.

    layouts.py make MEGATRON LLMC OLMO OUT    writes the fixtures
    layouts.py check MEGATRON LLMC OLMO DIR   opens NAME.{bin,idx,ds,npy} and llm.bin in DIR, prints documents

MEGATRON, LLMC and OLMO are checkouts of Megatron-LM (core_v0.15 or later), llm.c and OLMo-core. Needs
numpy, humanize and datatrove 0.10. The classes are the projects' own; torch and what they import besides
is replaced by empty modules, because reading and writing token files needs none of it.
"""

import enum
import importlib.util
import pathlib
import struct
import sys
import types

import numpy as np

END = 0
DOCS = [[1, 2, 3, END], [70000, END], [END], [4, 5, END]]
MASK = [[0, 1, 1, 1], [0, 0], [1], [1, 0, 1]]


class Anything(types.ModuleType):
    """A module with every name in it."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {"__class_getitem__": classmethod(lambda cls, key: cls)})


def load(name, path, empty):
    for module in empty:
        if module not in sys.modules:
            sys.modules[module] = Anything(module)
            sys.modules[module].__path__ = []
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def megatron(root):
    class Tensor:
        pass

    torch = types.ModuleType("torch")
    torch.Tensor = Tensor
    torch.utils = types.SimpleNamespace(data=types.SimpleNamespace(Dataset=object))
    sys.modules["torch"] = torch
    names = ["megatron", "megatron.core", "megatron.core.datasets", "megatron.core.datasets.object_storage_utils", "megatron.core.utils"]
    for name in names:
        sys.modules[name] = Anything(name)
        sys.modules[name].__path__ = []
    storage = sys.modules["megatron.core.datasets.object_storage_utils"]
    storage.is_object_storage_path = lambda path: False
    sys.modules["megatron.core.utils"].log_single_rank = lambda *a, **k: None
    msc = types.ModuleType("megatron.core.msc_utils")
    msc.maybe_msc = types.SimpleNamespace(open=open, os=__import__("os"), numpy=np)
    msc.MultiStorageClientFeature = types.SimpleNamespace(is_enabled=lambda: False)
    sys.modules["megatron.core.msc_utils"] = msc
    return load("indexed_dataset", pathlib.Path(root) / "megatron/core/datasets/indexed_dataset.py", [])


class Ids:
    """As much of a tensor as `add_item` needs."""

    def __init__(self, ids):
        self.ids = np.array(ids)

    def numpy(self):
        return self.ids

    def numel(self):
        return self.ids.size


def llm_c(root):
    return load("data_common", pathlib.Path(root) / "dev/data/data_common.py", ["requests", "tqdm"])


def olmo(root):
    names = ["torch", "torch.nn", "torch.nn.functional", "olmo_core", "olmo_core.aliases", "olmo_core.io", "olmo_core.utils"]
    package = Anything("olmo_core.data")
    package.__path__ = []
    sys.modules["olmo_core.data"] = package
    for name in names:
        module = sys.modules[name] = Anything(name)
        module.__path__ = []
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, module)
    sys.modules["olmo_core.io"].is_url = lambda path: False
    sys.modules["olmo_core.io"].resource_path = lambda folder, name, **k: pathlib.Path(folder) / name
    sys.modules["olmo_core.io"].get_file_size = lambda path: pathlib.Path(path).stat().st_size
    sys.modules["olmo_core.config"] = types.SimpleNamespace(StrEnum=enum.StrEnum)
    source = pathlib.Path(root) / "src/olmo_core/data"
    load("olmo_core.data.types", source / "types.py", [])
    return load("olmo_core.data.utils", source / "utils.py", [])


def make(megatron_root, llmc_root, olmo_root, out):
    out = pathlib.Path(out)
    from datatrove.pipeline.tokens.tokenizer import TokenizedFile

    flat = [token for document in DOCS for token in document]
    for width in (2, 4):
        docs = DOCS if width == 4 else [[min(token, 65535) for token in document] for document in DOCS]
        file = TokenizedFile(
            str(out), f"w{width}.ds", save_loss_metadata=True, save_final_metadata=True, tokenizer_name_or_path="some/tokenizer", token_size=width
        )
        for document, mask in zip(docs, MASK):
            file.write(document, np.array(mask, dtype=bool))
        file.close()
    data = megatron(megatron_root)
    for width, vocab in ((2, 65499), (4, 80000)):
        dtype = data.DType.optimal_dtype(vocab)
        builder = data.IndexedDatasetBuilder(str(out / f"w{width}.bin"), dtype=dtype)
        for document in DOCS:
            builder.add_item(Ids([min(token, vocab - 1) for token in document]))
            builder.end_document()
        builder.finalize(str(out / f"w{width}.idx"))
    # Sentences: one document of two sequences, one of one, one of none, all without end tokens.
    builder = data.IndexedDatasetBuilder(str(out / "sentences.bin"), dtype=np.int32)
    for sequences in ([[1, 2], [3]], [[70000]], []):
        for sequence in sequences:
            builder.add_item(Ids(sequence))
        builder.end_document()
    builder.finalize(str(out / "sentences.idx"))
    common = llm_c(llmc_root)
    before = [token for document in DOCS for token in [END] + document[:-1]]
    common.write_datafile(str(out / "llm4.bin"), before, "llama-3")
    common.write_datafile(str(out / "llm2.bin"), [min(token, 65535) for token in before], "gpt-2")
    np.array(flat, dtype=np.uint32).tofile(out / "o4.npy")
    olmo(olmo_root).write_document_indices(out / "o4.npy", dtype=np.uint32, eos_token_id=END)


def check(megatron_root, llmc_root, olmo_root, folder):
    folder = pathlib.Path(folder)
    name = next(folder.glob("*.ds")).stem
    data = megatron(megatron_root)
    dataset = data.IndexedDataset(str(folder / name))
    print("megatron", [dataset.get(at).tolist() for at in range(len(dataset))], dataset.document_indices.tolist())
    utils = olmo(olmo_root)
    tokens = np.memmap(folder / f"{name}.npy", mode="r", dtype=np.uint32)
    table = list(utils.iter_document_indices(folder / f"{name}.npy", dtype=np.uint32, use_array_if_local=False))
    assert table == list(utils.iter_document_indices(folder / f"{name}.npy", dtype=np.uint32, eos_token_id=END))
    print("olmo", [tokens[start:end].tolist() for start, end in table])
    common = llm_c(llmc_root)
    raw = (folder / "llm.bin").read_bytes()
    header = struct.unpack_from("<3i", raw)
    kind = next(info for info in common.HEADERS_INFO.values() if info["magic"] == header[0])
    assert header[1] == kind["version"]
    tokens = np.frombuffer(raw, dtype=kind["token_dtype"], offset=1024)
    assert len(tokens) == header[2]
    common.write_datafile(str(folder / "again.bin"), tokens.tolist(), "llama-3")
    assert (folder / "again.bin").read_bytes() == raw
    print("llm.c", tokens.tolist())
    ends = np.fromfile(folder / f"{name}.ds.index", dtype=np.uint64)
    tokens = np.fromfile(folder / f"{name}.ds", dtype=np.uint32)
    loss = np.fromfile(folder / f"{name}.ds.loss", dtype=np.uint8) if (folder / f"{name}.ds.loss").exists() else None
    print("datatrove", [part.tolist() for part in np.split(tokens, ends[:-1].astype(int))], None if loss is None else loss.tolist())
    print((folder / f"{name}.ds.metadata").read_text())


if __name__ == "__main__":
    {"make": make, "check": check}[sys.argv[1]](*sys.argv[2:])
