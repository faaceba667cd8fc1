"""Makes the fixture of the evaluation's tests: a tiny model with its tokenizer, questions in KMMLU's format, and what
lm-eval gives for them; and, of lm-eval's own code, which responses follow which of IFEval's instructions and which
answers to problems it takes for equal.

Versions it was made with: Python 3.11, lm-eval 0.4.13, torch 2.15.0 (CPU), transformers 5.24.0, tokenizers 0.23.3.
Run it in this folder: `python make_fixture.py`.

The questions are this script's own. `model/` is random; `expected.json` has, for each number of examples, the
accuracy, and of each item the log-likelihoods of A, B, C and D.
"""

import csv
import json
import os
import shutil
import sys
import tempfile
import types
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import lm_eval
import torch
import yaml
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoTokenizer, PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

HERE = Path(__file__).parent
PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
COLUMNS = ["question", "answer", "A", "B", "C", "D", "Category", "Human Accuracy"]


def arithmetic(count, first):
    for i in range(first, first + count):
        a, b, right = 3 * i + 2, 5 * i + 1, i % 4
        choices = [str(a + b + d - right) for d in range(4)]
        yield [f" 사과 {a}개와 배 {b}개를 더하면 모두 몇 개인가? ", right + 1, *choices, "Arithmetic", 0.9]


def words(count, first, question):
    pairs = [("크다", "작다"), ("높다", "낮다"), ("길다", "짧다"), ("밝다", "어둡다"), ("빠르다", "느리다"), ("무겁다", "가볍다")]
    pairs += [("덥다", "춥다"), ("많다", "적다"), ("넓다", "좁다"), ("깊다", "얕다"), ("쉽다", "어렵다"), ("가깝다", "멀다")]
    for i in range(first, first + count):
        word, opposite = pairs[i % len(pairs)]
        others = [pairs[(i + d) % len(pairs)][1] for d in (1, 2, 3)]
        right = (i * 7 + 1) % 4
        choices = others[:right] + [opposite] + others[right:]
        yield [question.format(word), right + 1, *choices, "Words", 0.95]


def table(name, rows):
    with open(HERE / name, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)


def model(texts):
    tokenizer = Tokenizer(models.BPE())
    # Qwen2's own pattern: transformers gives it to every tokenizer of a qwen2 model, whatever the file says.
    split = pre_tokenizers.Split(Regex(PATTERN), behavior="isolated")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(vocab_size=384, initial_alphabet=alphabet, special_tokens=["<|endoftext|>"])
    tokenizer.train_from_iterator(texts, trainer)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>").save_pretrained(HERE / "model")
    torch.manual_seed(5)
    shape = dict(hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1)
    config = Qwen2Config(vocab_size=tokenizer.get_vocab_size(), max_position_embeddings=512, initializer_range=0.5,
                         tie_word_embeddings=True, bos_token_id=None, eos_token_id=0, **shape)
    Qwen2ForCausalLM(config).to(torch.float32).save_pretrained(HERE / "model")


def evaluate(shots, model=HERE / "model", **options):
    kmmlu = Path(lm_eval.__file__).parent / "tasks/kmmlu/default/_default_kmmlu_yaml"
    base = yaml.safe_load(kmmlu.read_text(encoding="utf-8"))
    tasks = []
    for subject in ["arithmetic", "words"]:
        files = {split: str(HERE / f"{subject}-{split}.csv") for split in ["dev", "test"]}
        task = base | {"task": f"own_{subject}", "dataset_path": "csv", "dataset_kwargs": {"data_files": files}}
        tasks.append(task | {"num_fewshot": shots, "fewshot_config": {"sampler": "first_n"}})
    arguments = f"pretrained={model},dtype=float32"
    found = lm_eval.simple_evaluate("hf", model_args=arguments, tasks=tasks, device="cpu", batch_size=4, log_samples=True, **options)
    result = {}
    for subject in ["arithmetic", "words"]:
        samples = sorted(found["samples"][f"own_{subject}"], key=lambda sample: sample["doc_id"])
        likelihoods = [[float(response[0][0]) for response in sample["resps"]] for sample in samples]
        result[subject] = {"accuracy": found["results"][f"own_{subject}"]["acc,none"], "log-likelihoods": likelihoods}
    return result


