"""`shortlist sweep`: a configuration measured at several sizes of its candidate set."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shortlist.cli import lazy, screen
from shortlist.cli.evaluate import evaluation_arguments
from shortlist.cli.reading import dataset_of
from shortlist.cli.work import working
from shortlist.errors import ConfigError, ParameterError

if TYPE_CHECKING:
    from shortlist.config import Configuration
    from shortlist.experiments.sweep.outcome import Sweep
    from shortlist.pipeline import Pipeline

# What the sweep measures as `evaluate` does.
AS_EVALUATED = ("k", "exclude_seen", "n_bootstrap", "level", "rng")
SIZES = "20,50,100,200,500,1000"


def sweep(
    config: Annotated[
        Path, typer.Argument(metavar="CONFIG.toml", help="Data, a split, sources and a scorer.")
    ],
    retrieve: Annotated[
        str, typer.Option(metavar="N,N,…", help="How many candidates go on to the scorer: the sizes.")
    ] = SIZES,
    out: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="For the results.", show_default="CONFIG.sweep"),
    ] = None,
    k: Annotated[
        int | None,
        typer.Option("-k", "--k", min=1, help="The length of the lists.", show_default="of [evaluate]"),
    ] = None,
    users: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Measure N users, drawn.", show_default="all")
    ] = None,
    requests: Annotated[
        int, typer.Option(metavar="N", min=1, help="Time N requests for a single user at each size.")
    ] = 300,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document, which has every figure.")
    ] = False,
) -> None:
    """Measure what CONFIG.toml describes at several sizes of its candidate set.

    Sources are fitted once on the training part, the scorer anew for each size; its model may be no
    source's. For each size: recall of the candidates, NDCG and precision of the list, the time of each
    stage, the part of each source, and what is lost without it, with intervals; and the knee. FOLDER gets
    sweep.json, sweep.html (a report) and sweep.png.
    """
    sizes, folder = _sizes(retrieve), out or config.with_suffix(".sweep")
    with working(f"reading {config}") as work:
        configuration = lazy.config.read(config)
        given = _arguments(configuration, {"k": k})
        pipeline = _sweepable(configuration, sizes, given["k"])
        folder = lazy.sweep_outcome.require_folder(folder)
        parts = configuration.split(dataset_of(configuration, work))
        found = lazy.sweep.sweep(
            pipeline,
            parts.train,
            parts.test,
            sizes,
            n_users=users,
            n_requests=requests,
            training_split=configuration.validation_rule(parts),
            split=parts.name,
            on_step=work.step,
            **given,
        )
        work.step("writing")
        found.save(folder)
    _show(found, folder, as_json)


def _sizes(text: str) -> list[int]:
    try:
        return [int(size) for size in text.split(",")]
    except ValueError:
        raise ParameterError(
            f"--retrieve {text}: give whole numbers with commas between them, say {SIZES}"
        ) from None


def _arguments(configuration: "Configuration", options: dict[str, Any]) -> dict[str, Any]:
    """Return what [evaluate] and the options say, as arguments of `sweep`. A sweep has one protocol: new items."""
    evaluated = evaluation_arguments(configuration)
    given = {"k": 10, "rng": configuration.seed}
    given |= {name: evaluated[name] for name in AS_EVALUATED if name in evaluated}
    given |= {name: value for name, value in options.items() if value is not None}
    if given.get("exclude_seen") is None:
        given.pop("exclude_seen", None)
    return given


def _sweepable(configuration: "Configuration", sizes: list[int], k: int) -> "Pipeline":
    """Return the pipeline. Raises `ParameterError` for the sizes, `ConfigError` for what cannot be measured at them."""
    lazy.sweep_sizes.require_sizes(sizes, k)
    recommender = configuration.recommender
    scorer = getattr(recommender, "scorer", None)
    for source in getattr(recommender, "sources", ()):
        shared = [name for name, model in configuration.models.items() if model is source.model]
        if shared and getattr(scorer, "model", None) is source.model:
            raise ConfigError(
                f"{configuration.file}: [scorer] model: {shared[0]!r} is the model of the source {source.name!r} too: "
                "its first candidates are then the scorer's own best, and every size gives the same list. Name another "
                "model in [scorer]"
            )
    try:
        return lazy.sweep.require_sweepable(recommender, sizes)
    except ParameterError as error:
        raise ConfigError(f"{configuration.file}: {error}") from error


def _show(found: "Sweep", folder: Path, as_json: bool) -> None:
    if as_json:
        screen.write_json(found.to_values() | {"folder": str(folder)})
        return
    console = screen.results()
    console.print(found.to_text(), soft_wrap=True)
    for name in lazy.sweep_outcome.FILES:
        console.print(f"written: {folder / name}", soft_wrap=True)
