"""Ids that have broken other systems, and random ones: any 64-bit integer, any text that is not blank."""

import numpy as np

NASTY_TEXT = (
    "a/b", "../up", ".", "..", 'say "hi"', "it's", "a,b", "a;b", "a|b", "line\nbreak", "cr\r\nlf", "tab\t.",
    "nul\0nul", " leading", "trailing ", "inner  two", "no\u00a0break", "line\u2028separator", "bell\x07",
    "\x1bescape", "back\\slash", "7", "007", "-1", "+1", "1.0", "1e3", "٣", "NaN", "nan", "null", "None",
    "true", "inf", "NA", "N/A", "--all", "-k", "@file", "%s", "{}", "$HOME", "`ls`", "[bold]x[/bold]",
    ":smile:", "<b>", "&amp;", "=1+1", "#", "\ufeffbom", "é", "e\u0301", "Å", "\u212b", "ß", "SS", "İ", "ı",
    "A", "a", "שלום", "مرحبا", "\u202eabc", "\u200bzero", "日本語", "ﬁ", "👩‍👩‍👧", "🏳️‍🌈", "👍🏽", "𝔘",
    "\U0010ffff", "\uffff", "z" * 300,
)  # fmt: skip
NASTY_INTEGERS = (
    0, 1, -1, 7, 10, 2**31 - 1, 2**31, -(2**31) - 1, 2**53 - 1, 2**53, 2**53 + 1, 2**63 - 1,
    2**63 - 2, -(2**63), -(2**63) + 1,
)  # fmt: skip


def ids(rng: np.random.Generator, n: int, kind: str) -> list:
    """Return `n` distinct ids of one kind, in random order: "integer", "nearby integer", "string" or "number text"."""
    found: dict[int | str, None] = {}
    while len(found) < n:
        found[MAKERS[kind](rng)] = None
    return [list(found)[p] for p in rng.permutation(n)]


def _integer(rng: np.random.Generator) -> int:
    if rng.random() < 0.5:
        return NASTY_INTEGERS[rng.integers(len(NASTY_INTEGERS))]
    return int(rng.integers(-(2**63), 2**63 - 1, endpoint=True))


def _text(rng: np.random.Generator) -> str:
    if rng.random() < 0.7:
        return NASTY_TEXT[rng.integers(len(NASTY_TEXT))]
    while True:
        points = rng.choice((0x80, 0x250, 0x3000, 0x110000)) - 1 - rng.integers(0, 0x80, rng.integers(1, 5))
        if rng.random() < 0.3:
            points = rng.integers(0, 0x110000, rng.integers(1, 5))
        text = "".join(map(chr, points[(points < 0xD800) | (points > 0xDFFF)]))
        if text.strip():
            return text


MAKERS = {
    "integer": _integer,
    "nearby integer": lambda rng: int(rng.integers(-3, 3000)),
    "string": _text,
    "number text": lambda rng: str(rng.integers(0, 3000)),
}
