"""Agreement: what several configuration files compare together, refused where they do not measure the same thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shortlist.config.document import tables
from shortlist.config.place import Place
from shortlist.errors import ConfigError, ParameterError
from shortlist.experiments.comparing.candidates import Candidate
from shortlist.experiments.comparing.compare import require_name
from shortlist.experiments.evaluate import evaluate, require_parameters
from shortlist.pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from shortlist.config import Configuration
    from shortlist.data.dataset import Dataset
    from shortlist.data.split import Split

SUPPLIED = ("models", "train", "test", "baseline")


@dataclass(frozen=True, eq=False)
class Agreement:
    """What the files say together: what is compared, with what, and the arguments of `evaluate` without its `rng`."""

    configurations: Sequence[Configuration]
    candidates: Sequence[Candidate]
    baseline: str | None
    evaluation: Mapping[str, Any]
    seed: int

    @classmethod
    def of(cls, configurations: Sequence[Configuration], baseline: str | None, **options: Any) -> Agreement:
        """Return it; `baseline` and `options` (arguments of `evaluate`, None: not given) go before what the files say.

        One file gives its pipeline and each of its models. Of several each gives its recommender, named by the file,
        and the baseline it names. Nothing is read or fitted.
        Raises `ConfigError` where files contradict each other or have no [split], `ParameterError` for an unknown
        baseline, a file given twice, and an option out of range.
        """
        _require_distinct(configurations)
        for configuration in configurations:
            if "split" not in tables(configuration.file):
                raise Place(configuration.file).error("there is no [split], and comparing needs one")
        if len(configurations) == 1:
            candidates, named = _of_one(configurations[0])
        else:
            candidates, named = _of_each(configurations)
        evaluation = _merged(configurations)
        seed = evaluation.pop("rng", configurations[0].seed)
        evaluation |= {name: value for name, value in options.items() if value is not None}
        require_parameters(evaluation)
        if baseline is not None:
            require_name(baseline, [candidate.name for candidate in candidates])
        elif len(named) > 1:
            raise ConfigError(
                f"the files name different baselines: {', '.join(named)}; choose one of them with --baseline"
            )
        return cls(configurations, candidates, baseline or next(iter(named), None), evaluation, seed)

    def parts(self, read: Callable[[Configuration], Dataset]) -> Split:
        """Return the split that all files describe; `read` returns the data of one, and is asked once for equal [data].

        Raises `ConfigError` naming the difference where two files do not lead to the same parts.
        """
        first, *others = self.configurations
        data = read(first)
        parts = first.split(data)
        for other in others:
            theirs = data if _reads_the_same(first, other) else read(other)
            if theirs is not data and theirs.fingerprint != data.fingerprint:
                raise ConfigError(
                    f"{first.file} and {other.file} do not have the same data: {_difference(data, theirs)}"
                )
            cut = other.split(data)
            if _fingerprints(cut) != _fingerprints(parts):
                raise ConfigError(
                    f"{first.file} and {other.file} do not have the same split: {_rule(first, parts)} against "
                    f"{_rule(other, cut)}"
                )
        return parts


def _require_distinct(configurations: Sequence[Configuration]) -> None:
    seen: set[Path] = set()
    for configuration in configurations:
        file = configuration.file.resolve()
        if file in seen:
            raise ParameterError(f"{configuration.file} is given twice; name each file once")
        seen.add(file)


def _of_one(configuration: Configuration) -> tuple[list[Candidate], list[str]]:
    """Return the pipeline of a file, if it has one, and its models; and the baseline that it names."""
    names: list[tuple[str, Any]] = list(configuration.models.items())
    recommender = configuration.recommender
    if isinstance(recommender, Pipeline):
        kind = type(recommender).__name__
        taken = kind in configuration.models
        names.insert(0, (f"{kind} ({configuration.file.stem})" if taken else kind, recommender))
    found = [_candidate(name, model, configuration) for name, model in names]
    return found, [] if configuration.baseline is None else [configuration.baseline[0]]


def _of_each(configurations: Sequence[Configuration]) -> tuple[list[Candidate], list[str]]:
    """Return what each file recommends with, under the file's name, and the baselines that the files name."""
    names = file_names([configuration.file for configuration in configurations])
    found = [
        _candidate(name, configuration.recommender, configuration)
        for name, configuration in zip(names, configurations, strict=True)
    ]
    named: dict[str, None] = {}
    for configuration in configurations:
        if configuration.baseline is None:
            continue
        name, model = configuration.baseline
        # The very model may be what another file recommends with, or the baseline that another one names.
        same = next((one for one in found if repr(one.recommender) == repr(model)), None)
        if same is None:
            taken = any(one.name == name for one in found)
            same = _candidate(f"{name} ({configuration.file})" if taken else name, model, configuration)
            found.append(same)
        named[same.name] = None
    return found, list(named)


