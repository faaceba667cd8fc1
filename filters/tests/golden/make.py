#!/usr/bin/env python3
"""Makes presets.jsonl.zst: what the reference implementations decide about texts made here.

Needs datatrove 0.10.1 (pip install 'datatrove[processing]'), uniseg 0.10.1 and a checkout of
mlfoundations/dclm (361714b was used):

    python make.py --dclm PATH > presets.jsonl && zstd -19 --rm presets.jsonl

datatrove's filters run with words between white space (str.split) and with sentences that end at
`.`, `!` or `?` and white space, so that another program can decide exactly alike. DCLM's mappers run
as they are, except that fastText's word reader is written out below. All texts come from this file.
"""
import argparse, json, random, re, sys, types, unicodedata

arguments = argparse.ArgumentParser()
arguments.add_argument("--dclm", required=True)
arguments.add_argument("--texts", help="read texts from the field `text` of this jsonl file instead")
arguments = arguments.parse_args()

# --- datatrove, with plain words -----------------------------------------------------------------
import datatrove.utils.word_tokenizers as tokenizers
from datatrove.data import Document


class Plain(tokenizers.WordTokenizer):
    def word_tokenize(self, text):
        return text.split()

    def sent_tokenize(self, text):
        return [part for part in re.split(r"(?<=[.!?])\s+|\n+", text) if part]

    def span_tokenize(self, text):
        return list(tokenizers.simple_span_tokenize(text, self.sent_tokenize(text)))


plain = Plain()
tokenizers.load_word_tokenizer = lambda *_, **__: plain
from datatrove.pipeline.filters import C4ParagraphFilter, C4QualityFilter, FineWebQualityFilter, GopherQualityFilter, GopherRepetitionFilter

korean_stop_words = "의 다 이 는 에 을 한 년 하 은 를 했 고 에서 가 있 으로 인 월 로 되".split()
korean_repetition = dict(
    dup_line_frac=0.374, dup_para_frac=0, dup_line_char_frac=0, dup_para_char_frac=0,
    top_n_grams=((2, 0.282), (3, 0.228), (4, 0.185)),
    dup_n_grams=((5, 0.201), (6, 0.184), (7, 0.168), (8, 0.154), (9, 0.14), (10, 0.127)),
)
FILTERS = {
    "gopher-repetition gopher@datatrove": GopherRepetitionFilter(),
    "gopher-repetition fineweb2-korean": GopherRepetitionFilter(**korean_repetition),
    "gopher-quality gopher@datatrove": GopherQualityFilter(),
    "gopher-quality fineweb2-korean": GopherQualityFilter(
        min_avg_word_length=1, max_avg_word_length=6, stop_words=korean_stop_words, max_non_alpha_words_ratio=0.791),
    "fineweb-quality fineweb@datatrove": FineWebQualityFilter(),
    "fineweb-quality fineweb2-korean": FineWebQualityFilter(
        line_punct_thr=0.062, short_line_thr=999, char_duplicates_ratio=0.1, new_line_ratio=0.196),
    "c4-quality c4@datatrove": C4QualityFilter(),
    "c4-quality fineweb@datatrove": C4QualityFilter(filter_no_terminal_punct=False),
    "c4-quality c4-paragraphs@datatrove": C4ParagraphFilter(),
}


def decide(filter, text):
    document = Document(text=text, id="0")
    try:
        answer = filter.filter(document)
    except ZeroDivisionError:
        return "error", text
    return ("ok" if answer is True else answer[1]), document.text


# --- DCLM ----------------------------------------------------------------------------------------
def fasttext_words(text):
    return [word for word in re.split("[ \n\r\t\v\f\0]", text) if word]


def module(name, **names):
    made = types.ModuleType(name)
    made.__dict__.update(names)
    sys.modules[name] = made
    return made


