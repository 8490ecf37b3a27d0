"""Configuration files: what the constructors' signatures say is what a file may say, and errors name the place."""

import inspect
import os
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Literal

import polars as pl
import pytest

import shortlist as sl
from shortlist import config, registry
from shortlist.config.arguments import arguments, parameter_types, takes_model, takes_models
from shortlist.config.place import Place
from shortlist.config.values import UnsuitableError, can_hold, convert, describe
from shortlist.data import split
from shortlist.data.read import read
from shortlist.errors import ConfigError, DataError
from shortlist.experiments.evaluate import evaluate

HERE = Path("/somewhere/c.toml")
DATA = '[data]\ninteractions = "events.csv"\n'
MODEL = '[models.m]\ntype = "Popularity"\n'
WALS = '[models.w]\ntype = "WALS"\ndim = 3\n'
# The model of those that take no other.
MODELS = {"Again": sl.BuyAgain(), "TopInSegment": sl.KMeansSegments()}
SOURCE = '[[sources]]\ntype = "Nearest"\nmodel = "w"\n'
SCORER = '[scorer]\ntype = "ModelScorer"\nmodel = "w"\n'
# What classes cannot be made without, besides models.
NEEDED = {
    "AllowList": {"items": [1]},
    "Boost": {"on": "maker", "amounts": {"own": 0.1}},
    "Calibration": {"on": "genres"},
    "DenyCategory": {"column": "genres", "values": ["Horror"]},
    "DenyList": {"items": ["a"]},
    "Exposure": {"on": "maker"},
    "Hidden": {"pairs": [["u", 1]]},
    "OnlyCategory": {"column": "genres", "values": ["Comedy"]},
    "PrecomputedLists": {"lists": "/lists.csv"},
    "TopInGroup": {"column": "genres"},
    "TopInUserGroup": {"column": "country"},
    "UserBlocks": {"blocks": [["u", "Horror"]], "column": "genres"},
}


@pytest.fixture
def written(tmp_path: Path):
    """Return a function that writes text as c.toml and reads it as a configuration."""

    def write(*parts: str) -> config.Configuration:
        (tmp_path / "c.toml").write_text("".join(parts))
        return config.read(tmp_path / "c.toml")

    return write


def refused(written, *parts: str) -> str:
    with pytest.raises(ConfigError) as caught:
        written(*parts)
    return str(caught.value)


# Signatures.


@pytest.mark.parametrize("name", registry.CLASSES)
def test_a_file_can_set_every_parameter_of_every_class(name: str) -> None:
    cls = registry.class_of(name)
    parameters = inspect.signature(cls).parameters
    # Functions no file can hold (the schemes beside them can be); stages of a stage have tables of their own.
    elsewhere = {"pair_weights", "terms", "scorer"}
    assert list(parameter_types(cls)) == [key for key in parameters if key not in elsewhere]
    model = MODELS.get(name, sl.Popularity())
    parts = {"scorer": sl.ModelScorer(model)} if "scorer" in parameters else {}
    defaults = {key: p.default for key, p in parameters.items() if p.default not in (p.empty, None)}
    hints = parameter_types(cls)
    one = {key: "m" for key, hint in hints.items() if takes_model(hint) and not takes_models(hint)}
    several = {key: ["m"] for key, hint in hints.items() if takes_models(hint)}
    written = NEEDED.get(name, {})
    needed = {key: convert(value, hints[key], HERE.parent) for key, value in written.items()}
    supplied = elsewhere & set(parameters)
    tables = defaults | written | one | several
    found = arguments(Place(HERE), tables, cls, supplied=supplied, models={"m": model})
    models = dict.fromkeys(one, model) | {key: {"m": model} for key in several}
    assert found == defaults | needed | models
    assert cls(**parts, **found).params() == cls(**parts, **needed, **models).params()


@pytest.mark.parametrize("name", registry.CLASSES)
def test_a_default_has_the_type_that_is_annotated(name: str) -> None:
    cls = registry.class_of(name)
    hints = parameter_types(cls)
    for key, parameter in inspect.signature(cls).parameters.items():
        if parameter.default not in (parameter.empty, None):
            assert convert(parameter.default, hints[key], HERE.parent) == parameter.default


