"""The search space: what is in it is what constructors take, and mistakes name the nearest right spelling."""

import math

import pytest
from experiments.tuning.shop import pipeline, wals
from hypothesis import given
from hypothesis import strategies as st

import shortlist as sl
from shortlist import registry
from shortlist.errors import ParameterError
from shortlist.experiments.tuning.default_space import DEFAULTS, default_space
from shortlist.experiments.tuning.parts import Builder, Parts
from shortlist.experiments.tuning.search_space import Choices, Range, read_space

WALS = Parts(sl.WALS())


def bounds(least, most, *, whole):
    numbers = st.integers(least, most) if whole else st.floats(least, most, allow_subnormal=False)
    return st.lists(numbers, min_size=2, max_size=2, unique=True).map(sorted)


@st.composite
def entries(draw, whole):
    low, high = draw(bounds(1 if whole else 1e-6, 1000 if whole else 1e3, whole=whole))
    entry = {"low": low, "high": high}
    if draw(st.booleans()):
        entry["log"] = draw(st.booleans())
    if whole and not entry.get("log") and draw(st.booleans()):
        entry["step"] = draw(st.integers(1, high - low))
    return entry


@given(dim=entries(whole=True), reg=entries(whole=False), share=st.floats(0, 1))
def test_whatever_is_drawn_is_in_the_range_and_can_be_built(dim, reg, share):
    space = read_space({"dim": dim, "reg": reg}, WALS)
    dims = range(dim["low"], dim["high"] + 1, dim.get("step", 1))
    assert (space["dim"].size, space["dim"].ends) == (len(dims), (dims[0], dims[-1]))
    drawn = {
        "dim": [dims[round(share * (len(dims) - 1))], *space["dim"].ends],
        "reg": [min(reg["low"] + share * (reg["high"] - reg["low"]), reg["high"]), *space["reg"].ends],
    }
    for name, entry in (("dim", dim), ("reg", reg)):
        found = space[name]
        for value in drawn[name]:
            assert found.distribution()._contains(value)
            used = found.used(value)
            assert used in found
            assert entry["low"] <= used <= entry["high"]
            assert math.isclose(used, value, rel_tol=1e-3, abs_tol=1e-12)
            assert isinstance(used, int if name == "dim" else float)
            assert found.used(used) == used
            assert getattr(WALS.build({name: used}), name) == used


@given(
    entry=st.one_of(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        st.lists(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), max_size=3),
        st.dictionaries(
            st.sampled_from(["low", "high", "log", "step", "choices", "lwo"]),
            st.none()
            | st.booleans()
            | st.integers(-5, 5)
            | st.floats()
            | st.text()
            | st.lists(st.integers()),
            max_size=4,
        ),
    ),
    name=st.sampled_from(["dim", "reg", "unobserved", "n_epochs"]),
)
def test_a_space_is_one_that_can_be_built_or_is_refused_by_name(entry, name):
    space, said = None, ""
    try:
        space = read_space({name: entry}, WALS)
    except ParameterError as error:
        said = str(error)
    assert (space is None) == (name in said or "the space is empty" in said)
    for value in space[name].ends if space else ():
        WALS.build({name: value})


@pytest.mark.parametrize(
    ("space", "words"),
    [
        ({"dmi": [1]}, "there is no parameter 'dmi'. Did you mean 'dim'? There are dim, unobserved_weight"),
        ({"reg": 0.1}, "reg: needs { low = …, high = … }, { choices = […] } or a list of choices, not 0.1"),
        ({"reg": {"low": 0.1}}, "reg: needs high"),
        ({"reg": {"low": 1, "high": 0.1}}, "reg: low=1 must be less than high=0.1"),
        ({"reg": {"low": 0, "high": 1, "log": True}}, "reg: log = true needs low above 0"),
        ({"reg": {"low": 0, "high": 1, "logg": True}}, "reg: no such key: logg. Did you mean 'log'?"),
        ({"reg": {"low": 0, "high": 1, "log": 1}}, "reg: log must be true or false"),
        ({"reg": {"low": 0, "high": math.inf}}, "reg: high must be a finite number"),
        ({"reg": {"low": 0, "high": 1, "step": 2}}, "reg: a step is for whole numbers"),
        ({"dim": {"low": 1, "high": 9, "step": 9}}, "dim: step must be a whole number from 1 to the width"),
        ({"dim": {"low": 1, "high": 9, "step": 0.5}}, "dim: step must be a whole number from 1 to the width"),
        ({"dim": {"low": 1, "high": 9, "log": True, "step": 2}}, "dim: give log = true or a step"),
        ({"reg": {"choices": "abc"}}, "reg: choices needs a list"),
        ({"reg": []}, "reg: there is no choice"),
        ({"reg": [0.1, 0.1]}, "reg: the choice 0.1 stands there twice"),
        ({"reg": {"low": -1, "high": 1}}, "reg: -1 cannot be tried: reg must be a number at least 0, got -1"),
        ({"dim": {"low": 0, "high": 4}}, "dim: 0 cannot be tried: dim must be a whole number of at least 1"),
        ({"dim": {"low": 1.5, "high": 4}}, "dim: the parameter is a whole number"),
        ({"dim": [2.5]}, "dim: needs a whole number, not 2.5"),
        ({"unobserved": {"low": 1, "high": 2}}, 'takes "all" or "complement", which has no range'),
        ({"unobserved": ["all", "none"]}, 'needs "all" or "complement", not "none"'),
    ],
)
def test_every_mistake_is_named(space, words):
    with pytest.raises(ParameterError) as caught:
        read_space(space, WALS)
    assert words in str(caught.value)