sys.path.insert(0, arguments.dclm)
module("transformers", AutoTokenizer=None)
module("unidecode", unidecode=str)
module("fasttext", FastText=types.SimpleNamespace(tokenize=fasttext_words))
module("core")
module("core.factory_utils", factory_function=lambda function: function)
module("core.constants", CONTENT="text")
for package in ("baselines", "baselines.mappers"):
    module(package).__path__ = [f"{arguments.dclm}/{package.replace('.', '/')}"]
import importlib.util


def load(name, path):
    spec = importlib.util.spec_from_file_location(name, f"{arguments.dclm}/{path}")
    sys.modules[name] = made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


load("baselines.mappers.core_utils", "baselines/mappers/core_utils.py")
dclm = load("content_filters", "baselines/mappers/filters/content_filters.py")
# The steps of dclm_baseline_refinedweb.yaml from the number of words to the repetition filters.
QUALITY = [
    ("length", lambda page: dclm.page_length_filter(page, "word", 50, 100000, ignore_punctuation=True)),
    ("word-length", lambda page: dclm.word_length_filter(page, 3, 10)),
    ("symbols", lambda page: dclm.symbol_ratio_filter(page, 0.1)),
    ("bullets", lambda page: dclm.bullet_count_filter(page, 0.9)),
    ("ellipses", lambda page: dclm.ellipsis_count_filter(page, 0.3)),
    ("alpha", lambda page: dclm.alphabetic_word_ratio_filter(page, 0.2)),
    ("stop-words", lambda page: dclm.stop_word_filter(page, False, 2)),
]


def decide_dclm(text):
    failed = [name for name, step in QUALITY if not step({"text": text})]
    return {
        "gopher-quality gopher@dclm": failed[0] if failed else "ok",
        "gopher-repetition gopher@dclm": "ok" if dclm.massive_web_repetition_filters({"text": text}) else "drop",
    }


# --- texts ---------------------------------------------------------------------------------------
SENTENCES = """
The harbour office opens at nine and closes when the last boat is in.
Nobody on the island could say who had painted the door of the chapel.
She wrote down the number of every bus that passed the house that summer.
A long answer is not always a good one, but it is often the one we have.
If the bread is still warm, wait with the butter and talk to the baker.
The committee agreed to repair the bridge with the money of the old fund.
Most of the letters were written in pencil, and most of them were short.
There is a lamp in the window of the school, and it burns until morning.
We counted 17 steps, 3 doors and 1 cat before anyone asked what we wanted.
Is that the road to the station? It was, before they moved the station!
He said "come back tomorrow" and we have come back every day since then.
"It's late," they said, and that's what it was: late, cold and very quiet.
강가의 오래된 창고에는 아무도 열지 못한 상자가 하나 남아 있었다.
비가 그치면 시장 사람들은 천막을 걷고 다시 과일을 늘어놓는다.
그는 기차를 놓쳤지만 다음 기차가 언제 오는지 묻지 않았다.
학교 앞 문방구에서 산 공책에는 날짜만 빼곡하게 적혀 있었습니다.
아 진짜 어제 너무 웃겼어 ㅋㅋㅋ 다음에 또 가자
2023년 3월 1일부터 바뀐 규정에 따라 신청서를 내야 합니다.
""".strip().split("\n")
LINES = [
    "Lorem ipsum dolor sit amet.", "LOREM IPSUM once more, for the printer.", "Please enable JavaScript to see this page.",
    "This site uses Coo\u212aies to remember you.", "Read our Privacy Policy before you go on.", "By going on you accept the Terms of use.",
    "function f() { return 1; }", "if (a) { b(); } and so it ends.", "- one thing", "• another thing", "  - a third thing", "● a fourth thing", "* a fifth",
    "and so on...", "to be continued…", "wait . . .", "### heading ###", "#tag #tag #tag", "12 34 56 78", "--- !!! ???", "…", "Home", "About us", "Next page »",
    "A fact that needs a source.[12] Another one.[citation needed] And a third.[edit]", "[1] [2] [3]", "It has been said.[ 3]", "Some Arabic number.[٣٤]",
    "too short.", "Yes.", '"Why?"', "He said 'no'", "It ended... ", "x" * 1001 + " is a very long word indeed.", "y" * 1000 + " is just short enough.",
    "\u200b", "\ufeff", "javascr\u0130pt is not the same.", "문장이 끝났다。", "정말인가요？", "끝!", "tab\tseparated\tcells\tin\ta\trow.", "하나\u3000둘\u00a0셋\u2003넷.",
    "use of cookies, use cookies, cookie policy!", "an e-mail to a.b@c.de, or 1.5 or 2,000 of them.", "Ⅷ ⅸ ² ½ ⓐ", "naïve café coöperation is fine.", "don't can't won't it's",
]
BREAKS = ["\n"] * 12 + ["\n\n"] * 6 + ["\r\n", "\n\n\n", "\u2028", "\x0b", "\x85", " \n", "\n ", "\n \n", "\x1c"]


