#!/usr/bin/env python3
"""Our Korean words beside Kiwi's on real text, and what FineWeb-2's filters decide with either.

    cargo build --release --locked --workspace --examples
    pip install 'datatrove[processing]==0.10.1' kiwipiepy==0.21.0 kiwipiepy_model==0.21.0
    python benches/words/compare.py NAME=FILE.jsonl[.zst][:FIELD[:BYTES]] ...

Texts are taken in the order of the SHA-1 of their ids up to so many bytes (1,000,000) of texts of at most
60,000. The rules of the splitter were written against every other text, beginning with the first; boundaries are
compared on those between. Decisions are taken on long documents, of 60 eojeol and more (shorter texts are joined line
by line), and on short ones, of 12 to 40 eojeol made of the same lines: around the limit of 50 words a few words decide.
"""
import collections, hashlib, io, json, random, re, subprocess, sys

import datatrove.utils.word_tokenizers as tokenizers
from datatrove.data import Document
from kiwipiepy import Kiwi

OURS = "target/release/examples/words"
words = None


class Given(tokenizers.WordTokenizer):
    """Words found before: analysing a text three times would take thrice as long."""

    def word_tokenize(self, text):
        return words

    def sent_tokenize(self, text):
        return [text]

    def span_tokenize(self, text):
        return [(0, len(text))]


given = Given()
tokenizers.load_word_tokenizer = lambda *_, **__: given
from datatrove.pipeline.filters import FineWebQualityFilter, GopherQualityFilter, GopherRepetitionFilter

FILTERS = {
    "gopher-repetition": GopherRepetitionFilter(
        dup_line_frac=0.374, dup_para_frac=0, dup_line_char_frac=0, dup_para_char_frac=0,
        top_n_grams=((2, 0.282), (3, 0.228), (4, 0.185)),
        dup_n_grams=((5, 0.201), (6, 0.184), (7, 0.168), (8, 0.154), (9, 0.14), (10, 0.127))),
    "gopher-quality": GopherQualityFilter(
        min_avg_word_length=1, max_avg_word_length=6, max_non_alpha_words_ratio=0.791,
        stop_words="의 다 이 는 에 을 한 년 하 은 를 했 고 에서 가 있 으로 인 월 로 되".split()),
    "fineweb-quality": FineWebQualityFilter(line_punct_thr=0.062, short_line_thr=999, char_duplicates_ratio=0.1, new_line_ratio=0.196),
}


def read(argument):
    name, _, rest = argument.partition("=")
    path, field, size = (rest.split(":") + ["", ""])[:3]
    left = int(size or 1_000_000)
    if path.endswith(".zst"):
        lines = io.TextIOWrapper(subprocess.Popen(["zstd", "-dcq", path], stdout=subprocess.PIPE).stdout, encoding="utf-8")
    else:
        lines = open(path, encoding="utf-8")
    rows = [json.loads(line) for line in lines]
    rows = sorted((row for row in rows if row.get(field or "text")), key=lambda row: hashlib.sha1(str(row["id"]).encode()).hexdigest())
    texts, numbers, number = [], [], -1
    for row in rows:
        text = row[field or "text"]
        size = len(text.encode())
        if size > 60_000:
            continue
        if size > left:
            break
        left -= size
        number += 1
        # Long runs of digits are cut out by datatrove before Kiwi sees them, which shifts all places.
        if not re.search("[0-9,]{20,}", text):
            texts.append(text)
            numbers.append(number)
    return name, texts, numbers


def ask(texts, *arguments):
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    answer = subprocess.run([OURS, *arguments], input=lines, capture_output=True, text=True, check=True)
    return [json.loads(line) for line in answer.stdout.splitlines()]


def is_hangul(c):
    return "가" <= c <= "힣"


def boundaries(text, kiwi, ours):
    """Counts on one text; places are characters."""
    place, at = {}, 0
    for index, c in enumerate(text):
        place[at] = index
        at += len(c.encode())
    mine = {place[start]: mark for start, _, mark in reversed(ours)}
    theirs = {start: tag for start, end, tag in reversed(kiwi) if end > start}
    behind = {i for i, c in enumerate(text) if i and is_hangul(c) and not text[i - 1].isspace()}
    inside = {i for i in behind if is_hangul(text[i - 1])}
    particles = {i for i, tag in theirs.items() if tag[0] == "J" and i in behind}
    marked = {i for i, mark in mine.items() if mark == "p" and i in behind}
    return collections.Counter({
        "particles ours": len(marked), "particles ours right": len(marked & theirs.keys()),
        "particles": len(particles), "particles found": len(particles & mine.keys()),
        "inside ours": len(inside & mine.keys()), "inside": len(inside & theirs.keys()),
        "inside both": len(inside & mine.keys() & theirs.keys()),
        "words ours": len(ours), "words": sum(1 for start, end, _ in kiwi if text[start:end].strip()),
    })


