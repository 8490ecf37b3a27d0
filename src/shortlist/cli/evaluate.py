"""`shortlist evaluate`: how good what a configuration describes is, beside the best popularity."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shortlist.cli import lazy, screen
from shortlist.cli.measures import STAR, quality_table, segment_table
from shortlist.cli.reading import dataset_of
from shortlist.cli.source_options import Rejects
from shortlist.cli.work import working
from shortlist.errors import ConfigError, ParameterError
from shortlist.experiments.protocols import DEFINITIONS

if TYPE_CHECKING:
    from shortlist.cli.screen import Screen
    from shortlist.cli.work import Work
    from shortlist.config import Configuration
    from shortlist.data.split import Split
    from shortlist.experiments.evaluation import Evaluation
    from shortlist.models.model import Model

SUPPLIED = ("models", "train", "test", "baseline")


def evaluate(
    config: Annotated[Path, typer.Argument(metavar="CONFIG.toml", help="Data, recommender and a split.")],
    rejects: Rejects = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Fit what CONFIG.toml describes on the training part of its split, and measure it on the test part.

    Beside it stands the baseline that CONFIG.toml names, else the best popularity: the one of counts,
    decayed counts and shrunk means that is best on a validation part of the training part. Where the
    data declares repeats, lists of new items are measured first, and then lists with repeats allowed.
    """
    with working(f"reading {config}") as work:
        configuration = lazy.config.read(config)
        parameters = evaluation_arguments(configuration)
        parts = configuration.split(dataset_of(configuration, work, rejects))
        work.step(f"fitting on {len(parts.train.interactions):,} training events")
        fitted = configuration.recommender.fit(parts.train, rng=configuration.seed)
        ours = type(fitted).__name__
        name, baseline = _baseline(configuration, parts, work, parameters)
        name = f"{name} (baseline)" if name == ours else name
        work.step(f"measuring on {len(parts.test.interactions):,} test events")
        measured = lazy.evaluate.evaluate({ours: fitted, name: baseline}, *parts, baseline=name, **parameters)
    if as_json:
        screen.write_json(measured.to_values())
    else:
        _show(measured, parts)


def evaluation_arguments(configuration: "Configuration") -> dict[str, Any]:
    """Return [evaluate] of the file as arguments of `evaluate`. Raises `ConfigError` for what is wrong in it."""
    found = configuration.evaluation_arguments(lazy.evaluate.evaluate, SUPPLIED)
    try:
        lazy.evaluate.require_parameters(found)
    except ParameterError as error:
        raise ConfigError(f"{configuration.file}: [evaluate]: {error}") from error
    return found


def _baseline(
    configuration: "Configuration", parts: "Split", work: "Work", parameters: dict[str, Any]
) -> tuple[str, "Model"]:
    if configuration.baseline is not None:
        name, model = configuration.baseline
        work.step(f"fitting the baseline {name}")
        return name, model.clone().fit(parts.train, rng=configuration.seed)
    work.step("finding the best popularity on a validation part of the training part")
    asked = {name: parameters[name] for name in ("k", "exclude_seen") if name in parameters}
    found = lazy.baseline.popularity_baseline(
        parts.train, split=configuration.validation_rule(parts), **asked
    )
    if found.note is not None:
        work.note(f"note: {found.note}")
    return found.name, found.model


def _show(measured: "Evaluation", parts: "Split") -> None:
    console = screen.results()
    console.print(parts.description, soft_wrap=True)
    for protocol in measured.protocols:
        _show_protocol(measured, protocol, console)
    for line in (STAR, *measured.notes):
        console.print(line, soft_wrap=True)


def _show_protocol(measured: "Evaluation", protocol: str, console: "Screen") -> None:
    counts = measured.by_protocol[protocol].of_data
    if len(measured.protocols) > 1:
        console.print()
        console.print(f"{protocol}: {DEFINITIONS[protocol]}", style="bold", soft_wrap=True)
    console.print(
        f"{counts['users_evaluated']:,} of {counts['test_users']:,} test users measured; "
        f"{counts['users_without_positive'] + counts['users_only_seen']:,} have no relevant item",
        soft_wrap=True,
    )
    for drawn in (quality_table(measured, protocol), segment_table(measured, protocol)):
        if drawn is not None:
            console.print()
            console.print(drawn)
