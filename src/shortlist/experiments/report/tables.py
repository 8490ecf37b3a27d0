"""Tables of a report, and what it says in sentences, once for text and page alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shortlist.experiments.comparing.tables import NONE, Table
from shortlist.experiments.report.measured import OTHERS
from shortlist.experiments.report.person_figures import LIFT
from shortlist.experiments.report.wording import (
    WORDS,
    caution,
    has_changed,
    lift_in_words,
    name_of,
    number,
    sentence_of,
    sentence_of_group,
    sentence_of_term,
    title_of,
    with_bounds,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shortlist.experiments.report.measured import GroupFigure
    from shortlist.experiments.report.outcome import Report

MOST_GROUP_SENTENCES = 6
SHARE = {"is_share": True}


def all_tables(report: Report) -> Iterator[Table]:
    """Return the tables: the figures, the terms of `Select`, and the groups of each column."""
    yield figure_table(report)
    if report.terms:
        yield term_table(report)
    for column, groups in report.groups.items():
        yield group_table(report, column, groups)


def figure_table(report: Report) -> Table:
    """Return each figure with its interval, with and without re-ranking."""
    rows = []
    for figure in report.figures:
        words = WORDS[figure.name]
        cells = [words.with_bounds(figure.shown)]
        if report.compares:
            cells += [words.with_bounds(figure.by_score), words.with_bounds(figure.difference, signed=True)]
        rows.append([title_of(figure), *cells, f"{figure.n_people:,}"])
    head = ["", *_ways(report), "people"]
    return Table(f"The lists {_interval(report)}", head, rows)


def term_table(report: Report) -> Table:
    """Return what each term gains of its goal and what it costs of relevance."""
    rows = [
        [
            name_of(term),
            f"{term.goal} ({'large' if term.larger_is_better else 'small'} is its aim)",
            with_bounds(term.goal_without),
            with_bounds(term.goal_with),
            with_bounds(term.gained, signed=True),
            with_bounds(term.lost, signed=True),
            f"{term.changed:.0%}",
            f"{term.n_people:,}",
        ]
        for term in report.terms
    ]
    head = ["term", "goal", "without it", "with it", "gained", "relevance lost", "lists changed", "people"]
    return Table(f"What each term of Select does beside the others {_interval(report)}", head, rows)


def group_table(report: Report, column: str, groups: Sequence[GroupFigure]) -> Table:
    """Return the exposure of the groups of one column."""
    has_target = any(group.target is not None for group in groups)
    rows = []
    for group in groups:
        cells = [with_bounds(group.shown, **SHARE)]
        if report.compares:
            cells.append(with_bounds(group.by_score, **SHARE))
            cells.append(with_bounds(group.difference, **SHARE, signed=True))
        cells += [number(group.own, **SHARE), number(group.catalogue, **SHARE)]
        if has_target:
            cells.append(NONE if group.target is None else number(group.target, **SHARE))
        rows.append([group.label, *cells, f"{group.n_items:,}", f"{group.n_people:,}", group.remark])
    target = ["target of Exposure"] if has_target else []
    head = [column, *_ways(report), "of what people like", "of the catalogue", *target, "items", "lists", ""]
    return Table(f"Share of the exposure by {column} {_interval(report)}", head, rows)


def _ways(report: Report) -> list[str]:
    return ["shown", "by score alone", "difference"] if report.compares else ["shown"]


def _interval(report: Report) -> str:
    return f"[{report.setting.level:.0%} interval]"


def findings(report: Report) -> dict[str, list[str]]:
    """Return what the report says, under headings: what differs, what does not, groups, terms."""
    if not report.compares:
        return {"The lists": [sentence_of(figure) for figure in report.figures], **_bubble(report)}
    changed = [sentence_of(figure) for figure in report.figures if has_changed(figure)]
    others = [sentence_of(figure) for figure in report.figures if not has_changed(figure)]
    said = {
        "What differs with the re-ranking": changed or ["Nothing that can be told from chance."],
        "What cannot be told from no difference": others,
        **_bubble(report),
        "Groups whose exposure differs": _of_groups(report),
        "What each term gains and costs": [sentence_of_term(term) for term in report.terms],
    }
    return {heading: lines for heading, lines in said.items() if lines}


def _bubble(report: Report) -> dict[str, list[str]]:
    lift = [lift_in_words(figure) for figure in report.figures if figure.name == LIFT]
    return {"Beside people's own past": lift} if lift else {}


def _of_groups(report: Report) -> list[str]:
    """Return sentences on the groups whose exposure differs most, those of too few items or lists left out."""
    found = [
        (abs(group.difference.value), sentence_of_group(column, group))
        for column, groups in report.groups.items()
        for group in groups
        if group.difference is not None
        and group.difference.leaves_out_zero
        and not group.remark
        and not group.label.startswith(OTHERS[:-1])
    ]
    found.sort(key=lambda one: -one[0])
    said = [words for _, words in found[:MOST_GROUP_SENTENCES]]
    rest = len(found) - len(said)
    return said + ([f"{rest:,} more stand in the tables."] if rest else [])


def remarks(report: Report) -> list[str]:
    """Return what is to be known of the people, the lists and the intervals."""
    setting = report.setting
    everybody = setting.n_people + setting.n_left_out == setting.n_users
    drawn = (
        "all users"
        if everybody
        else f"{setting.n_people + setting.n_left_out:,} of {setting.n_users:,} users, drawn"
    )
    people = (
        f"People: {drawn} (seed {setting.seed}); {setting.n_people:,} have a list, {setting.n_left_out:,} have none "
        "and are left out. Figures beside people's past leave out those who like nothing."
    )
    exposure = (
        "Exposure: an item at place r of a list has 1 / log2(r + 1), divided evenly among its groups. "
        f"{setting.n_open:,} of {setting.n_items:,} items may be shown to somebody of them."
    )
    intervals = (
        f"Intervals: {setting.level:.0%}; of means over people by the bootstrap ({setting.n_bootstrap:,} resamples, "
        "paired by person), of Gini and coverage by leaving people out (jackknife). They say how much the figures "
        "would vary with other people of the same kind, not what would follow if the lists were shown."
    )
    said = [people, exposure, intervals]
    if report.compares:
        groups = [group for some in report.groups.values() for group in some]
        by_score = (
            "By score alone: the same candidates in the order of the scorer's score, before adjustments, terms, caps "
            "and pins. Both are computed from what was fitted; nobody was shown either for this report."
        )
        said += [
            by_score,
            caution(report.figures, groups, setting.level)
            + " A star marks one that does; pp are percentage points.",
        ]
    if report.terms:
        said.append(
            "A term is compared with the same selection when its weight goes back to relevance, so effects of several "
            "terms need not add up."
        )
    return [*said, *report.notes]


def meanings(report: Report) -> dict[str, str]:
    """Return what each figure is."""
    return {title_of(figure): WORDS[figure.name].meaning for figure in report.figures}
