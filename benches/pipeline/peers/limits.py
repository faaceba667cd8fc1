"""Thresholds that every peer applies: those of malmoi's presets, per bucket. `None`: no filters.

Names of `repetition` follow datatrove; zero switches a rule off.
"""

ENGLISH = {
    "quality": {
        "words": (50, 100_000),
        "mean-word-length": (3, 10),
        "symbol-ratio": 0.1,
        "bullet-lines": 0.9,
        "ellipsis-lines": 0.3,
        "alpha-words": 0.8,
        "stop-words": (2, ("the", "be", "to", "of", "and", "that", "have", "with")),
    },
    "repetition": {
        "dup_para_frac": 0.3,
        "dup_para_char_frac": 0.2,
        "dup_line_frac": 0.3,
        "dup_line_char_frac": 0.2,
        "top_n_grams": ((2, 0.2), (3, 0.18), (4, 0.16)),
        "dup_n_grams": ((5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.1)),
    },
}

# Quality: malmoi's `korean-eojeol`, for words split at white space; a stop word with a dash is an
# ending. Repetition: FineWeb-2's Korean values.
KOREAN = {
    "quality": {
        "words": (23, 45_000),
        "mean-word-length": (1.8, 12.0),
        "symbol-ratio": 0.2,
        "bullet-lines": 0.9,
        "ellipsis-lines": 0.3,
        "alpha-words": 0.7,
        "stop-words": (3, tuple("-" + ending for ending in "은는이가을를의에서로와과도만고며면지다요까게한던")),
    },
    "repetition": {
        "dup_para_frac": 0,
        "dup_para_char_frac": 0,
        "dup_line_frac": 0.374,
        "dup_line_char_frac": 0,
        "top_n_grams": ((2, 0.282), (3, 0.228), (4, 0.185)),
        "dup_n_grams": ((5, 0.201), (6, 0.184), (7, 0.168), (8, 0.154), (9, 0.14), (10, 0.127)),
    },
}

# FineWeb-2's own Korean quality values, which belong to Kiwi morphemes.
KOREAN_MORPHEMES = {
    "quality": {
        "words": (50, 100_000),
        "mean-word-length": (1, 6),
        "symbol-ratio": 0.1,
        "bullet-lines": 0.9,
        "ellipsis-lines": 0.3,
        "alpha-words": 0.791,
        "stop-words": (2, tuple("의 다 이 는 에 을 한 년 하 은 를 했 고 에서 가 있 으로 인 월 로 되".split())),
    },
    "repetition": KOREAN["repetition"],
}

LIMITS = {"korean": KOREAN, "english": ENGLISH, "code": None}

MINHASH = {"ngram": 5, "bands": 14, "rows": 8}