def variant(folder, template=None, start=False):
    """A copy of the model with a chat template, or with a tokenizer that puts its end token before a text too."""
    shutil.copytree(HERE / "model", folder)
    if template:
        shutil.copy(HERE / template, folder / "chat_template.jinja")
    if start:
        tokenizer = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
        token = {"id": "<|endoftext|>", "ids": [0], "tokens": ["<|endoftext|>"]}
        pieces = [{"SpecialToken": {"id": token["id"], "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
        tokenizer["post_processor"] = {"type": "TemplateProcessing", "single": pieces, "pair": pieces, "special_tokens": {token["id"]: token}}
        (folder / "tokenizer.json").write_text(json.dumps(tokenizer, ensure_ascii=False), encoding="utf-8")
        # A class of its own would write its own post-processor.
        config = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8"))
        config |= {"bos_token": token["id"], "tokenizer_class": "PreTrainedTokenizerFast"}
        (folder / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


CONVERSATIONS = [
    [{"role": "user", "content": "사과 3개와 배 2개는?"}],
    [{"role": "system", "content": "짧게 답한다."}, {"role": "user", "content": " 반대말은? \n"}],
    [{"role": "user", "content": "하나"}, {"role": "assistant", "content": "둘"}, {"role": "user", "content": "셋"}],
]


def chats():
    """By lm-eval's chat template, and ids of transformers."""
    with tempfile.TemporaryDirectory() as root:
        root = Path(root)
        chat, start = variant(root / "chat", template="chat.jinja"), variant(root / "start", start=True)
        both = variant(root / "both", template="chat.jinja", start=True)
        system = {"apply_chat_template": True, "system_instruction": "질문에 답한다."}
        found = {
            "turns": evaluate(2, chat, apply_chat_template=True, fewshot_as_multiturn=True),
            "one-turn": evaluate(2, chat, apply_chat_template=True, fewshot_as_multiturn=False),
            "system": evaluate(1, chat, fewshot_as_multiturn=True, **system),
            "start": evaluate(0, start),
            "start-turns": evaluate(1, both, apply_chat_template=True, fewshot_as_multiturn=True),
        }
        tokenizer = AutoTokenizer.from_pretrained(both)
        ids = lambda turns: tokenizer.apply_chat_template(turns, add_generation_prompt=True, tokenize=True)["input_ids"]
        found["ids"] = [{"messages": turns, "ids": ids(turns)} for turns in CONVERSATIONS]
        found["text"] = {"text": "사과 3개", "ids": tokenizer("사과 3개")["input_ids"]}
    return found


def instructions():
    """Of IFEval's checkers, those that need neither a sentence splitter nor a model of languages."""
    stub = types.ModuleType("lm_eval.tasks.ifeval.instructions_util")
    stub.LANGUAGE_CODES = {"en": "English"}
    import re

    stub.count_words = lambda text: len(re.findall(r"\w+", text))
    sys.modules[stub.__name__] = stub
    import lm_eval.tasks.ifeval as package

    package.instructions_util = stub
    from lm_eval.tasks.ifeval import instructions_registry as registry

    cases = json.loads((HERE / "instructions.json").read_text(encoding="utf-8"))
    results = []
    for case in cases["instructions"]:
        checker = registry.INSTRUCTION_DICT[case["id"]](case["id"])
        checker.build_description(**case["kwargs"])
        results.append([bool(response.strip() and checker.check_following(response)) for response in cases["responses"]])
    return results


def problems():
    from lm_eval.tasks.hrm8k.default import utils

    cases = json.loads((HERE / "problems.json").read_text(encoding="utf-8"))
    return [bool(utils.is_equiv(solution, utils.postprocess(answer))) for solution, answer in cases]


if __name__ == "__main__":
    files = {"arithmetic-test.csv": arithmetic(13, 1), "arithmetic-dev.csv": arithmetic(5, 40)}
    files |= {"words-test.csv": words(11, 0, "다음 가운데 '{}'의 반대말은?"), "words-dev.csv": words(5, 6, "'{}'의 뜻과 반대되는 말은?")}
    files = {name: list(rows) for name, rows in files.items()}
    for name, rows in files.items():
        table(name, rows)
    model([" ".join(map(str, row)) for rows in files.values() for row in rows] * 3)
    expected = {"shots": {str(shots): evaluate(shots) for shots in [0, 2]}, "chats": chats()}
    expected |= {"instructions": instructions(), "problems": problems()}
    (HERE / "expected.json").write_text(json.dumps(expected) + "\n", encoding="utf-8")
