"""What each figure is called, what it means, and what a difference of it says: in words, and no more than it says."""

from __future__ import annotations

from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING

from shortlist.experiments.report.person_figures import DIVERSITY, LIFT, MISCALIBRATION, NOVELTY, RELEVANCE
from shortlist.experiments.report.whole_figures import COVERAGE, GINI_GROUPS, GINI_ITEMS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shortlist.experiments.report.measured import Figure, GroupFigure, TermFigure
    from shortlist.experiments.sweep.figures import Estimate


@dataclass(frozen=True)
class Words:
    """The name of a figure with a place for what it goes by, what it is, and what more and less of it are."""

    title: str
    meaning: str
    more: str
    less: str
    is_share: bool = False
    digits: int = 3

    def number(self, value: float) -> str:
        """Return a value of the figure as people read it."""
        return number(value, is_share=self.is_share, digits=self.digits)

    def with_bounds(self, found: Estimate | None, *, signed: bool = False) -> str:
        """Return a value or, `signed`, a difference of the figure with its interval."""
        return with_bounds(found, is_share=self.is_share, signed=signed, digits=self.digits)


WORDS = {
    RELEVANCE: Words(
        "Relevance",
        "mean score of the list before any adjustment, 0 to 1 over the candidates of the person: what the scorer alone "
        "would maximise",
        "more relevant to the scorer",
        "less relevant to the scorer",
    ),
    DIVERSITY: Words(
        "Diversity by {}",
        "1 minus the mean cosine of the pairs of items on a list; 0 where all are alike",
        "more varied",
        "less varied",
    ),
    MISCALIBRATION: Words(
        "Miscalibration on {}",
        "how far the mix of groups on a list is from the mix of what the person likes (Kullback-Leibler, 0 where they "
        "are the same)",
        "further from people's own mix",
        "nearer to people's own mix",
    ),
    LIFT: Words(
        "Popularity lift",
        "how many other people like the items of a list, over how many like those of the person's own past; above 1 "
        "the lists are more mainstream than the people",
        "more popular items",
        "less popular items",
    ),
    NOVELTY: Words(
        "Novelty",
        "mean −log2 of the share of people who like an item, in bits: one more for items that half as many people like",
        "less known items",
        "better known items",
    ),
    GINI_ITEMS: Words(
        "Gini of items",
        "how unevenly exposure falls on the items that may be shown: 0 all alike, 1 one item has it all",
        "less evenly spread over items",
        "more evenly spread over items",
        digits=4,
    ),
    GINI_GROUPS: Words(
        "Gini of {}",
        "how unevenly exposure falls on these groups, whatever their size: 0 all alike",
        "less evenly spread over groups",
        "more evenly spread over groups",
        digits=4,
    ),
    COVERAGE: Words(
        "Catalogue coverage",
        "share of the items that may be shown which stand on somebody's list; it grows with the number of people",
        "more of the catalogue",
        "less of the catalogue",
        is_share=True,
    ),
}


def title_of(figure: Figure) -> str:
    """Return the name of a figure, with what it goes by."""
    return WORDS[figure.name].title.format(figure.of)


def number(value: float, *, is_share: bool = False, signed: bool = False, digits: int = 3) -> str:
    """Return a figure as people read it; differences of shares are in percentage points.

    >>> number(0.12345), number(0.5, is_share=True), number(-0.02, signed=True)
    ('0.123', '50.0%', '-0.020')
    >>> number(0.02, is_share=True, signed=True)
    '+2.0 pp'
    """
    if is_share:
        return f"{100 * value:+.1f} pp" if signed else f"{value:.1%}"
    return f"{value:{'+' if signed else ''}.{digits}f}"


def with_bounds(
    found: Estimate | None, *, is_share: bool = False, signed: bool = False, digits: int = 3
) -> str:
    """Return a figure with its interval, and of a difference with a star where that leaves out 0.

    >>> from shortlist.experiments.sweep.figures import Estimate
    >>> with_bounds(Estimate(0.014, 0.01, 0.018), is_share=True, signed=True)
    '+1.4 pp [+1.0, +1.8] *'
    """
    if found is None or isnan(found.value):
        return "–"
    value = number(found.value, is_share=is_share, signed=signed, digits=digits)
    if found.low is None or found.high is None:
        return value
    bounds = [
        number(bound, is_share=is_share, signed=signed, digits=digits) for bound in (found.low, found.high)
    ]
    low, high = (bound.removesuffix(" pp") for bound in bounds)
    return f"{value} [{low}, {high}]" + (" *" if signed and found.leaves_out_zero else "")