def joined(texts, tokens):
    """Documents of at least 60 eojeol, short texts put together line by line."""
    text, found = "", []
    for more, kiwi in zip(texts, tokens):
        found += [(start + len(text), end + len(text)) for start, end, _ in kiwi]
        text += more + "\n"
        if len(text.split()) >= 60:
            yield text, [text[start:end].strip() for start, end in found if text[start:end].strip()]
            text, found = "", []


def short(texts, tokens, chance):
    """Documents of 12 to 40 eojeol and what the last line has more."""
    text, found, least = "", [], chance.randrange(12, 41)
    for whole, kiwi in zip(texts, tokens):
        start = 0
        for more in whole.split("\n"):
            end = start + len(more)
            if more.strip():
                found += [(at - start + len(text), behind - start + len(text)) for at, behind, _ in kiwi if start <= at and behind <= end]
                text += more + "\n"
            start = end + 1
            if len(text.split()) >= least:
                yield text, [text[at:behind].strip() for at, behind in found if text[at:behind].strip()]
                text, found, least = "", [], chance.randrange(12, 41)


def decide(filter, text):
    try:
        return filter.filter(Document(text=text, id="0")) is True
    except ZeroDivisionError:
        return False


def share(part, whole):
    return part / whole if whole else 0.0


def decisions(count, kind):
    """Share of equal decisions, then what is lost of those that FineWeb-2 keeps and gained of those that it drops."""
    documents = count[f"{kind} documents"]
    same = 100 * share(documents - count[f"{kind} lost korean"] - count[f"{kind} gained korean"], documents)
    kept = count[f"{kind} kept"]
    return f"{same:.1f} % of {documents}; {count[f'{kind} lost korean']} of {kept}, {count[f'{kind} gained korean']} of {documents - kept}"


def line(name, count):
    c = count
    whitespace = share(c["long documents"] - c["long lost whitespace"] - c["long gained whitespace"], c["long documents"])
    print(
        f"| {name} | {share(c['particles ours right'], c['particles ours']):.3f}, {share(c['particles found'], c['particles']):.3f}"
        f" | {share(c['inside both'], c['inside ours']):.3f}, {share(c['inside both'], c['inside']):.3f}"
        f" | {share(c['words ours'], c['words']):.2f} | {decisions(c, 'long')} | {decisions(c, 'short')}"
        f" | {100 * whitespace:.1f} % |", flush=True)


def main():
    global words
    kiwi = Kiwi(model_type="sbg", num_workers=1)
    total = collections.Counter()
    print("| text | particles: precision, recall | boundaries inside Hangul: precision, recall | words, of Kiwi's"
          " | long: same decision; lost, gained | short: same decision; lost, gained | long, with white space |")
    print("|---|---|---|---|---|---|---|")
    for name, texts, numbers in map(read, sys.argv[1:]):
        tokens = [[(token.start, token.end, token.tag) for token in kiwi.tokenize(text)] for text in texts]
        count = collections.Counter()
        for index, (text, ours) in enumerate(zip(texts, ask(texts))):
            if numbers[index] % 2:
                count += boundaries(text, tokens[index], ours)
        for kind, documents in ("long", joined(texts, tokens)), ("short", short(texts, tokens, random.Random(1))):
            documents = list(documents)
            answers = ask([text for text, _ in documents], "--korean")
            for (text, words), answer in zip(documents, answers):
                kept = all(decide(filter, text) for filter in FILTERS.values())
                count[f"{kind} documents"] += 1
                count[f"{kind} kept"] += kept
                for split in ("korean", "whitespace"):
                    ours = all(answer[f"{filter} {split}"] == "ok" for filter in FILTERS)
                    count[f"{kind} lost {split}"] += kept and not ours
                    count[f"{kind} gained {split}"] += ours and not kept
        line(name, count)
        total += count
    line("all", total)


main()
