"""`shortlist fit`: a recommender fitted as a configuration file says, and saved."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shortlist.cli import lazy, screen
from shortlist.cli.evaluate import evaluation_arguments
from shortlist.cli.reading import dataset_of
from shortlist.cli.saving import require_savable
from shortlist.cli.work import working

if TYPE_CHECKING:
    from shortlist.data.dataset import Dataset
    from shortlist.models.model import Model
    from shortlist.pipeline import Pipeline


def fit(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.toml", help="Data, models, sources and scorer.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Where the fitted recommender is saved.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Fit what CONFIG.toml describes on all of its data, and save it.

    Its tables split and evaluate are for `shortlist evaluate`; here they are checked, and nothing is held back.
    """
    require_savable(out)
    with working(f"reading {config}") as work:
        configuration = lazy.config.read(config)
        evaluation_arguments(configuration)
        data = dataset_of(configuration, work)
        work.step(f"fitting on {len(data.interactions):,} events")
        start = time.perf_counter()
        fitted = configuration.recommender.fit(data, rng=configuration.seed, on_epoch=work.epochs)
        seconds = time.perf_counter() - start
        work.step(f"saving to {out}")
        fitted.save(out)
    if as_json:
        screen.write_json(_values(data, out, type(fitted).__name__, configuration.seed, seconds))
        return
    console = screen.results()
    console.print(f"fitted {_described(fitted)} on {_size(data)} in {seconds:.1f} s", soft_wrap=True)
    console.print(f"saved to {out}", soft_wrap=True)
    console.print(f"next: shortlist recommend {out} --user {data.users.ids[0]}", soft_wrap=True)


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
