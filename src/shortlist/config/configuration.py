"""Configuration: a TOML file as a recommender to fit, the data to fit it on, and how to measure it.

    seed = 0                  # of fits, splits and intervals; a table's own seed goes before it

    [data]                    # arguments of `read`; or dataset = "movielens_small" | "online_retail"
    [split]                   # kind = "leave_last_out" | "global_time" | "random" | "hide", and its arguments
    [models.NAME]             # type = a model's class, and its arguments; models = [NAME, …] for one made of others
    [[sources]]               # type = a source's class, model = NAME, and its arguments
    [[rules]]                 # type = a rule's class, and its arguments: what may not be shown
    [merge]                   # arguments of `Merge`: how many proposals go on to the scorer, and of which source
    [scorer]                  # type = a scorer's class, model = NAME
    [objective]               # arguments of `Objective`: what the lists are ranked for
    [[rerank]]                # type = a step's class, and its arguments; of a Select terms = { MMR = 0.1, … }
    [evaluate]                # arguments of `evaluate`; baseline = NAME
    [tune]                    # arguments of `tune`; [tune.space] "models.NAME.dim" = { low = …, high = … } and so on

Without [[sources]] the recommender is the model itself. Paths are relative to the file's folder.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from shortlist import registry
from shortlist.config.arguments import SEED, arguments, named, seed_of
from shortlist.config.building import Call, kind_of, listed_stages, made, spelled
from shortlist.config.document import tables
from shortlist.config.place import Place, listed, suggest
from shortlist.config.reranking_tables import objective, steps
from shortlist.data import datasets, split
from shortlist.data.read import read as read_data
from shortlist.models.bound_stages import flat
from shortlist.pipeline import Pipeline
from shortlist.retrieval.merge import Merge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from shortlist.data.dataset import Dataset
    from shortlist.data.split import Split
    from shortlist.models.model import Model

# The parameter of a model that is made of models.
WITHIN = "models"
TABLES = (
    "data",
    "split",
    "models",
    "sources",
    "rules",
    "merge",
    "scorer",
    "objective",
    "rerank",
    "evaluate",
    "tune",
)
# What only a pipeline has, so that a file without [[sources]] may not.
OF_A_PIPELINE = {
    "scorer": "[scorer]",
    "rules": "[[rules]]",
    "merge": "[merge]",
    "objective": "[objective]",
    "rerank": "[[rerank]]",
}
DATASETS: dict[str, Callable[..., Dataset]] = {
    "movielens_small": datasets.movielens_small,
    "online_retail": datasets.online_retail,
}
SPLITS: dict[str, Callable[..., Split]] = {
    "global_time": split.global_time,
    "hide": split.hide,
    "leave_last_out": split.leave_last_out,
    "random": split.random,
}


@dataclass(frozen=True, eq=False)
class Configuration:
    """What a configuration file asks for; nothing is read or fitted yet.

    - recommender: the unfitted model or pipeline
    - baseline: the unfitted model that [evaluate] names as baseline, with its name, or None
    - models: every model by its name, unfitted; those of `recommender` are among them
    - evaluation: the other entries of [evaluate], to be checked against the signature of `evaluate`; tuning: those of
      [tune], likewise
    - seed: of fits, splits and intervals
    """

    file: Path
    recommender: Model | Pipeline
    baseline: tuple[str, Model] | None
    models: Mapping[str, Model]
    evaluation: Mapping[str, Any]
    tuning: Mapping[str, Any]
    seed: int
    _load: Call
    _cut: Call | None

    def dataset(self) -> Dataset:
        """Return the data of [data]. Raises what `read` or the sample raises."""
        data: Dataset = self._load()
        return data

    def split(self, dataset: Dataset) -> Split:
        """Return the parts that [split] cuts `dataset` into. Raises `ConfigError` where there is no such table."""
        if self._cut is None:
            raise Place(self.file).error(
                f"there is no [split], and measuring needs one: kind = {spelled(SPLITS)}"
            )
        parts: Split = self._cut(dataset)
        return parts

    def validation_rule(self, parts: Split) -> Callable[[Dataset], Split]:
        """Return the rule of [split], to cut a validation part off the training part of `parts` with.

        A cut at a fixed time would leave nothing there, so it becomes the cut in time that holds back the same share
        of the events. Of `parts` only the numbers of events are used, and by that kind of cut alone. Without
        [split] the rule is `leave_last_out`.
        """
        if self._cut is None:
            return split.leave_last_out
        keywords = dict(self._cut.keywords)
        if keywords.pop("at", None) is not None:
            n_test = len(parts.test.interactions)
            keywords["fraction"] = n_test / (n_test + len(parts.train.interactions))
        return partial(self._cut.function, **keywords)

    def evaluation_arguments(self, evaluate: Callable[..., Any], supplied: Sequence[str]) -> dict[str, Any]:
        """Return [evaluate] as keyword arguments of `evaluate`, of which the caller gives `supplied` itself.

        Raises `ConfigError` as everything in the file does.
        """
        place = Place(self.file, "[evaluate]")
        return arguments(place, self.evaluation, evaluate, supplied=supplied, seed=self.seed)

    def tuning_arguments(self, tune: Callable[..., Any], supplied: Sequence[str]) -> dict[str, Any]:
        """Return [tune] as keyword arguments of `tune`, as `evaluation_arguments` does [evaluate]."""
        return arguments(Place(self.file, "[tune]"), self.tuning, tune, supplied=supplied, seed=self.seed)


def read(path: str | Path) -> Configuration:
    """Return what the configuration file at `path` asks for.

    Everything in it is checked before any data is read. Raises `ConfigError` for whatever is wrong, naming the file,
    the table, the key, and the nearest right spelling.
    """
    file = Path(path)
    top = tables(file)
    place = Place(file)
    for key in top:
        if key not in (SEED, *TABLES):
            raise place.at(key).error(
                f"no such table.{suggest(key, (SEED, *TABLES))} There are {listed(TABLES)}"
            )
    seed = seed_of(place.at(SEED), top.get(SEED, 0))
    models = _models(file, top)
    evaluation = dict(_table(file, top, "evaluate"))
    name = evaluation.pop("baseline", None)
    baseline = None if name is None else named(Place(file, "[evaluate]", "baseline"), name, models, "model")
    return Configuration(
        file,
        _recommender(file, top, models, baseline),
        None if baseline is None else (name, baseline),
        models,
        evaluation,
        _table(file, top, "tune"),
        seed,
        _data_call(file, top),
        _split_call(file, top, seed),
    )


def _data_call(file: Path, top: Mapping[str, Any]) -> Call:
    place, table = Place(file, "[data]"), dict(_table(file, top, "data"))
    if "dataset" in table:
        sample = named(place.at("dataset"), table.pop("dataset"), DATASETS, "sample of data")
        return Call(place, sample, arguments(place, table, sample))
    if "interactions" not in table:
        raise place.error(f"needs interactions = a file, or dataset = {spelled(DATASETS)}")
    return Call(place, read_data, arguments(place, table, read_data))


def _split_call(file: Path, top: Mapping[str, Any], seed: int) -> Call | None:
    if "split" not in top:
        return None
    place = Place(file, "[split]")
    kind, table = kind_of(place, _table(file, top, "split"), "kind", SPLITS, "kind of split")
    return Call(place, kind, arguments(place, table, kind, supplied=("dataset",), seed=seed))


def _models(file: Path, top: Mapping[str, Any]) -> dict[str, Model]:
    entries = _table(file, top, "models")
    if not entries:
        raise Place(file).error("there is no model; write a table [models.NAME] with type = a class")
    built: dict[str, Model] = {}
    # Those of their own first: what is said of the others names them.
    for name in sorted(entries, key=lambda name: isinstance(entries[name], dict) and WITHIN in entries[name]):
        _add_model(file, entries, (name,), built)
    return {name: built[name] for name in entries}


def _add_model(
    file: Path, entries: Mapping[str, Any], path: tuple[str, ...], built: dict[str, Model]
) -> None:
    """Build the model that `path` ends at, after those that it is made of; the others of `path` are made of it."""
    name, place = path[-1], Place(file, f"[models.{path[-1]}]")
    if name in built:
        return
    within = entries[name].get(WITHIN) if isinstance(entries[name], dict) else None
    for part in within if isinstance(within, list) else ():
        named(place.at(WITHIN), part, entries, "model")
        if part in path:
            raise place.at(WITHIN).error(f"a model cannot be made of itself: {' → '.join((*path, part))}")
        _add_model(file, entries, (*path, part), built)
    built[name] = made(place, entries[name], registry.MODELS, "model", built)


def _recommender(
    file: Path, top: Mapping[str, Any], models: Mapping[str, Model], baseline: Model | None
) -> Model | Pipeline:
    if "sources" not in top:
        return _single_model(file, top, models, baseline)
    sources = listed_stages(file, top["sources"], "sources", registry.SOURCES, models)
    rules = listed_stages(file, top["rules"], "rules", registry.RULES, models) if "rules" in top else []
    place = Place(file, "[merge]")
    merge = Call(place, Merge, arguments(place, _table(file, top, "merge"), Merge))()
    Call(place, merge.check, {})([source.name for source in sources])
    if "scorer" not in top:
        raise Place(file).error(
            "there is no [scorer]; [[sources]] need one to put their candidates on one scale"
        )
    scorer = made(Place(file, "[scorer]"), top["scorer"], registry.SCORERS, "scorer", models)
    if "objective" in top:
        scorer = objective(file, _table(file, top, "objective"), scorer)
    rerank = steps(file, top["rerank"], models) if "rerank" in top else []
    own = {id(stage.model) for stage in flat((*sources, *rules, scorer, *rerank))}
    used = own | {id(baseline)} | _within(models.values())
    _refuse_unused(file, [name for name, model in models.items() if id(model) not in used])
    stages = {"sources": sources, "scorer": scorer, "rules": rules, "merge": merge, "rerank": rerank}
    return Call(Place(file, "[[sources]]"), Pipeline, stages)()  # type: ignore[no-any-return]


def _single_model(
    file: Path, top: Mapping[str, Any], models: Mapping[str, Model], baseline: Model | None
) -> Model:
    for name, shown in OF_A_PIPELINE.items():
        if name in top:
            raise Place(file, shown).error(
                "it is not used: there are no [[sources]] that would propose candidates"
            )
    within = _within(models.values())
    others = [name for name, model in models.items() if model is not baseline and id(model) not in within]
    if len(others) != 1:
        raise Place(file).error(
            f"without [[sources]] there is one model besides the baseline, here there are: {listed(others)}. "
            "A Blend can make one of several"
        )
    return models[others[0]]


def _within(models: Iterable[Model]) -> set[int]:
    """Return the `id` of each model that another one is made of."""
    return {id(part) for model in models for part in model.models.values()}


def _table(file: Path, top: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    table = top.get(name, {})
    if not isinstance(table, dict):
        raise Place(file, name).error(
            f"it is a table; write [{name}] in single brackets, and its entries below"
        )
    return table


def _refuse_unused(file: Path, names: Sequence[str]) -> None:
    if names:
        raise Place(file, f"[models.{names[0]}]").error(
            "no source, scorer or baseline uses this model; name it in one of them or leave it out"
        )