def test_a_step_is_kept_and_its_last_value_is_the_end():
    found = read_space({"dim": {"low": 1, "high": 10, "step": 4}}, WALS)["dim"]
    assert (found.ends, found.size) == ((1, 9), 3)
    assert [value for value in range(12) if value in found] == [1, 5, 9]


def test_what_a_range_and_choices_hold():
    assert True not in Range(0, 2)
    assert 1 not in Choices((True, 2))
    assert None in Choices((None, 1.0))
    assert (Range(1, 4, whole=True).size, Range(0.0, 1.0).size, Choices((1, 2)).size) == (4, math.inf, 2)


def test_tables_within_tables_are_addresses():
    flat = {
        "models.WALS.dim": [2, 3],
        "sources.Nearest.k": {"low": 2, "high": 9},
        "sources.Popular.k": [1, 2],
    }
    nested = {
        "models": {"WALS": {"dim": [2, 3]}},
        "sources": {"Nearest": {"k": {"low": 2, "high": 9}}, "Popular.k": [1, 2]},
    }
    numbered = {"models.WALS.dim": [2, 3], "sources": {"1": {"k": {"low": 2, "high": 9}}, "2": {"k": [1, 2]}}}
    parts = Parts(pipeline())
    assert read_space(flat, parts) == read_space(nested, parts) == read_space(numbered, parts)
    with pytest.raises(ParameterError, match=r"sources\.Nearest\.k: it stands there twice"):
        read_space(flat | {"sources.1.k": [1]}, parts)


def test_values_that_go_together_only_are_taken():
    # sgd takes no tol, and als no learning rate: each is refused alone, beside the solver as it stands.
    parts = Parts(sl.MatrixFactorization())
    space = {"solver": ["als", "sgd"], "learning_rate": {"low": 0.001, "high": 0.1, "log": True}}
    assert set(read_space(space, parts)) == {"solver", "learning_rate"}
    with pytest.raises(ParameterError, match=r"learning_rate: 0\.001 cannot be tried"):
        read_space({"learning_rate": space["learning_rate"]}, parts)


def test_a_function_has_the_parameters_of_its_signature():
    def build(reg: float, dim: int = 4, other=1):
        return wals(reg=reg, dim=dim)

    parts = Builder(build)
    space = read_space(
        {"reg": {"low": 0, "high": 1}, "dim": {"low": 1, "high": 9}, "other": {"low": 1, "high": 2}}, parts
    )
    assert [found.whole for found in space.values()] == [False, True, True]
    assert parts.values == {"dim": 4, "other": 1}
    with pytest.raises(ParameterError, match="Did you mean 'reg'"):
        read_space({"rge": [1]}, parts)


@pytest.mark.parametrize(
    "name", [name for name in registry.MODELS if name not in ("Blend", "FeatureMapping")]
)
def test_every_model_has_a_default_space_that_holds_its_defaults(name):
    parts = Parts(registry.class_of(name)())
    space = default_space(parts)
    assert space
    assert set(space) == set(DEFAULTS[name])
    for address, found in space.items():
        assert parts.values[address] in found
        assert getattr(found, "whole", False) == (type(parts.values[address]) is int)
        for value in found.ends:
            parts.build({address: value})


def test_a_source_has_a_default_space_that_holds_its_defaults():
    made = [sl.BoughtTogether(), sl.NextItem(), sl.TopInGroup("genres"), sl.TopInSegment()]
    made += [sl.TopInUserGroup("country"), sl.Trending()]
    parts = Parts(sl.Pipeline(made, sl.ModelScorer(sl.WALS())))
    space = default_space(parts)
    for source in made:
        own = [name for address in space for kind, of, name in [address.split(".")] if of == source.name]
        assert own == list(DEFAULTS[source.name])
    for address, found in space.items():
        assert parts.values[address] in found
        for value in found.ends:
            parts.build({address: value})


def test_a_mapping_has_its_penalties_and_the_default_space_of_its_model():
    found = default_space(Parts(sl.FeatureMapping({"taste": sl.WALS()})))
    wanted = {f"models.taste.{name}" for name in DEFAULTS["WALS"]}
    assert set(found) == {*wanted, "reg", "user_reg", "boost"}


def test_a_blend_has_the_default_spaces_of_its_models():
    blend = sl.Blend({"taste": sl.WALS(), "pop": sl.Popularity()})
    wanted = {f"models.taste.{name}" for name in DEFAULTS["WALS"]}
    wanted |= {f"models.pop.{name}" for name in DEFAULTS["Popularity"]}
    assert set(default_space(Parts(blend))) == wanted
    assert DEFAULTS["Blend"] == {}


def test_a_pipeline_has_the_default_spaces_of_its_models():
    space = default_space(Parts(pipeline()))
    assert {address.rpartition(".")[0] for address in space} == {"models.WALS", "models.Popularity"}
