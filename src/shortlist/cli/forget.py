"""`shortlist forget`: people taken out of a saved recommender."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shortlist.cli import lazy, screen
from shortlist.cli.ids import lines_of, typed_users
from shortlist.cli.work import working
from shortlist.errors import ArtifactError

if TYPE_CHECKING:
    from shortlist.models.model import Model
    from shortlist.pipeline import Pipeline


def forget(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="What `fit` or `demo` saved.")],
    user: Annotated[
        list[str],
        typer.Option(metavar="ID", help="Who goes, or @FILE with one id a line; may be repeated."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where the rest is saved; in place of DIR if left out."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Take people out of a saved recommender: their ids, events, vectors and what rules and sources hold of them.

    What the parameters of items learned from them stays until the next fit.
    """
    target = directory if out is None else out
    lazy.artifacts.require_writable(target)
    with working(f"loading {directory}") as work:
        before = lazy.artifacts.manifest_bytes(directory)
        recommender = lazy.registry.load(directory)
        users = typed_users(_ids(user), recommender.memory_, must_exist=True, hint="")
        work.step(f"saving to {target}")
        left = recommender.without_users(users)
        if lazy.artifacts.manifest_bytes(directory) != before:
            raise ArtifactError(f"{directory} was saved anew meanwhile, and is left as it is: try again")
        left.save(target)
        _require_nothing_left(target)
    values = _values(recommender, left, target)
    if as_json:
        screen.write_json(values)
        return
    console = screen.results()
    console.print(
        f"removed from {target}: {_people(values['removed'])}, {values['users']:,} stay", soft_wrap=True
    )
    console.print(lazy.privacy.STAYS, soft_wrap=True)
    if target != directory:
        console.print(f"{directory} is as it was, and still holds them", soft_wrap=True)


def _ids(texts: list[str]) -> list[str]:
    return [
        one
        for text in texts
        for one in (lines_of(Path(text[1:])) if text.startswith("@") else [text])
        if one.strip()
    ]


def _require_nothing_left(target: Path) -> None:
    left = lazy.artifacts.left_behind(target)
    if left:
        raise ArtifactError(
            f"{target} is saved without them, but {left[0]} of before could not be removed "
            f"({len(left)} such files): delete it"
        )


def _people(n: int) -> str:
    return "1 person" if n == 1 else f"{n:,} people"


def _values(before: "Model | Pipeline", left: "Model | Pipeline", target: Path) -> dict[str, Any]:
    n_users, n_left = len(before.memory_.users), len(left.memory_.users)
    return {
        "saved": str(target),
        "removed": n_users - n_left,
        "users": n_left,
        "events_removed": int(before.memory_.history.item_idx.size - left.memory_.history.item_idx.size),
        "stays": lazy.privacy.STAYS,
    }
