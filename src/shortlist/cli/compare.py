"""`shortlist compare`: several models or pipelines on the same split, beside a baseline."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from shortlist.cli import lazy, screen
from shortlist.cli.reading import dataset_of
from shortlist.cli.work import working
from shortlist.errors import ParameterError

if TYPE_CHECKING:
    from shortlist.experiments.comparing.comparison import Comparison


def compare(
    configs: Annotated[
        list[Path],
        typer.Argument(metavar="CONFIG.toml", help="One or several files with the same data and split."),
    ],
    baseline: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="What the others are compared with.", show_default="the best popularity"
        ),
    ] = None,
    metric: Annotated[str, typer.Option(metavar="NAME", help="The metric that ranks them.")] = "ndcg",
    k: Annotated[
        int | None,
        typer.Option("-k", "--k", min=1, help="The length of the lists.", show_default="of [evaluate]"),
    ] = None,
    seeds: Annotated[
        int, typer.Option(metavar="N", min=1, help="Fit each N times for the spread over seeds.")
    ] = 1,
    all_metrics: Annotated[bool, typer.Option("--all-metrics", help="Show every metric.")] = False,
    by_segment: Annotated[
        bool, typer.Option("--by-segment", help="Show segments of users and items.")
    ] = False,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the whole report as a page.")
    ] = None,
    png: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the main figures as a picture.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document, which has every figure.")
    ] = False,
) -> None:
    """Fit what each CONFIG.toml describes on the same training part, and measure all on the same test part.

    One file gives its pipeline and each of its models; of several each gives its recommender, named by the file.
    The baseline is --baseline, else the one that the files name, else the best popularity on a validation part
    of the training part. Differences have paired bootstrap intervals; each is fitted once, and timed.
    """
    _require_writable(html, png)
    with working(f"reading {configs[0]}") as work:
        lazy.compare.require_metric(metric)
        configurations = [lazy.config.read(file) for file in configs]
        agreed = lazy.agreement.Agreement.of(configurations, baseline, k=k)
        parts = agreed.parts(lambda configuration: dataset_of(configuration, work))
        found = lazy.compare.compare_candidates(
            agreed.candidates,
            parts.train,
            parts.test,
            agreed.evaluation,
            baseline=agreed.baseline,
            metric=metric,
            n_seeds=seeds,
            validation_split=configurations[0].validation_rule(parts),
            seed=agreed.seed,
            split=parts.name,
            on_step=work.step,
        )
        work.step("writing")
        files = _written(found, html, png)
    if as_json:
        screen.write_json(found.to_values() | {"files": files})
        return
    console = screen.results()
    console.print(found.to_text(all_metrics=all_metrics, by_segment=by_segment), soft_wrap=True)
    for kind, file in files.items():
        if file is not None:
            console.print(f"{kind}: {file}", soft_wrap=True)


def _require_writable(html: Path | None, png: Path | None) -> None:
    """Raise before any work where a file cannot be made."""
    for option, file, suffix in (("--html", html, ".html"), ("--png", png, ".png")):
        if file is not None and file.suffix.lower() != suffix:
            raise ParameterError(f"{option} {file}: give a name that ends in {suffix}")
        if file is not None:
            lazy.charts.require_drawable(file)


def _written(found: "Comparison", html: Path | None, png: Path | None) -> dict[str, Any]:
    if html is not None:
        found.save_html(html)
    if png is not None:
        found.save_chart(png)
    return {kind: None if file is None else str(file) for kind, file in (("report", html), ("picture", png))}
