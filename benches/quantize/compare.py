"""Speed of `malmoi export` to GGUF beside llama.cpp's own quantizer, on one thread, in one run.

    python compare.py path/to/malmoi path/to/llama.cpp [MILLIONS]

The second argument is the folder of llama.cpp's libraries, see trainer/testdata/llama_cpp.py. A random Qwen2-shaped model
of about MILLIONS (default 300) parameters in 16 bits is written by numpy as a GGUF file, and both programs turn that
file into Q8_0 and Q4_K_M. Times are of CPU, user and system, the better of two runs taken in turns; bytes are those
of the 16-bit file. The tensors must be equal.
"""

import os
import resource
import subprocess
import sys
import tempfile

import gguf
import numpy as np

malmoi, libraries = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
millions = int(sys.argv[3]) if len(sys.argv) > 3 else 300
here = os.path.dirname(os.path.abspath(__file__))
QUANTIZE = "import sys; sys.path.insert(0, sys.argv[1]); from llama_cpp import LlamaCpp; LlamaCpp(sys.argv[2]).quantize(sys.argv[3], sys.argv[4], int(sys.argv[5]), 1)"


def make(path):
    """Rows of 1024 and 4096, as many layers as fill the size."""
    hidden, inner, vocab = 1024, 4096, 4096
    layers = max(1, round((millions * 1e6 - vocab * hidden) / (3 * hidden * inner + 2.5 * hidden * hidden)))
    writer = gguf.GGUFWriter(path, "qwen2")
    writer.add_block_count(layers)
    writer.add_context_length(1024)
    writer.add_embedding_length(hidden)
    writer.add_feed_forward_length(inner)
    writer.add_head_count(16)
    writer.add_head_count_kv(4)
    writer.add_rope_freq_base(1e6)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list([f"t{id}" for id in range(vocab)])
    writer.add_token_merges(["t 0"])
    writer.add_eos_token_id(0)
    draw = np.random.default_rng(1)
    noise = (draw.standard_normal(1 << 22, dtype=np.float32) * 0.02).astype(np.float16)
    at = 0

    def matrix(name, rows, columns):
        nonlocal at
        # Other numbers for each, of the same ones.
        at += 12347
        writer.add_tensor(name, np.resize(np.roll(noise, at), (rows, columns)))

    vector = lambda name, size: writer.add_tensor(name, np.ones(size, dtype=np.float32))
    matrix("token_embd.weight", vocab, hidden)
    for layer in range(layers):
        for name, rows, columns in [("attn_q", hidden, hidden), ("attn_k", hidden // 4, hidden), ("attn_v", hidden // 4, hidden), ("attn_output", hidden, hidden), ("ffn_gate", inner, hidden), ("ffn_up", inner, hidden), ("ffn_down", hidden, inner)]:
            matrix(f"blk.{layer}.{name}.weight", rows, columns)
            if name in ("attn_q", "attn_k", "attn_v"):
                vector(f"blk.{layer}.{name}.bias", rows)
        vector(f"blk.{layer}.attn_norm.weight", hidden)
        vector(f"blk.{layer}.ffn_norm.weight", hidden)
    vector("output_norm.weight", hidden)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def cpu(target, command):
    """Seconds of CPU that a command takes; the file it leaves is removed but for the last."""
    if os.path.exists(target):
        os.remove(target)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


with tempfile.TemporaryDirectory() as root:
    source = os.path.join(root, "source.gguf")
    make(source)
    size = os.path.getsize(source) / 1e6
    print(f"{size:.0f} MB of 16-bit weights")
    print("| format | malmoi, CPU s | llama.cpp, CPU s | malmoi, MB/s | llama.cpp, MB/s | ratio |\n|---|--:|--:|--:|--:|--:|")
    for kind, number in [("q8_0", 7), ("q4_k_m", 15)]:
        ours, theirs = (os.path.join(root, f"{name}-{kind}.gguf") for name in ("ours", "theirs"))
        times = [(cpu(ours, [malmoi, "export", source, ours, "--format", f"gguf-{kind}", "--jobs", "1", "--quiet"]),
                  cpu(theirs, [sys.executable, "-c", QUANTIZE, os.path.join(here, "../../trainer/testdata"), libraries, source, theirs, str(number)]))
                 for _ in range(2)]  # fmt: skip
        a, b = ({tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors} for path in (ours, theirs))
        for name in b:
            assert a[name].tensor_type == b[name].tensor_type and np.array_equal(a[name].data, b[name].data), name
        mine, peer = (min(column) for column in zip(*times))
        print(f"| {kind} | {mine:.1f} | {peer:.1f} | {size / mine:.0f} | {size / peer:.0f} | {peer / mine:.2f} |", flush=True)
