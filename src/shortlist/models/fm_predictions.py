"""Predictions of examples by all draws of a factorisation machine, and how far they may be off."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from shortlist.errors import ParameterError
from shortlist.models.fm_courses import Spread
from shortlist.models.fm_design import Design, Examples

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.data.memory import Memory
    from shortlist.data.vocabulary import Id
    from shortlist.models.fm_design import Rows
    from shortlist.models.fm_encoding import Encoding
    from shortlist.models.fm_fold_in import Link
    from shortlist.models.fm_parameters import Parameters

    F64 = NDArray[np.float64]

EXAMPLES_A_BLOCK = 1 << 16


@dataclass(frozen=True, eq=False)
class Predictor:
    """A fitted machine as predictions ask it.

    How it encodes, its parameters, the rows of its users and items, and what it remembers of its data; link: what turns
    ŷ into a prediction; noise float64[S]: of ratings.
    """

    encoding: Encoding
    parameters: Parameters
    users: Rows
    items: Rows
    memory: Memory
    link: Link
    noise: F64

    def of_pairs(self, users: Iterable[Id], items: Iterable[Id], *, clip: bool) -> Spread:
        """Return the predictions of pairs (users[p], items[p]) without a context.

        Raises `ParameterError` for unequal lengths.
        """
        user_idx, item_idx = self.memory.users.index_of(users), self.memory.items.index_of(items)
        if user_idx.size != item_idx.size:
            raise ParameterError(f"predict takes pairs: got {user_idx.size} users and {item_idx.size} items")
        # The position of an unknown id is −1; the last row is theirs.
        examples = Examples(
            user_idx % np.int32(len(self.users)),
            item_idx % np.int32(len(self.items)),
            np.zeros(user_idx.size, np.int32),
            np.zeros(user_idx.size, np.float32),
        )
        return self._spread(self.users, self.items, self.encoding.request(None), examples, clip)

    def of_events(self, events: Dataset, *, clip: bool) -> Spread:
        """Return the predictions of events with their context, and their features where they have any."""
        log, encoding = events.interactions, self.encoding
        users = self.users.at(self.memory.users.index_of(events.users.ids) % len(self.users))
        if events.user_features is not None:
            users = encoding.users(events.users, events.user_features)
        items = self.items.at(self.memory.items.index_of(events.items.ids) % len(self.items))
        if events.item_features is not None:
            items = encoding.items(events.items, events.item_features)
        moments, moment_idx = encoding.moments(log.context, len(log))
        examples = Examples(log.user_idx, log.item_idx, moment_idx, np.zeros(len(log), np.float32))
        return self._spread(users, items, moments, examples, clip)

    def _spread(self, users: Rows, items: Rows, moments: Rows, examples: Examples, clip: bool) -> Spread:
        encoding, feedback = self.encoding, self.memory.feedback
        design = Design(users, items, moments, encoding.encoder.fields, encoding.n_columns, examples)
        found = spread_of(design, self.parameters, self.link, self.noise)
        if clip and feedback.kind == "ratings":
            np.clip(found.mean, *(feedback.scale or (None, None)), out=found.mean)
        return found


def spread_of(design: Design, parameters: Parameters, link: Link, noise: F64) -> Spread:
    """Return the predictions of the examples and their spread, block by block; noise float64[S] of ratings."""
    m = len(design.examples)
    out = Spread(*(np.empty(m, np.float32) for _ in Spread._fields))
    for start in range(0, m, EXAMPLES_A_BLOCK):
        rows = np.arange(start, min(start + EXAMPLES_A_BLOCK, m))
        scores = parameters.predictions(design.with_examples(design.examples.take(rows)))
        for whole_column, part in zip(out, _summary(scores, link, noise), strict=True):
            whole_column[rows] = part
    return out


def _summary(scores: F64, link: Link, noise: F64) -> tuple[F64, F64, F64]:
    """Return mean, deviation of the mean and deviation of the value, float64[m], of scores float64[m, S]."""
    if link == "identity":
        variance = scores.var(axis=1)
        return scores.mean(axis=1), np.sqrt(variance), np.sqrt(variance + np.mean(noise**2))
    chances = special.ndtr(scores) if link == "probit" else special.expit(scores)
    mean = chances.mean(axis=1)
    return mean, chances.std(axis=1), np.sqrt(mean * (1 - mean))
