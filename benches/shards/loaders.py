#!/usr/bin/env python3
"""Tokens per CPU-second of MosaicML streaming and litdata, in one process without workers.

    loaders.py prepare FOLDER FILE.npy...         write the tokens as FOLDER/mds and FOLDER/litdata
    loaders.py mds|litdata FOLDER [STEPS] [SEQ_LEN] [BATCH]

The files are what `malmoi shards export RUN OUT --to olmo` wrote: raw tokens of TOKEN_BYTES (2 or 4) each. A sample of
MDS is a window of SEQ_LEN + 1 tokens; litdata cuts its own from the tokens (`TokensLoader`). Both shuffle by their
defaults, and both give batches through PyTorch's DataLoader without workers, as inputs and targets in int64.
"""

import json
import os
import shutil
import sys
import time

import numpy as np

WIDTH = {"2": np.uint16, "4": np.uint32}[os.environ.get("TOKEN_BYTES", "4")]
LENGTH = 2048


def prepare(folder, files):
    import torch
    from litdata.streaming.item_loader import TokensLoader
    from litdata.streaming.writer import BinaryWriter
    from streaming import MDSWriter

    for name in ("mds", "litdata"):
        shutil.rmtree(os.path.join(folder, name), ignore_errors=True)
        os.makedirs(os.path.join(folder, name))
    arrays = [np.fromfile(file, dtype=WIDTH) for file in files]
    kind = f"ndarray:{np.dtype(WIDTH).name}"
    with MDSWriter(out=os.path.join(folder, "mds"), columns={"tokens": kind}, size_limit=1 << 26) as out:
        for array in arrays:
            for at in range(0, len(array) - LENGTH, LENGTH):
                out.write({"tokens": array[at : at + LENGTH + 1]})
    # litdata has no unsigned types of 16 or 32 bits in torch's list that it reads back, so int32.
    writer = BinaryWriter(os.path.join(folder, "litdata"), chunk_size=16 << 20, item_loader=TokensLoader(LENGTH + 1))
    number = 0
    for array in arrays:
        for at in range(0, len(array) - LENGTH, LENGTH):
            writer[number] = torch.from_numpy(array[at : at + LENGTH + 1].astype(np.int32))
            number += 1
    writer.done()
    writer.merge()


def dataset(name, folder, length, batch):
    if name == "mds":
        from streaming import StreamingDataset

        return StreamingDataset(local=os.path.join(folder, "mds"), shuffle=True, shuffle_seed=1, batch_size=batch)
    from litdata import StreamingDataset, TokensLoader

    return StreamingDataset(os.path.join(folder, "litdata"), item_loader=TokensLoader(length + 1), shuffle=True, seed=1)


def measure(name, folder, steps, length, batch):
    import torch
    from torch.utils.data import DataLoader

    torch.set_num_threads(1)

    def collate(rows):
        rows = [row["tokens"] if isinstance(row, dict) else row for row in rows]
        rows = torch.stack([torch.as_tensor(np.asarray(row).astype(np.int64)) for row in rows])
        return rows[:, :length], rows[:, 1 : length + 1]

    start = time.perf_counter()
    loader = DataLoader(dataset(name, folder, length, batch), batch_size=batch, num_workers=0, collate_fn=collate, drop_last=True)
    batches = iter(loader)
    total = int(next(batches)[1].sum())
    ready = time.perf_counter() - start
    for number in ("first", "second"):
        start, done = time.process_time(), 0
        while done < steps:
            for inputs, targets in batches:
                total += int(inputs[0, 0]) + int(targets.sum())
                done += 1
                if done == steps:
                    break
            else:
                batches = iter(loader)
        rate = steps * batch * length / (time.process_time() - start)
        print(json.dumps({"loader": name, "pass": number, "tokens-per-cpu-second": round(rate), "ready-ms": round(ready * 1e3, 1)}), flush=True)


def main():
    name, folder, *rest = sys.argv[1:]
    if name == "prepare":
        return prepare(folder, rest)
    numbers = [int(argument) for argument in rest]
    steps, length, batch = (numbers + [500, LENGTH, 16][len(numbers) :])[:3]
    measure(name, folder, steps, length, batch)


main()
