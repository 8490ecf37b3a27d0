"""Make library-loans.csv: what a small library's old system might export, with everything wrong that such files have.

    python tests/data_files/make_library_loans.py > tests/data_files/library-loans.csv

Nobody in it exists: readers and titles are put together from common names and words. A reader likes one or two of
seven genres; most loans come from these, and they get the higher throws of the dice (1 to 6, as Norwegian reviewers
give them). Then the file is damaged on purpose; `DAMAGE` says how. The seed makes it the same file each time.
"""

import sys
from datetime import UTC, datetime, timedelta

import numpy as np

SEED = 20_240_229
N_READERS, N_LOANS = 140, 1960
FIRST_NAMES = (
    "Åse", "Bjørn", "Cecilie", "Dag", "Eli", "Frøydis", "Gunnar", "Håkon", "Ingrid", "Jørgen", "Kari", "Lars", "Märta",
    "Nils", "Ørjan", "Pål", "Ragnhild", "Søren", "Turid", "Vidar",
)  # fmt: skip
LAST_NAMES = ("Ås", "Berg", "Dahl", "Ødegård", "Fjeld", "Høiby", "Lie", "Moe", "Næss", "Sætre")
GENRES = {
    "krim": ("Mordet", "Sporet", "Alibiet", "Etterforskeren"),
    "reise": ("Veien til", "Toget mot", "Vandring i", "Kart over"),
    "historie": ("Krigen ved", "Kongen av", "Handelen i", "Bøndene i"),
    "hage": ("Roser i", "Kjøkkenhagen på", "Epletrær ved", "Frø fra"),
    "barn": ("Reven på", "Bjørnen i", "Trollet ved", "Musa fra"),
    "dikt": ("Sanger fra", "Stille i", "Lys over", "Vinter ved"),
    "natur": ("Fugler på", "Sopp i", "Fisken i", "Fjellet over"),
}
PLACES = ("Åkrene", "Brygga", "Fjorden", "Låven")
BRANCHES = ("Sentrum", "Østre", "Brua")
# (what becomes of a row, of how many rows); every row is chosen once at most.
DAMAGE = (
    ("no reader", 6), ("not read", 8), ("decimal comma", 5), ("off the dice", 4), ("not a number", 3),
    ("year 1900", 3), ("next century", 2), ("unix time", 4), ("loose semicolon", 4), ("cut off", 3),
    ("space after name", 9), ("lower case", 5),
)  # fmt: skip
N_TWICE = 22


def main() -> None:
    """Write the file to stdout, in Windows-1252 with CRLF."""
    rng = np.random.default_rng(SEED)
    rows = damaged(rng, loans(rng))
    lines = ["Lånernavn;Tittel;Terningkast;Innlevert dato;Filial", *rows]
    sys.stdout.buffer.write("".join(f"{line}\r\n" for line in lines).encode("windows-1252"))


def loans(rng: np.random.Generator) -> list[list[str]]:
    """Return the loans before they are damaged, in the order of time."""
    books = [
        (genre, f"{start} {place}")
        for genre, starts in GENRES.items()
        for start in starts
        for place in PLACES
    ]
    genre_of = np.array([list(GENRES).index(genre) for genre, _ in books])
    fame = (1 + rng.permutation(len(books))) ** -0.6
    names = [f"{first} {last}" for first in FIRST_NAMES for last in LAST_NAMES]
    readers = [names[n] for n in rng.permutation(len(names))[:N_READERS]]
    made = []
    share = rng.lognormal(0, 0.5, N_READERS)
    for reader, n in zip(readers, rng.multinomial(N_LOANS, share / share.sum()), strict=True):
        taste = rng.dirichlet(np.full(len(GENRES), 0.25))
        chance = fame * (0.12 + taste[genre_of])
        for book in rng.choice(len(books), int(n), replace=False, p=chance / chance.sum()):
            liking = 3.2 + 2.6 * min(1.0, 2 * taste[genre_of[book]]) + rng.normal(0, 0.8)
            moment = datetime(2022, 1, 3, 9, tzinfo=UTC) + timedelta(
                minutes=int(rng.integers(0, 2 * 365 * 24 * 60))
            )
            throw = str(int(np.clip(round(liking), 1, 6)))
            made.append([reader, books[book][1], throw, f"{moment:%Y-%m-%d %H:%M}", rng.choice(BRANCHES)])
    return sorted(made, key=lambda row: row[3])


def damaged(rng: np.random.Generator, rows: list[list[str]]) -> list[str]:
    """Return the lines of the file."""
    places = iter(rng.permutation(len(rows)).tolist())
    lines = [";".join(row) for row in rows]
    for damage, times in DAMAGE:
        for _ in range(times):
            at = next(places)
            lines[at] = _damage(rng, damage, *rows[at])
    for _ in range(N_TWICE):
        at = next(places)
        lines[at] = f"{lines[at]}\r\n{lines[at]}"
    return lines


def _damage(
    rng: np.random.Generator, damage: str, reader: str, title: str, throw: str, day: str, branch: str
) -> str:
    seconds = int(datetime.fromisoformat(f"{day}+00:00").timestamp())
    return ";".join(
        {
            "no reader": ["", title, throw, day, branch],
            "not read": [reader, title, "ulest", day, branch],
            "decimal comma": [reader, title, f"{throw},5", day, branch],
            "off the dice": [reader, title, str(rng.choice([0, 7, 12])), day, branch],
            "not a number": [reader, title, "NaN", day, branch],
            "year 1900": [reader, title, throw, "1900-01-01 00:00", branch],
            "next century": [reader, title, throw, day.replace("202", "212", 1), branch],
            "unix time": [reader, title, throw, str(seconds), branch],
            "loose semicolon": [reader, title.replace(" ", "; ", 1), throw, day, branch],
            "cut off": [reader, title],
            "space after name": [f"{reader} ", title, throw, day, branch],
            "lower case": [reader, title.lower(), throw, day, branch],
        }[damage]
    )


if __name__ == "__main__":
    main()
