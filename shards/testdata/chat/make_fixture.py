"""Makes tokenizer.json and cases.json: conversations as transformers writes and encodes them.

    pip install transformers==5.23.0 tokenizers==0.23.3
    python make_fixture.py [QWEN3]

QWEN3 is a folder with Qwen3's tokenizer.json and tokenizer_config.json; without it the cases of that tokenizer are left out.
Each case has the rendered text, its ids, and the spans of ids that the assistant wrote: by `return_assistant_tokens_mask` where the
template has generation blocks, else the ids between a prompt and the same with the answer, which must begin with the prompt's.
"""

import json
import re
import sys
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

HERE = Path(__file__).parent
PRESETS = HERE / "../../src/chat/presets"
SPECIALS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>",
            "<bos>", "<start_of_turn>", "<end_of_turn>"]

MARKED = """{%- for message in messages %}
    {%- if message['role'] == 'assistant' %}
        {{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
        {%- generation %}
        {{- message['content'] | trim + '<|eot_id|>' }}
        {%- endgeneration %}
    {%- else %}
        {{- '<|start_header_id|>' + message['role'] + '<|end_header_id|>\\n\\n' + message['content'] | trim + '<|eot_id|>' }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"""

# White space control of every kind, a namespace, a macro, and Python's string methods.
ODD = """{% macro turn(role, text) %}
<|im_start|>{{ role }}
{{ text.strip() }}<|im_end|>
{% endmacro %}
{%- set ns = namespace(count=0) -%}
  {% for m in messages if m.role != 'system' %}
    {%- set ns.count = ns.count + 1 %}
{{ turn(m['role'], m.content.replace('\\t', ' ')) }}
  {%- endfor %}
{% if add_generation_prompt -%}

   <|im_start|>assistant
{# the newline after this comment goes #}
{% endif %}"""

SYSTEM = {"role": "system", "content": "짧고 정확하게 답하세요."}
ASK = {"role": "user", "content": "대한민국의 수도는 어디인가요?"}
ANSWER = {"role": "assistant", "content": "대한민국의 수도는 서울입니다."}
MORE = {"role": "user", "content": "  What about Japan? 🗾\n\n두 문장으로.  "}
LAST = {"role": "assistant", "content": "도쿄입니다.\n\nIt has been since 1868."}
CONVERSATIONS = [[ASK, ANSWER], [SYSTEM, ASK, ANSWER, MORE, LAST], [ASK, ANSWER, MORE]]
ALPACA = {"role": "user", "content": "영어로 옮기세요.\n고양이", "instruction": "영어로 옮기세요.", "input": "고양이"}


def small_tokenizer() -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    texts = [message["content"] for talk in CONVERSATIONS for message in talk] + ["assistant user system model", "### 지시사항: 입력: 응답:"]
    trainer = trainers.BpeTrainer(vocab_size=420, special_tokens=SPECIALS, initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.save(str(HERE / "tokenizer.json"))
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|endoftext|>")


def spans_of(mask: list[int]) -> list[list[int]]:
    return [[match.start(), match.end()] for match in re.finditer("1+", "".join(map(str, mask)))]


def case(name: str, tokenizer, which: str, template: str, messages: list[dict], preset: str | None) -> dict:
    def ids(talk, prompt):
        return tokenizer.apply_chat_template(talk, chat_template=template, add_generation_prompt=prompt, return_dict=True)["input_ids"]

    text = tokenizer.apply_chat_template(messages, chat_template=template, tokenize=False)
    whole = ids(messages, False)
    if "generation %}" in template:
        given = tokenizer.apply_chat_template(messages, chat_template=template, return_dict=True, return_assistant_tokens_mask=True)
        assert given["input_ids"] == whole
        learned = spans_of(given["assistant_masks"])
    elif name == "qwen3":
        # The last answer is written otherwise than earlier ones, so no prefix ends where an earlier one ends.
        offsets = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        assert offsets["input_ids"] == whole
        answers = [match.span(1) for match in re.finditer(r"<\|im_start\|>assistant\n(.*?<\|im_end\|>\n)", text, re.S)]
        inside = lambda start, end: any(a <= start and end <= b for a, b in answers)
        learned = spans_of([int(inside(*offset)) for offset in offsets["offset_mapping"]])
    else:
        learned = []
        for number, message in enumerate(messages):
            if message["role"] == "assistant":
                before, after = ids(messages[:number], True), ids(messages[: number + 1], False)
                assert whole[: len(before)] == before and whole[: len(after)] == after, (name, number)
                learned.append([len(before), len(after)])
    prompt = [message for message in messages if message is not messages[-1]] if messages[-1]["role"] == "assistant" else messages
    return {"name": name, "tokenizer": which, "template": None if preset else template, "preset": preset, "messages": messages, "text": text,
            "ids": whole, "learned": learned, "prompt": prompt, "prompt_ids": ids(prompt, True)}


def main() -> None:
    small = small_tokenizer()
    cases = []
    for preset in ["chatml", "qwen2.5", "llama3", "gemma", "alpaca-ko"]:
        # A trailing newline of a template file is no part of it.
        template = (PRESETS / f"{preset}.jinja").read_text().rstrip()
        talks = list(CONVERSATIONS)
        if preset == "gemma":
            talks = [talk[1:] if talk[0] is SYSTEM else talk for talk in talks]
        if preset == "alpaca-ko":
            talks.append([ALPACA, {"role": "assistant", "content": "cat"}])
        cases += [case(preset, small, "small", template, talk, preset) for talk in talks]
    cases += [case("marked", small, "small", MARKED, talk, None) for talk in CONVERSATIONS]
    cases += [case("odd", small, "small", ODD, talk, None) for talk in CONVERSATIONS]
    if len(sys.argv) > 1:
        folder = Path(sys.argv[1])
        config = json.loads((folder / "tokenizer_config.json").read_text())
        qwen = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"), eos_token=config["eos_token"])
        thought = {"role": "assistant", "content": "<think>\n짧게.\n</think>\n\n서울입니다."}
        for talk in [*CONVERSATIONS, [ASK, thought], [ASK, thought, MORE, LAST]]:
            found = case("qwen3", qwen, "qwen3", config["chat_template"], talk, None)
            cases.append({**found, "template": None})  # it stands beside the tokenizer
    with open(HERE / "cases.json", "w") as out:
        out.write("[\n" + ",\n".join(json.dumps(one, ensure_ascii=False) for one in cases) + "\n]\n")


main()
