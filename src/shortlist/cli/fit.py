"""`shortlist fit`: a recommender fitted as a configuration file says, and saved."""

import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shortlist.cli import lazy, screen
from shortlist.cli.evaluate import evaluation_arguments
from shortlist.cli.reading import dataset_of
from shortlist.cli.source_options import Rejects
from shortlist.cli.work import working
from shortlist.errors import ParameterError

if TYPE_CHECKING:
    from shortlist.cli.work import Work
    from shortlist.data.dataset import Dataset
    from shortlist.models.model import Model
    from shortlist.pipeline import Pipeline


def fit(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.toml", help="Data, models, sources and scorer.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the fitted recommender is saved.")],
    start: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="An earlier fit to start from: a refit on new events in less time."),
    ] = None,
    rejects: Rejects = None,
    without_histories: Annotated[
        bool,
        typer.Option(
            "--without-histories", help="Save nobody's events: lists of users then show seen items, too."
        ),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Fit what CONFIG.toml describes on all of its data, and save it.

    Its tables split and evaluate are for `shortlist evaluate`; here they are checked, and nothing is held back.
    """
    lazy.artifacts.require_writable(out)
    with working(f"reading {config}") as work:
        configuration = lazy.config.read(config)
        evaluation_arguments(configuration)
        if without_histories:
            lazy.privacy.require_separable(configuration.recommender)
        earlier: Any = None if start is None else _start(start, configuration.recommender, work)
        data = dataset_of(configuration, work, rejects)
        work.step(f"fitting on {len(data.interactions):,} events")
        begun = time.perf_counter()
        fitted = configuration.recommender.fit(
            data, rng=configuration.seed, start=earlier, on_epoch=work.epochs
        )
        seconds = time.perf_counter() - begun
        work.step(f"saving to {out}")
        fitted.save(out, histories=not without_histories)
    if as_json:
        started: dict[str, Any] = {} if start is None else {"start": str(start)}
        started["histories"] = not without_histories
        screen.write_json(_values(data, out, type(fitted).__name__, configuration.seed, seconds) | started)
        return
    console = screen.results()
    how = "fitted" if start is None else f"started from {start}, fitted"
    console.print(f"{how} {_described(fitted)} on {_size(data)} in {seconds:.1f} s", soft_wrap=True)
    console.print(f"saved to {out}{' without histories' * without_histories}", soft_wrap=True)
    whom = _whom(fitted, data, without_histories)
    console.print(f"next: shortlist recommend {shlex.quote(str(out))} {whom}", soft_wrap=True)


def _whom(fitted: "Model | Pipeline", data: "Dataset", without_histories: bool) -> str:
    """Return for whom lists can be asked, as options of `shortlist recommend`."""
    if without_histories and isinstance(fitted, lazy.pipeline.Pipeline):
        return f"--session {shlex.quote(str(data.items.ids[0]))}"
    return f"--user {shlex.quote(str(data.users.ids[0]))}{' --include-seen' * without_histories}"


def _start(path: Path, recommender: "Model | Pipeline", work: "Work") -> "Model | Pipeline":
    """Return the earlier fit at `path`. Raises `ParameterError` where `recommender` cannot start from it."""
    work.step(f"reading {path}")
    earlier = lazy.registry.load(path)
    try:
        recommender.check_start(earlier)
    except ParameterError as error:
        raise ParameterError(f"--start {path}: {error}") from error
    return earlier


def _described(fitted: "Model | Pipeline") -> str:
    if isinstance(fitted, lazy.pipeline.Pipeline):
        return f"Pipeline ({', '.join(source.name for source in fitted.sources_)}; scored by {fitted.scorer_.name})"
    return repr(fitted)


def _size(data: "Dataset") -> str:
    return f"{len(data.interactions):,} {data.feedback.kind} of {len(data.users):,} users and {len(data.items):,} items"


def _values(data: "Dataset", out: Path, kind: str, seed: int, seconds: float) -> dict[str, Any]:
    return {
        "saved": str(out),
        "type": kind,
        "seed": seed,
        "seconds": round(seconds, 3),
        "events": len(data.interactions),
        "users": len(data.users),
        "items": len(data.items),
        "data_sha256": data.fingerprint,
        "rows_rejected": 0 if data.report is None else data.report.rejects.height,
    }
