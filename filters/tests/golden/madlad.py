#!/usr/bin/env python3
"""Makes madlad.jsonl.zst: what MADLAD-400's rules for sentences decide about texts made here.

    python madlad.py > madlad.jsonl && zstd -19 --rm madlad.jsonl

The rules are those of the data set's card and paper (arXiv 2309.04662, section 2.3) without the language model; the
splitter of sentences is ours, written down a second time as expressions. Python 3.11 alone is needed.
"""
import json, random, re

CURSED = [re.compile(pattern) for pattern in [
    " №", "\ufffd\ufffd\ufffd", r"\|\s*$", r" nr\.$", "aute irure dolor ", " sunt in culpa qui ", "orem ipsum ", " quis nostrud ",
    " adipisicing ", " dolore eu ", " cupidatat ", "autem vel eum", "wisi enim ad", " sex ", " porn ", "黄色电影", "mp3", "ownload", r"Vol\.",
    r" Ep\.", "Episode", r" г\.\s*$", r" кг\.\s*$", r" шт\.", "Develop", "Facebook", " crusher ", " xxx ",
    " ..." * 9, " ...." * 9, " [^ ]" * 9, ", ..,,? ..,,? ..,,? ..,,?",
]]
TECHNICAL = re.compile(r"[0-9{}+/()>]")
CLOSERS = "[\"'”’)\\]」』]*"
END = re.compile(f"([.!?…。！？]*[。！？][.!?…。！？]*{CLOSERS}|[.!?…]+{CLOSERS}(?=\\s))")


def sentences(text):
    for line in text.splitlines():
        pieces = END.sub("\\1\n", line).split("\n")
        sentence = ""
        for number, piece in enumerate(pieces, 1):
            sentence += piece
            # What has no letter, as the number of an item, begins the next sentence.
            if any(map(str.isalpha, sentence)) or number == len(pieces):
                if sentence.strip():
                    yield sentence.strip()
                sentence = ""


def causes(sentence):
    words = sentence.split()
    capitals = sum(word[0].isupper() for word in words)
    return {
        "madlad-capitals": len(words) >= 12 and capitals > len(words) * 0.5,
        "madlad-length": not 20 <= len(sentence) <= 500,
        "madlad-technical": len(TECHNICAL.findall(sentence)) > 0.2 * len(sentence),
        "madlad-cursed": any(pattern.search(sentence) for pattern in CURSED),
    }


def judge(text):
    found = [causes(sentence) for sentence in sentences(text)]
    share = lambda count: count / len(found) if found else 0.0
    questionable = sum(any(cause.values()) for cause in found)
    values = {"madlad-sentences": len(found), "madlad-questionable": share(questionable)}
    values |= {name: share(sum(cause[name] for cause in found)) for name in causes("")}
    answer = "sentences" if len(found) < 5 else "questionable" if questionable > 0.2 * len(found) else "ok"
    return {"values": values, "answer": answer}


GOOD = """
The harbour office opens at nine and closes when the last boat is in.
Nobody on the island could say who had painted the door of the chapel.
A long answer is not always a good one, but it is often the one we have.
"It's late," they said (and that's what it was).
강가의 오래된 창고에는 아무도 열지 못한 상자가 하나 남아 있었다.
비가 그치면 시장 사람들은 천막을 걷고 다시 과일을 늘어놓는다.
그는 기차를 놓쳤지만 다음 기차가 언제 오는지 묻지 않았다!
昨日は雨が降っていたので、誰も港へは行かなかったそうだ。「本当ですか？」と彼は聞いた。
Is that the road to the station? It was, before they moved the station!
""".strip().split("\n")
ODD = """
Home
1. 2) The Boat Of Item Three
12. 34. 56.
좋아요.
Read More...
The Harbour Office And The Island Chapel Of Saint Anne In The Old Town Market
The Harbour Office and The Island Chapel of Saint Anne in the old town
Garden Wall And Old Mill And River Bridge And Island School And Letter Office
Ölberg Und Ürdorf Haben Einen Hafen Und Éine Kirche Und Viele Boote Am Ufer
01/02/2023 (+82) 12-345-6789 {1}
There are 12 (twelve) of 30/40 of them.
Cena je 400 Kč za kus nr.
Было продано всего около двадцати кг.
Всего продано около двадцати шт. на складе
| Name of the table | the first column |
| Name of the table | the first column |  
Lorem ipsum dolor sit amet and the rest of the page.
Duis aute irure dolor in the text, nisi ut aliquid.
Download the song in one click from this page
The song is an mp3 file of three minutes.
See Vol. 3 of the Encyclopedia of the harbour.
Watch Episode twelve of the harbour series now
It was a sex of the other kind, as they say.
The stone crusher of the harbour, and its wheels.
Developer of the harbour page, and of its boats.
한 글 자 씩 띄 어 쓴 글 은 읽 기 어 렵 다
and the old man saw his own dog run off far and now sat
say that that boat will come back when they have gone home from here once more
the list goes on, ab, cd, ef, gh, and so on, more
the list goes on, ab,, cd, ef,, gh,, and so on
the list goes on, ab, cd,,, ef, gh, and so on
broken \ufffd\ufffd\ufffd text in the middle of the page
Цена № 5 на складе и в магазине
№ 5 is the number of the house by the river
끝났다。!! 「정말？」…그래
""".strip("\n").split("\n")


def text_of(chance):
    share = chance.choice([0, 0.1, 0.15, 0.2, 0.3, 0.7])
    pieces = [chance.choice(ODD if chance.random() < share else GOOD) for _ in range(chance.choice([0, 1, 3, 4, 5, 6, 10, 25]))]
    if chance.random() < 0.2:
        pieces.append(" ".join(chance.choice(GOOD).rstrip(".!?") for _ in range(chance.choice([7, 8, 9, 10]))))
    return "".join(piece + chance.choice([" ", " ", "\n", "\n\n", "\u3000", "  ", "", "\r\n"]) for piece in pieces)


def main():
    chance = random.Random(20261126)
    edges = ["", "\n", ". . . . .", "a" * 19 + ".", "a" * 20, "a" * 500, "a" * 501, "1" * 5 + "a" * 20, "1" * 6 + "a" * 19, *ODD]
    for text in edges + [text_of(chance) for _ in range(400)]:
        print(json.dumps({"text": text, **judge(text)}, ensure_ascii=False))


main()
