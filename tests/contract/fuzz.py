"""Random cases without end: `python tests/contract/fuzz.py --minutes 60`, or `make fuzz MINUTES=60`.

A case is one request to one fitted recommender over one dataset. World number n of seed s is always the same world,
with the same requests. A failure is made as small as it gets and printed as a Python script, with the command that
repeats it. Ends with status 1 if there was one.
"""

import argparse
import itertools
import secrets
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from contract import recipes
from contract.asking import Asked, asked_of
from contract.promises import Case, Fitted, check
from contract.smallest import Failure, smallest
from contract.worlds import World, world_of

from shortlist import registry

CASES_A_WORLD = 50
FAMILIES = (*sorted(registry.MODELS), recipes.PIPELINE, recipes.LEARNED)
SHOW_EVERY = 30  # seconds


class BrokenPromiseError(AssertionError):
    """A promise that was not kept, with the smallest case that was found."""


def world_number(family: str, number: int, seed: int) -> tuple[World, list[Asked]]:
    """Return world `number` of a family of recommenders, and what is asked of it."""
    rng = np.random.default_rng([seed, number, *family.encode()])
    world = world_of(rng, family)
    return world, [asked_of(rng, world) for _ in range(CASES_A_WORLD)]


def run_world(family: str, number: int, seed: int) -> int:
    """Hold one world's cases to every promise and return how many there were. Raises `BrokenPromiseError`."""
    world, requests = world_number(family, number, seed)
    asked, fitted = None, None
    try:
        fitted = Fitted.of(world)
        for n, asked in enumerate(requests, number * CASES_A_WORLD):
            check(Case(fitted, asked), n, saved=number % 3 == 0)
    except Exception as error:
        raise BrokenPromiseError(
            _report(world, asked, error, f"--seed {seed} --only {family}:{number}")
        ) from error
    finally:
        if fitted is not None:
            fitted.close()
    return len(requests)


def _report(world: World, asked: Asked | None, error: Exception, again: str) -> str:
    world, asked, failure = smallest(world, asked, Failure.of(error))
    call = "" if asked is None else f"shown = {asked.source()}\nprint(shown.frame, shown.shortfalls)\n"
    return (
        f"{failure.promise or 'fitting'}: {failure.message}\n\n"
        f"{world.script()}\n{call}\n# again: python tests/contract/fuzz.py {again}\n"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run worlds of all families in turn until the time is up; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--seed", type=int, default=None, help="a fresh one unless given")
    parser.add_argument("--only", metavar="FAMILY:NUMBER", help="one world alone")
    options = parser.parse_args(arguments)
    warnings.simplefilter("error")
    seed = secrets.randbelow(2**32) if options.seed is None else options.seed
    if options.only:
        family, number = options.only.split(":")
        return _one(family, int(number), seed)
    return _until(time.monotonic() + 60 * options.minutes, seed)


def _until(end: float, seed: int) -> int:
    _say(f"seed {seed}; families: {', '.join(FAMILIES)}")
    n_cases, failed, said = 0, 0, time.monotonic()
    for number, family in ((n, family) for n in itertools.count() for family in FAMILIES):
        if time.monotonic() > end:
            break
        try:
            n_cases += run_world(family, number, seed)
        except BrokenPromiseError as broken:
            failed += 1
            _say(f"\n{broken}")
        if time.monotonic() > said + SHOW_EVERY:
            said = time.monotonic()
            _say(f"{n_cases:,} cases, {failed} worlds broken")
    _say(f"{n_cases:,} cases held, {failed} worlds broken; seed {seed}")
    return 1 if failed else 0


def _one(family: str, number: int, seed: int) -> int:
    try:
        _say(f"{run_world(family, number, seed)} cases held")
    except BrokenPromiseError as broken:
        _say(str(broken))
        return 1
    return 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
