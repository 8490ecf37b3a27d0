"""The smallest case found that breaks the same promise: events, users, items and limits are left out greedily."""

import time
import traceback
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from contract.asking import Asked
from contract.promises import ALL_PROMISES, Case, Fitted
from contract.worlds import World

SECONDS = 30.0


@dataclass(frozen=True)
class Failure:
    """Which promise was broken (None: nothing could be fitted or asked at all), how, and in words."""

    promise: str | None
    kind: str
    message: str

    @classmethod
    def of(cls, error: BaseException) -> "Failure":
        frames = traceback.extract_tb(error.__traceback__)
        promise = next((frame.name for frame in frames if frame.name in ALL_PROMISES), None)
        words = str(error) or frames[-1].line or ""
        kind = type(error).__name__
        if not isinstance(error, AssertionError):
            words = (
                f"{kind}: {words} (at {frames[-1].name}, line {frames[-1].lineno} of {frames[-1].filename})"
            )
        return cls(promise, kind, words)

    def same_as(self, other: "Failure | None") -> bool:
        return other is not None and (other.promise, other.kind) == (self.promise, self.kind)


def failure_of(world: World, asked: Asked | None, promise: str | None) -> Failure | None:
    """Return how the promise fails in this world for this request, None where it holds."""
    fitted = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            fitted = Fitted.of(world)
            if asked is not None and promise is not None:
                ALL_PROMISES[promise](Case(fitted, asked))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what is being looked for
        return Failure.of(error)
    finally:
        if fitted is not None:
            fitted.close()
    return None


def smallest(world: World, asked: Asked | None, failure: Failure) -> tuple[World, Asked | None, Failure]:
    """Return the smallest case found within `SECONDS` that fails in the same way, and its failure."""
    if failure.promise is None:
        asked = None
    stop = time.monotonic() + SECONDS
    found = failure_of(world, asked, failure.promise)
    if not failure.same_as(found):
        return world, asked, failure  # it takes more than this one request; shown as it came
    failure, again = found or failure, True
    while again:
        again = False
        for candidate in filter(_still_asks_the_same, _smaller(world, asked)):
            if time.monotonic() > stop:
                return world, asked, failure
            found = failure_of(*candidate, failure.promise)
            if found is not None and failure.same_as(found):
                (world, asked), failure, again = candidate, found, True
                break
    return world, asked, failure


def _smaller(world: World, asked: Asked | None) -> Iterator[tuple[World, Asked | None]]:
    """Yield cases that are one step simpler, the largest steps first."""
    if asked is not None:
        for simpler in _simpler_requests(asked):
            yield world, simpler
    for fewer in _shorter(world.events):
        yield replace(world, events=fewer), asked
    for fewer in _shorter(world.strangers):
        yield replace(world, strangers=fewer), asked
    for name in ("items", "users"):
        rows = getattr(world, name)
        if rows is not None:
            yield replace(world, **{name: None}), asked
            for fewer in _shorter(rows):
                yield replace(world, **{name: fewer}), asked
    if world.events[0].second is not None:
        yield replace(world, events=tuple(replace(e, second=None) for e in world.events)), asked
    for plain in _plainer_ids(world):
        yield plain, asked


def _still_asks_the_same(candidate: tuple[World, Asked | None]) -> bool:
    """Return whether the items named are still in the data, whose absence would be another failure."""
    world, asked = candidate
    return asked is None or {*(asked.items or ()), *(asked.exclude or ())} <= world.catalogue


def _simpler_requests(asked: Asked) -> Iterator[Asked]:
    plain = Asked(None, 1)
    for name in ("items", "exclude", "second", "on_unknown", "exclude_seen", "forms"):
        if getattr(asked, name) != getattr(plain, name):
            yield replace(asked, **{name: getattr(plain, name)})
    for name in ("users", "items", "exclude"):
        for fewer in _shorter(getattr(asked, name) or ()):
            yield replace(asked, **{name: fewer})
    for k in (1, 2, asked.k // 2):
        if k < asked.k:
            yield replace(asked, k=k)


def _shorter(rows: Sequence) -> Iterator[tuple]:
    """Yield `rows` without its halves, quarters, …, single rows; never without all."""
    size = len(rows) // 2
    while size:
        for start in range(0, len(rows), size):
            left = (*rows[:start], *rows[start + size :])
            if left:
                yield left
        size //= 2


def _plainer_ids(world: World) -> Iterator[World]:
    """Yield the world with simple values in its events; ids stay, since a request names them."""
    ones = tuple(replace(e, value={"ratings": 5}.get(world.kind, 1)) for e in world.events)
    if ones != world.events:
        yield replace(world, events=ones)
