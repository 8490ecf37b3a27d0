"""`shortlist tune`: the parameters of a configuration that are best on a validation part of its training part."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shortlist.cli import lazy, screen
from shortlist.cli.evaluate import evaluation_arguments
from shortlist.cli.reading import dataset_of
from shortlist.cli.work import working
from shortlist.errors import ConfigError, ParameterError

if TYPE_CHECKING:
    from collections.abc import Callable

    from shortlist.cli.work import Work
    from shortlist.config import Configuration
    from shortlist.experiments.tuning.search import Progress
    from shortlist.experiments.tuning.tune import Plan
    from shortlist.experiments.tuning.tuning import Tuning

SUPPLIED = ("recommender", "train", "split", "study", "restart", "names", "on_trial")
# What the search measures as `evaluate` does, where [tune] does not say otherwise.
AS_EVALUATED = ("k", "exclude_seen")
HEADING = "Found by `shortlist tune`"


def tune(
    config: Annotated[
        Path, typer.Argument(metavar="CONFIG.toml", help="Data, recommender, a split and what to search.")
    ],
    out: Annotated[
        Path | None,
        typer.Option(metavar="BEST.toml", help="The best configuration.", show_default="CONFIG.best.toml"),
    ] = None,
    study: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Keeps the trials, to go on with.", show_default="CONFIG.study.db"),
    ] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Begin anew in the same study file.")] = False,
    trials: Annotated[
        int | None, typer.Option(metavar="N", help="Trials in all, those of earlier runs included.")
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(metavar="MINUTES", help="Begin no further trial after so long.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The search as .png, .svg or .html.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Search the parameters of CONFIG.toml that are best on a validation part, and write them as BEST.toml.

    The validation part is cut off the training part by the rule of the split; the test part is not looked
    at. The table tune says what is searched and by which metric; without it, the parameters that matter
    most. Run the same command again to go on where it ended. Ctrl-C keeps all trials that are done.
    """
    best, kept = out or config.with_suffix(".best.toml"), study or config.with_suffix(".study.db")
    with working(f"reading {config}") as work:
        configuration = lazy.config.read(config)
        plan = _plan(configuration, {"trials": trials, "timeout_minutes": timeout})
        _require_writable(config, best, kept, plot)
        parts = configuration.split(dataset_of(configuration, work))
        # Without the report: it speaks of all rows that were read.
        train, rule = replace(parts.train, report=None), configuration.validation_rule(parts)
        del parts
        work.step(f"searching the best {plan.target.label}", total=plan.trials)
        try:
            found = plan.run(train, rule, study=kept, restart=restart, on_trial=_said(work, plan))
        except lazy.tuning.TuningInterrupt as stop:
            work.stop()
            _finish(stop.tuning, configuration, best, plot, as_json)
            raise
        work.stop()
    _finish(found, configuration, best, plot, as_json)


def _plan(configuration: "Configuration", options: dict[str, Any]) -> "Plan":
    """Return what [tune] and the options ask for. Raises `ConfigError` before any data is read."""
    evaluated = evaluation_arguments(configuration)
    given = {name: evaluated[name] for name in AS_EVALUATED if name in evaluated}
    given |= configuration.tuning_arguments(lazy.tune.tune, SUPPLIED)
    given |= {name: value for name, value in options.items() if value is not None}
    try:
        return lazy.tune.Plan.with_defaults(
            configuration.recommender, given | {"names": configuration.models}
        )
    except ParameterError as error:
        raise ConfigError(f"{configuration.file}: [tune]: {error}") from error


def _require_writable(config: Path, best: Path, study: Path, plot: Path | None) -> None:
    if best.resolve() == config.resolve():
        raise ParameterError(f"{best} is the configuration itself, which is kept; give another --out")
    lazy.rewriting.require_writer()
    for file in (best, study):
        lazy.output_file.require_writable(file)
    if plot is not None:
        lazy.charts.require_drawable(plot)


def _said(work: "Work", plan: "Plan") -> "Callable[[Progress], None]":
    """Return what is called after each trial: it moves the bar, and says every new best in a line that stays."""
    shown = 0

    def on_trial(progress: "Progress") -> None:
        nonlocal shown
        label, best = plan.target.label, progress.best
        if shown == 0 and progress.n_done > 1:
            work.note(f"going on after {progress.n_done - 1} trials")
        if progress.is_best and best is not None:
            work.note(f"trial {best.number}: {label} {best.value:.4f}, the best so far")
            work.rename(f"searching: best {label} {best.value:.4f} (trial {best.number})")
        work.advance(progress.n_done - shown)
        shown = progress.n_done

    return on_trial


def _finish(
    found: "Tuning", configuration: "Configuration", best: Path, plot: Path | None, as_json: bool
) -> None:
    """Write the files and say what was found."""
    text = lazy.rewriting.rewritten(
        configuration.file,
        {address: new for address, (_, new) in found.changed.items()},
        folder=best.absolute().parent,
        heading=_heading(found),
    )
    lazy.output_file.write_atomically(best, text.encode())
    if plot is not None:
        found.save_chart(plot)
    if as_json:
        files = {"best": str(best), "plot": None if plot is None else str(plot)}
        screen.write_json(found.to_values() | {"files": files})
        return
    console = screen.results()
    console.print(found.to_text(), soft_wrap=True)
    console.print(f"best configuration: {best}", soft_wrap=True)
    console.print(f"trials kept in {found.study}: more --trials go on from them", soft_wrap=True)
    if plot is not None:
        console.print(f"plot: {plot}", soft_wrap=True)
    console.print(f"next: shortlist evaluate {best}", soft_wrap=True)


def _heading(found: "Tuning") -> list[str]:
    start = "" if found.start is None else f" (as it stood: {found.start:.6g})"
    counts = ", ".join(f"{n} {state}" for state, n in found.counts.items())
    return [
        f"{HEADING}: {found.target.label} {found.best_value:.6g}{start}",
        f"on a validation part of the training data, {found.validation.partition(':')[0]}; trials: {counts}.",
    ]