def text_of(chance):
    kind = chance.random()
    english, korean = SENTENCES[:12], SENTENCES[12:]
    pool = chance.choice([english, english, korean, SENTENCES])
    if kind < 0.06:
        return "".join(chance.choice("ab .\n!?…#-가\u3000\r\t") for _ in range(chance.randrange(0, 60)))
    pieces = []
    if kind < 0.25:  # words at random, some of them over and over
        words = " ".join(pool).split()
        some = [chance.choice(words) for _ in range(chance.randrange(2, 120))]
        for _ in range(chance.randrange(0, 400)):
            n = chance.randrange(1, 12)
            at = chance.randrange(len(some))
            pieces.append(" ".join(some[at:at + n]))
        return chance.choice([" ", " ", "  ", "\n", " \n"]).join(pieces)
    share = chance.choice([0, 0, 0.05, 0.15, 0.4, 0.9])
    again = chance.choice([0, 0, 0.05, 0.1, 0.2, 0.35])
    for _ in range(chance.choice([1, 3, 8, 15, 30, 60])):
        if pieces and chance.random() < again:
            piece = chance.choice(pieces)
        elif chance.random() < share:
            piece = chance.choice(LINES)
        else:
            words = " ".join(chance.sample(pool, chance.randrange(1, 4)))
            cut = words.split(" ")
            if chance.random() < 0.7:
                cut[chance.randrange(len(cut))] = chance.choice(" ".join(SENTENCES).split())
            piece = " ".join(cut)
        pieces.append(piece)
    text = pieces[0]
    broken = chance.choice([BREAKS, ["\n"], ["\n\n"], [" "], ["\r\n"]])
    for piece in pieces[1:]:
        text += chance.choice(broken) + piece
    if chance.random() < 0.05:
        text = unicodedata.normalize("NFD", text)
    if chance.random() < 0.1:
        text = chance.choice(["\n", " ", "\n\n\n", "\ufeff"]) + text + chance.choice(["\n", "  ", "\n\n", "\r\n"])
    return text


EDGES = ["", " ", "\n", "\n\n", "\r\n", ".", "...", "…", "!!! ???", "a", "가", "가.", "a\n", "\n\na", "#", "\x00", "\u3000", "{", "[1]", "the", "-"]


def texts():
    if arguments.texts:
        with open(arguments.texts) as lines:
            yield from (json.loads(line)["text"] for line in lines)
    else:
        yield from EDGES
        chance = random.Random(20261124)
        yield from (text_of(chance) for _ in range(700))


for text in texts():
    row = {"text": text}
    for name, filter in FILTERS.items():
        row[name], left = decide(filter, text)
        if name.startswith("c4-quality") and row[name] == "ok" and left != text:
            row[f"{name} text"] = left
    row.update(decide_dclm(text))
    print(json.dumps(row, ensure_ascii=False))