def _candidate(name: str, recommender: Any, configuration: Configuration) -> Candidate:
    return Candidate(name, recommender, configuration.seed, str(configuration.file))


def file_names(files: Sequence[Path]) -> list[str]:
    """Return a name for each file: its stem, with folders before it where that of another is the same.

    >>> from pathlib import Path
    >>> file_names([Path("a/wals.toml"), Path("b/wals.toml"), Path("mf.toml")])
    ['a/wals', 'b/wals', 'mf']
    """
    for n_parts in range(1, max(len(file.parts) for file in files) + 1):
        names = ["/".join(file.with_suffix("").parts[-n_parts:]) for file in files]
        if len(set(names)) == len(names):
            shortest = [file.stem for file in files]
            return [
                stem if shortest.count(stem) == 1 else name
                for stem, name in zip(shortest, names, strict=True)
            ]
    return [str(file) for file in files]


def _merged(configurations: Iterable[Configuration]) -> dict[str, Any]:
    """Return [evaluate] of all files: what one says holds for all of them. Raises `ConfigError` for a contradiction."""
    merged: dict[str, Any] = {}
    said_by: dict[str, Path] = {}
    for configuration in configurations:
        found = configuration.evaluation_arguments(evaluate, SUPPLIED)
        if "seed" not in configuration.evaluation:
            del found["rng"]
        try:
            require_parameters(found)
        except ParameterError as error:
            raise ConfigError(f"{configuration.file}: [evaluate]: {error}") from error
        for key, value in found.items():
            if merged.setdefault(key, value) != value:
                raise ConfigError(
                    f"{said_by[key]} and {configuration.file} are not measured alike: [evaluate] "
                    f"{'seed' if key == 'rng' else key} = {merged[key]} against {value}"
                )
            said_by.setdefault(key, configuration.file)
    return merged


def _reads_the_same(one: Configuration, other: Configuration) -> bool:
    """Return whether both files have the same [data], with paths that mean the same."""
    folders = {configuration.file.resolve().parent for configuration in (one, other)}
    return len(folders) == 1 and tables(one.file).get("data") == tables(other.file).get("data")


def _fingerprints(parts: Split) -> tuple[str, str]:
    return parts.train.fingerprint, parts.test.fingerprint


def _rule(configuration: Configuration, parts: Split) -> str:
    seed = f", seed {tables(configuration.file)['split'].get('seed', configuration.seed)}"
    return parts.name + (seed if parts.name.startswith("random") else "")


def _difference(one: Dataset, other: Dataset) -> str:
    """Return the first thing that differs, in words."""
    for what, a, b in (
        ("events", len(one.interactions), len(other.interactions)),
        ("users", len(one.users), len(other.users)),
        ("items", len(one.items), len(other.items)),
    ):
        if a != b:
            return f"{a:,} against {b:,} {what}"
    if one.feedback != other.feedback:
        return f"{one.feedback} against {other.feedback}"
    if one.repeats != other.repeats:
        return f"repeats = {one.repeats} against {other.repeats}"
    return "equally large, but ids, values, times or features differ"
