"""Opens exported GGUF files and four-bit folders with the programs that they are for.

    python verify_gguf.py path/to/malmoi path/to/llama.cpp [tokenizer.json ...] [model.gguf ...]

The second argument is the folder of llama.cpp's libraries, see llama_cpp.py. With the first tokenizer, random
models in the shape of Llama (with the scaling of Llama 3), Qwen2 and Qwen3 are made with transformers and exported, with
each other one a Qwen2.

- gguf-f32: llama.cpp gives the ids of the `tokenizers` library for Korean, English and code, and the next-token
  probabilities of transformers to within 1e-4.
- gguf-f16, gguf-q8_0, gguf-q4_k_m: every tensor has the type and the bytes that llama.cpp's own quantizer gives it,
  and the distance in probabilities is printed.
- hf-nf4: transformers computes exactly what it computes when it quantizes the bf16 folder itself.
- hf-w4a16: transformers computes what it computes with the numbers that the integers stand for.
- Both opened again by malmoi: every number is the one that bitsandbytes and those integers give.

For each model.gguf the comparison with llama.cpp's quantizer alone. Used with torch 2.15.0 (CPU), transformers 5.24.0,
bitsandbytes 0.50.2, compressed-tensors 0.20.0, gguf 0.19.0.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import warnings

import gguf
import numpy as np
import torch
import transformers
from llama_cpp import LlamaCpp
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, BitsAndBytesConfig

warnings.filterwarnings("ignore")
transformers.utils.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()
torch.set_num_threads(1)
malmoi, cpp = os.path.abspath(sys.argv[1]), LlamaCpp(os.path.abspath(sys.argv[2]))
root = tempfile.mkdtemp()
failed = False
TEXTS = [
    "대한민국의 수도는 서울이다. 2024년 3월 1일, 3·1절!",
    "안녕하세요?  띄어쓰기가   여러 번\n\n\t그리고 줄바꿈 ㅋㅋㅋ ㄱㄴㄷ",
    "The quick brown fox doesn't jump; it's 12345.678 metres AWAY.",
    "def f(x):\n    return x**2  # 제곱\n\n\n",
    "한국어English混合日本語テキスト🎉👍🏽 e\u0301 \u00a0nbsp",
    "<|im_start|>텍스트 <한국어> </s>",
]


def say(name, fine, detail):
    global failed
    failed |= not fine
    print(f"{name:34} {detail} {'ok' if fine else 'FAILED'}", flush=True)


def export(source, name, *options):
    target = os.path.join(root, name)
    subprocess.run([malmoi, "export", source, target, "--quiet", *options], check=True, stdout=subprocess.DEVNULL)
    return target


def softmax(logits):
    logits = logits - logits.max(-1, keepdims=True)
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def compare_with_quantizer(name, source, wide):
    """`wide` is the 32-bit file that llama.cpp quantizes."""
    for kind, number in [("f16", 1), ("q8_0", 7), ("q4_k_m", 15)]:
        ours = export(source, f"{name}-{kind}.gguf", "--format", f"gguf-{kind}")
        theirs = f"{ours}.theirs"
        cpp.quantize(wide, theirs, number, 1)
        a, b = ({tensor.name: tensor for tensor in gguf.GGUFReader(path).tensors} for path in (ours, theirs))
        types = sum(a[tensor].tensor_type == b[tensor].tensor_type for tensor in b) if a.keys() == b.keys() else 0
        equal = sum(np.array_equal(np.asarray(a[tensor].data).reshape(-1).view(np.uint8), np.asarray(b[tensor].data).reshape(-1).view(np.uint8)) for tensor in b) if types == len(b) else 0
        say(f"{name} {kind}", equal == len(b), f"{types} of {len(b)} types, bytes of {equal} tensors are llama.cpp's")
        os.remove(theirs)


def shapes(vocab):
    common = dict(vocab_size=vocab, hidden_size=256, intermediate_size=576, num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=512, eos_token_id=0)
    scaling = dict(rope_type="llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=8192)
    plain = dict(rope_type="default", rope_theta=1e6)
    yield "llama", transformers.LlamaForCausalLM(transformers.LlamaConfig(**common, rope_parameters=scaling, tie_word_embeddings=False))
    yield "qwen2", transformers.Qwen2ForCausalLM(transformers.Qwen2Config(**common, rope_parameters=plain, tie_word_embeddings=True))
    yield "qwen3", transformers.Qwen3ForCausalLM(transformers.Qwen3Config(**common, head_dim=64, rope_parameters=plain, tie_word_embeddings=False))


def logits_of(model, ids):
    with torch.no_grad():
        return model(torch.tensor([ids])).logits[0].double().numpy()


def check(tokenizer, path, label, first):
    # More rows than ids, as many models have.
    rows = (tokenizer.get_vocab_size() + 8) // 32 * 32 + 32
    torch.manual_seed(4)
    for family, model in shapes(rows) if first else list(shapes(rows))[1:2]:
        for parameter in model.parameters():
            # Biases and norms matter too.
            parameter.data += 0.02 * torch.randn_like(parameter)
        name = f"{label} {family}"
        source = os.path.join(root, f"{label}-{family}")
        model.save_pretrained(source)
        shutil.copy(path, os.path.join(source, "tokenizer.json"))
        wide = export(source, f"{label}-{family}-f32.gguf", "--format", "gguf-f32")
        loaded = cpp.load(wide)
        encoded = [tokenizer.encode(text, add_special_tokens=False).ids for text in TEXTS]
        # Text stays text here: what looks like a special token is one to the library alone.
        # llama.cpp composes no characters, so it gets them composed where the tokenizer does that.
        composed = (lambda text: text) if tokenizer.normalizer is None else tokenizer.normalizer.normalize_str
        pairs = [(text, ids, loaded.tokenize(composed(text))) for text, ids in zip(TEXTS[:5], encoded)]
        wrong = [(text, ids, found) for text, ids, found in pairs if ids != found]
        say(f"{name} ids", not wrong, f"{len(pairs) - len(wrong)} of {len(pairs)} texts {wrong[:1] or ''}")
        ids = [id for ids in encoded[:3] for id in ids][:64]
        expected = softmax(logits_of(model, ids))
        found = softmax(loaded.logits(ids))
        loaded.close()
        apart = np.abs(np.exp(found) - np.exp(expected)).max()
        say(f"{name} f32", apart <= 1e-4, f"largest difference of a probability {apart:.1e}")
        compare_with_quantizer(f"{label}-{family}", source, wide)
        for kind in ["q8_0", "q4_k_m"]:
            loaded = cpp.load(os.path.join(root, f"{label}-{family}-{kind}.gguf"))
            found = softmax(loaded.logits(ids))
            loaded.close()
            distance = (np.exp(expected) * (expected - found)).sum(-1).mean()
            say(f"{name} {kind}", distance < 0.05, f"KL {distance:.2e}")
        if first:
            check_folders(name, source, ids)
        shutil.rmtree(source)


def check_folders(name, source, ids):
    how = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True, bnb_4bit_compute_dtype=torch.bfloat16)
    label = name.replace(" ", "-")
    narrow = export(source, f"{label}-hf")
    expected = logits_of(AutoModelForCausalLM.from_pretrained(narrow, quantization_config=how, dtype=torch.bfloat16, device_map="cpu"), ids)
    folder = export(source, f"{label}-nf4", "--format", "hf-nf4")
    found = logits_of(AutoModelForCausalLM.from_pretrained(folder, device_map="cpu"), ids)
    say(f"{name} hf-nf4", np.array_equal(expected, found), f"largest difference of a logit {np.abs(expected - found).max():.1e}")
    # Anew: on a CPU that has computed with them, bitsandbytes keeps its codes in another order.
    check_opened(f"{name} hf-nf4 opened", folder, AutoModelForCausalLM.from_pretrained(folder, device_map="cpu").dequantize())

    folder = export(source, f"{label}-w4a16", "--format", "hf-w4a16")
    group = json.load(open(os.path.join(folder, "config.json")))["quantization_config"]["config_groups"]["group_0"]["weights"]["group_size"]
    found = logits_of(AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16, device_map="cpu"), ids)
    plain = AutoModelForCausalLM.from_pretrained(narrow, dtype=torch.bfloat16)
    stored = load_file(os.path.join(folder, "model.safetensors"))
    for tensor, parameter in plain.named_parameters():
        if f"{tensor}_packed" in stored:
            packed = stored[f"{tensor}_packed"]
            codes = torch.stack([(packed >> (4 * place)) & 15 for place in range(8)], -1).reshape(parameter.shape) - 8
            scale = stored[f"{tensor}_scale"].repeat_interleave(group, 1)
            parameter.data = codes.to(torch.bfloat16) * scale
    expected = logits_of(plain, ids)
    apart = np.abs(expected - found).max()
    say(f"{name} hf-w4a16", apart == 0, f"groups of {group}, largest difference of a logit {apart:.1e}")
    check_opened(f"{name} hf-w4a16 opened", folder, plain)


def check_opened(name, folder, expected):
    """The packed folder, opened by malmoi and written in bf16, is what the other program makes of it."""
    back = AutoModelForCausalLM.from_pretrained(export(folder, name.replace(" ", "-")), dtype=torch.bfloat16)
    theirs = dict(expected.named_parameters())
    wrong = [key for key, value in back.named_parameters() if not torch.equal(value, theirs[key].to(torch.bfloat16))]
    say(name, not wrong, f"{len(theirs) - len(wrong)} of {len(theirs)} parameters are equal {wrong[:1] or ''}")


print("transformers", transformers.__version__, "torch", torch.__version__, "gguf", gguf.__file__.split(os.sep)[-2])
for index, path in enumerate(sys.argv[3:]):
    if path.endswith(".gguf"):
        name = os.path.basename(path)
        compare_with_quantizer(name, path, export(path, f"{name}-f32.gguf", "--format", "gguf-f32"))
    else:
        check(Tokenizer.from_file(path), path, f"{index}-{os.path.basename(os.path.dirname(os.path.abspath(path)))}", index == 0)
shutil.rmtree(root)
sys.exit(failed)