def sentence_of(figure: Figure) -> str:
    """Return one figure in words; a difference is named only where its interval leaves out 0."""
    words = WORDS[figure.name]
    value = words.number(figure.shown.value)
    if figure.by_score is None or figure.difference is None:
        return f"{title_of(figure)}: {words.with_bounds(figure.shown)}."
    before = words.number(figure.by_score.value)
    head = f"{title_of(figure)}: {value}, by score alone {before}"
    return f"{head}: {verdict(figure.difference, words)}."


def verdict(difference: Estimate, words: Words) -> str:
    """Return what a difference says.

    >>> from shortlist.experiments.sweep.figures import Estimate
    >>> verdict(Estimate(0.02, -0.01, 0.05), WORDS[NOVELTY])
    'no difference that can be told from 0 (+0.020, interval -0.010 to +0.050)'
    >>> verdict(Estimate(0.02, 0.01, 0.03), WORDS[NOVELTY])
    'less known items (+0.020, interval +0.010 to +0.030)'
    """
    value, low, high = (
        "" if one is None else number(one, is_share=words.is_share, signed=True, digits=words.digits)
        for one in (difference.value, difference.low, difference.high)
    )
    if difference.low is None or difference.high is None:
        return f"{value}, of too few people for an interval"
    if difference.value == difference.low == difference.high == 0:
        return "exactly the same"
    said = f"{value}, interval {low} to {high}"
    if not difference.leaves_out_zero:
        return f"no difference that can be told from 0 ({said})"
    return f"{words.more if difference.value > 0 else words.less} ({said})"


def has_changed(figure: Figure) -> bool:
    """Return whether the interval of the difference leaves out 0."""
    return figure.difference is not None and figure.difference.leaves_out_zero


def lift_in_words(figure: Figure) -> str:
    """Return the popularity lift beside the people's own past, in words."""
    low, high = figure.shown.low, figure.shown.high
    if low is None or high is None or low <= 1 <= high:
        return "Beside people's own past the lists are, as far as the interval tells, neither more popular nor less."
    side = "more" if figure.shown.value > 1 else "fewer"
    return (
        f"For each person who likes an item of somebody's past, {figure.shown.value:.2f} like an item of their list: "
        f"{side} than in the past."
    )


def sentence_of_group(column: str, group: GroupFigure) -> str:
    """Return what became of the exposure of a group whose change has an interval that leaves out 0."""
    assert group.difference is not None, "nothing re-ranks"
    assert group.by_score is not None
    verb = "more" if group.difference.value > 0 else "less"
    return (
        f"{group.label} ({column}): {verb} exposure, {number(group.shown.value, is_share=True)} instead of "
        f"{number(group.by_score.value, is_share=True)}; {number(group.own, is_share=True)} of what people like, "
        f"{number(group.catalogue, is_share=True)} of the catalogue."
    )


def sentence_of_term(term: TermFigure) -> str:
    """Return what a term gains and what it costs."""
    goal = f"{term.goal} {number(term.goal_without.value)} → {number(term.goal_with.value)}"
    if term.n_people == 0:
        goal = f"{term.goal}: nobody has a value"
    elif not term.gained.leaves_out_zero:
        goal += ", which cannot be told from no gain"
    elif term.gained.value < 0:
        goal += ", away from its goal"
    cost = f"relevance {number(-term.lost.value, signed=True)}"
    if not term.lost.leaves_out_zero:
        cost += ", which cannot be told from 0"
    return f"{name_of(term)}: {goal}; {cost}; it changes {term.changed:.0%} of the lists."


def name_of(term: TermFigure) -> str:
    """Return a term with what it goes by and its weight."""
    return f"{term.term} on {term.on}, weight {term.weight:g}"


def caution(figures: Sequence[Figure], groups: Sequence[GroupFigure], level: float) -> str:
    """Return what so many intervals side by side mean."""
    n = len(figures) + len(groups)
    return (
        f"{n} differences stand here, each with a {level:.0%} interval for itself alone: if nothing differed, about "
        f"{n * (1 - level):.1f} of them would leave out 0 by chance."
    )