@pytest.mark.parametrize("function", [read, split.random, split.leave_last_out, split.global_time, evaluate])
def test_a_file_can_set_every_parameter_of_every_function(function) -> None:
    supplied = {"dataset", "models", "train", "test"}
    names = [name for name in inspect.signature(function).parameters if name not in supplied]
    assert [name for name in parameter_types(function) if name not in supplied] == names


def thing(
    a: int,
    b: float = 1.0,
    *,
    c: "Literal['x', 'y'] | None" = None,
    d: Sequence[str] = (),
    e: Mapping[str, int] | None = None,
    f: "NotImported | None" = None,  # noqa: F821
    rng: object = None,
) -> None:
    """Have parameters of many kinds."""


def test_keywords_are_converted_and_the_seed_handed_on() -> None:
    table = {"a": 1, "b": 2, "c": "y", "d": ["u"], "e": {"v": 3}}
    found = arguments(Place(HERE), table, thing, seed=7)
    assert found == {"a": 1, "b": 2.0, "c": "y", "d": ["u"], "e": {"v": 3}, "rng": 7}
    assert type(found["b"]) is float
    assert arguments(Place(HERE), {"a": 1, "seed": 9}, thing, seed=7) == {"a": 1, "rng": 9}


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({}, "/somewhere/c.toml: [t]: thing needs the key a"),
        ({"a": 1.5}, "[t]: a: needs a whole number, not 1.5"),
        ({"a": True}, "a: needs a whole number, not true"),
        ({"a": 1, "b": "1"}, 'b: needs a number, not "1"'),
        ({"a": 1, "c": "z"}, 'c: needs "x" or "y", not "z"'),
        ({"a": 1, "d": "u"}, 'd: needs a list; each entry a string, not "u"'),
        ({"a": 1, "d": [1]}, "d: needs a string, not 1"),
        ({"a": 1, "e": {"v": "w"}}, 'e: needs a whole number, not "w"'),
        ({"a": 1, "A": 1}, "A: thing has no such key. Did you mean 'a'? It has a, b, c, d, e, seed"),
        ({"a": 1, "f": 1}, "f: thing has no such key"),
        ({"a": 1, "rng": 1}, "rng: thing has no such key"),
        ({"a": 1, "seed": "x"}, "seed: needs a whole number of at least 0, not 'x'"),
        ({"a": 1, "seed": -1}, "seed: needs a whole number of at least 0, not -1"),
        ({"a": 1, "seed": True}, "seed: needs a whole number of at least 0, not True"),
    ],
)
def test_what_does_not_fit_is_said_with_its_place(table: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        arguments(Place(HERE, "[t]"), table, thing)
    assert words in str(caught.value)


def test_what_the_caller_supplies_a_file_may_not() -> None:
    assert arguments(Place(HERE), {}, thing, supplied=("a", "rng")) == {}
    with pytest.raises(ConfigError, match="a: thing has no such key"):
        arguments(Place(HERE), {"a": 1}, thing, supplied=("a",))


@pytest.mark.parametrize(
    ("value", "hint", "expected"),
    [
        (1, float, 1.0),
        (1, int | float, 1),
        (1, float | int, 1),
        (1.5, int | float, 1.5),
        ("x", str | os.PathLike[str] | None, Path("/somewhere/x")),
        ("/x", Path, Path("/x")),
        ("~/x", Path, Path.home() / "x"),
        ([1, 2], tuple[float, float], (1.0, 2.0)),
        ([1, 2], tuple[int, ...], (1, 2)),
        ([1, 2], list[int], [1, 2]),
        ([1, "x"], list, [1, "x"]),
        ([[1], []], Iterable[list[int]], [[1], []]),
        ({"a": 1}, dict[str, float], {"a": 1.0}),
        ({"a": 1}, dict, {"a": 1}),
        ({"a": {"b": "c"}}, Mapping[str, str | Mapping[str, str]], {"a": {"b": "c"}}),
        (datetime(2020, 1, 1, tzinfo=UTC), str | datetime, datetime(2020, 1, 1, tzinfo=UTC)),
        (date(2020, 1, 1), date, date(2020, 1, 1)),
        (True, Any, True),
    ],
)
def test_a_value_becomes_what_is_annotated(value: object, hint: Any, expected: object) -> None:
    found = convert(value, hint, HERE.parent)
    assert found == expected
    assert type(found) is type(expected)
    assert can_hold(hint)


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        (True, int),
        (True, float),
        (1, bool),
        (1, Literal[True]),
        (1.0, int),
        (None, int | None),
        ([1], tuple[int, int]),
        ([1, 2, 3], tuple[int, int]),
        ({}, list[int]),
        ([], dict[str, int]),
        (datetime(2020, 1, 1, tzinfo=UTC), date),
        (1, Path),
        ("x", pl.DataFrame),
    ],
)
def test_a_value_of_another_type_is_refused(value: object, hint: Any) -> None:
    with pytest.raises(UnsuitableError, match="needs "):
        convert(value, hint, HERE.parent)


@pytest.mark.parametrize("hint", [pl.DataFrame, None, type(None), pl.DataFrame | pl.Series])
def test_a_file_holds_no_frames(hint: Any) -> None:
    assert not can_hold(hint)
    assert describe(hint) == "something that a file cannot hold"


# The text.


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("a = 1\nb = \n", 2, 5),
        ("a = 1\na = 2\n", 2, 6),
        ('[data]\nx = "open', 2, 10),
        ("x = [1,", 1, 8),
        ("\n\n[a\n", 3, 3),
    ],
)
def test_syntax_errors_have_line_and_column(written, text: str, line: int, column: int) -> None:
    message = refused(written, text)
    assert f"c.toml, line {line}, column {column}: " in message
    shown, pointer = message.splitlines()[1:]
    assert shown == f"  {text.splitlines()[line - 1]}".rstrip()
    assert pointer.index("^") == column + 1


def test_other_encodings_are_said(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_bytes(b'a = 1\nb = "\xe9"\n')
    with pytest.raises(ConfigError, match="line 2: not UTF-8"):
        config.read(tmp_path / "c.toml")
    (tmp_path / "bom.toml").write_bytes(b"\xef\xbb\xbf" + (DATA + MODEL).encode())
    assert isinstance(config.read(tmp_path / "bom.toml").recommender, sl.Popularity)


def test_a_folder_or_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: cannot be read: No such file"):
        config.read(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        config.read(tmp_path)


# What a file asks for.


def test_a_single_model_is_the_recommender(written) -> None:
    found = written(DATA, '[models.m]\ntype = "Popularity"\nby = "decayed"\nhalf_life_days = 7\n')
    assert isinstance(found.recommender, sl.Popularity)
    assert found.recommender.params() == {"by": "decayed", "half_life_days": 7.0, "shrinkage": 10.0}
    assert found.seed == 0


def test_sources_share_the_model_they_name(written) -> None:
    related = '[[sources]]\ntype = "RelatedToRecent"\nmodel = "w"\nrecent = 3\nname = "like recent"\n'
    pipeline = written(
        DATA, WALS, SOURCE, related, '[[sources]]\ntype = "Popular"\nk = 7\n', SCORER
    ).recommender
    assert isinstance(pipeline, sl.Pipeline)
    nearest, recent, popular = pipeline.sources
    assert nearest.model is recent.model is pipeline.scorer.model
    assert nearest.model.dim == 3
    assert (recent.recent, recent.name, popular.k) == (3, "like recent", 7)


def test_the_baseline_is_not_the_recommender(written) -> None:
    found = written(DATA, MODEL, WALS, '[evaluate]\nbaseline = "m"\nk = 4\n')
    assert isinstance(found.recommender, sl.WALS)
    name, model = found.baseline
    assert (name, type(model)) == ("m", sl.Popularity)
    assert found.evaluation_arguments(evaluate, ("models", "train", "test", "baseline")) == {"k": 4, "rng": 0}


def test_data_are_read_from_the_folder_of_the_file(written, tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text("who,what,stars\n1,2,5\n1,3,1\n")
    (tmp_path / "things.csv").write_text("item_id,title\n2,Lamp\n4,Desk\n")
    text = (
        '[data]\ninteractions = "events.csv"\nitems = "things.csv"\nkind = "ratings"\n'
        "scale = [1, 5]\npositive_from = 5\n"
        'columns = { user_id = "who", item_id = "what", value = "stars" }\nfeatures.items = { title = "text" }\n'
    )
    data = written(text, MODEL).dataset()
    assert data.feedback == sl.Feedback.ratings(1, 5, 5)
    assert (data.users.ids.to_list(), data.items.ids.to_list()) == ([1], [2, 3, 4])
    assert data.titles.to_list() == ["Lamp", None, "Desk"]


def test_samples_can_be_named(written) -> None:
    data = written('[data]\ndataset = "movielens_small"\n', MODEL).dataset()
    assert len(data.interactions) == 100_836


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ('kind = "leave_last_out"\nn = 1', lambda data: split.leave_last_out(data, n=1)),
        ('kind = "hide"\nusers = 0.5\nitems = 0.4', lambda data: split.hide(data, 0.5, 0.4, rng=4)),
        ('kind = "random"\nfraction = 0.5', lambda data: split.random(data, 0.5, rng=4)),
        ('kind = "random"\nseed = 8', lambda data: split.random(data, rng=8)),
        (
            'kind = "global_time"\nat = 2001-09-09T01:46:44Z',
            lambda data: split.global_time(data, at="2001-09-09T01:46:44"),
        ),
    ],
)
def test_splits_are_those_of_the_library(written, tmp_path: Path, table: str, expected) -> None:
    rows = [f"{user},{item},{1_000_000_000 + item}" for user in range(3) for item in range(8)]
    (tmp_path / "events.csv").write_text("\n".join(["user_id,item_id,timestamp", *rows]))
    found = written("seed = 4\n", DATA, f"[split]\n{table}\n", MODEL)
    data = found.dataset()
    train, test = found.split(data)
    for part, other in zip((train, test), expected(data), strict=True):
        assert part.fingerprint == other.fingerprint
    parts = found.split(data)
    inner = found.validation_rule(parts)(train)
    assert len(inner.train.interactions) + len(inner.test.interactions) == len(train.interactions)
    assert inner.name.partition("(")[0] == parts.name.partition("(")[0]
    if " at" in f" {table.partition(chr(10))[2]}":
        share = len(parts.test.interactions) / len(data.interactions)
        assert inner.name == f"global_time(fraction={share:g})"
        assert inner.test.interactions.timestamp.min() > inner.train.interactions.timestamp.max()


def test_a_refusal_of_the_split_names_the_table(written, tmp_path: Path) -> None:
    (tmp_path / "events.csv").write_text("user_id,item_id\n1,2\n1,3\n")
    found = written(DATA, '[split]\nkind = "random"\nfraction = 2\n', MODEL)
    with pytest.raises(ConfigError, match=r"c.toml: \[split\]: fraction=2.0 must lie between"):
        found.split(found.dataset())
    unsplit = written(DATA, MODEL)
    with pytest.raises(ConfigError, match=r"there is no \[split\]"):
        unsplit.split(unsplit.dataset())


def test_what_is_wrong_with_the_data_stays_a_data_error(written) -> None:
    with pytest.raises(DataError, match=r"events\.csv"):
        written(DATA, MODEL).dataset()


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ((MODEL,), "[data]: needs interactions = a file, or dataset = "),
        ((DATA,), "there is no model"),
        (("[dta]\n", DATA, MODEL), "dta: no such table. Did you mean 'data'?"),
        (("seed = -1\n", DATA, MODEL), "seed: needs a whole number of at least 0"),
        (('seed = "x"\n', DATA, MODEL), "seed: needs a whole number of at least 0, not 'x'"),
        (("data = 3\n", MODEL), "data: it is a table"),
        (
            ('[data]\ndataset = "movielens"\n', MODEL),
            "[data]: dataset: no sample of data is called 'movielens'. Did you mean",
        ),
        (
            ('[data]\ndataset = "online_retail"\nscale = [1, 5]\n', MODEL),
            "[data]: scale: online_retail has no such key",
        ),
        (
            ('[data]\ninteractions = "a.csv"\nscael = [1, 5]\n', MODEL),
            "[data]: scael: read has no such key. Did you mean 'scale'?",
        ),
        (
            ('[data]\ninteractions = "a.csv"\nscale = [1]\n', MODEL),
            "scale: needs a list of 2: a number, a number",
        ),
        ((DATA, "[models]\nm = 3\n"), "[models.m]: it is a table"),
        ((DATA, "[models.m]\n"), '[models.m]: needs type = "BPR" | "Blend" | '),
        (
            (DATA, '[models.m]\ntype = "Wals"\n'),
            "type: no type of model is called 'Wals'. Did you mean 'WALS'?",
        ),
        ((DATA, "[models.m]\ntype = 3\n"), "type: needs the name of a type of model in quotes, not 3"),
        (
            (DATA, MODEL + "halflife_days = 3\n"),
            "[models.m]: halflife_days: Popularity has no such key. Did you mean 'half_life_days'?",
        ),
        (
            (DATA, MODEL + 'by = "stars"\n'),
            '[models.m]: by: needs "count" or "decayed" or "mean", not "stars"',
        ),
        ((DATA, MODEL + "half_life_days = -3\n"), "[models.m]: half_life_days must be"),
        (
            (DATA, MODEL, WALS),
            "without [[sources]] there is one model besides the baseline, here there are: m, w",
        ),
        ((DATA, WALS, SCORER), "[scorer]: it is not used"),
        ((DATA, WALS, SOURCE), "there is no [scorer]"),
        ((DATA, WALS, SCORER, '[sources]\ntype = "Nearest"\n'), "write each as [[sources]]"),
        (
            (DATA, WALS, SCORER, SOURCE.replace('"w"', '"v"')),
            "[[sources]] no. 1: model: no model is called 'v'",
        ),
        (
            (DATA, WALS, SCORER, SOURCE, '[[sources]]\ntype = "Nearest"\n'),
            "[[sources]] no. 2: Nearest needs model = one of the models: w",
        ),
        ((DATA, WALS, SCORER, SOURCE, SOURCE), "two sources are called 'Nearest'"),
        ((DATA, WALS, SCORER, SOURCE, MODEL), "[models.m]: no source, scorer or baseline uses this model"),
        (
            (DATA, WALS, SCORER, SOURCE, '[[rerank]]\ntype = "Selekt"\n'),
            "[[rerank]] no. 1: type: no type of step is called 'Selekt'. Did you mean 'Select'?",
        ),
        (
            (DATA, WALS, SCORER, SOURCE, '[[rerank]]\ntype = "Select"\nterms = { MNR = 0.1 }\n'),
            "[[rerank]] no. 1: terms.MNR: no term is called 'MNR'. Did you mean 'MMR'?",
        ),
        (
            (DATA, WALS, SCORER, SOURCE, '[[rerank]]\ntype = "Select"\nterms = { MMR = 2.0 }\n'),
            "[[rerank]] no. 1 terms.MMR: weight must be a number at least 0 and at most 1",
        ),
        (
            (DATA, WALS, SCORER, SOURCE, '[[rerank]]\ntype = "Select"\nterms = { DPP = { on = 3 } }\n'),
            "[[rerank]] no. 1 terms.DPP: on: needs a string, not 3",
        ),
        ((DATA, WALS, SCORER, SOURCE, "[rerank]\n"), "write each as [[rerank]]"),
        (
            (DATA, WALS, SCORER, SOURCE, '[objective]\nkind = "revenue"\n'),
            "[objective]: the objective 'revenue' needs price=",
        ),
        ((DATA, WALS, '[objective]\nkind = "purchase"\n'), "[objective]: it is not used"),
        (
            (DATA, "[split]\nfraction = 0.2\n", MODEL),
            '[split]: needs kind = "global_time" | "hide" | "leave_last_out" | "random"',
        ),
        ((DATA, '[split]\nkind = "k_fold"\n', MODEL), "[split]: kind: no kind of split is called 'k_fold'"),
        ((DATA, MODEL, '[evaluate]\nbaseline = "x"\n'), "[evaluate]: baseline: no model is called 'x'"),
        ((DATA, MODEL, '[evaluate]\nbaseline = "m"\n'), "besides the baseline, here there are: none"),
    ],
)
def test_every_mistake_names_its_place_and_what_is_allowed(
    written, parts: tuple[str, ...], words: str
) -> None:
    message = refused(written, *parts)
    assert words in message
    assert "c.toml: " in message


def test_the_example_of_the_module_is_true(written) -> None:
    documented = config.configuration.__doc__
    for name in config.configuration.TABLES:
        assert f"[{name}" in documented
    for name in (*config.configuration.DATASETS, *config.configuration.SPLITS):
        assert name in documented
