import re

import pytest

import shortlist as sl
from shortlist import config
from shortlist.config.rewriting import rewritten
from shortlist.errors import ConfigError
from shortlist.experiments.tuning.parts import Parts

BOTH = """
[data]
dataset = "movielens_small"
[models.both]
type = "Blend"
models = ["taste", "pop"]
weights = { taste = 1, pop = 0.5 }
[models.taste]
type = "WALS"
dim = 8
[models.pop]
type = "Popularity"
"""


def read(tmp_path, text):
    (tmp_path / "c.toml").write_text(text, encoding="utf-8")
    return config.read(tmp_path / "c.toml")


def test_a_blend_is_what_a_file_recommends_with(tmp_path):
    found = read(tmp_path, BOTH)
    blend = found.recommender
    assert isinstance(blend, sl.Blend)
    assert list(found.models) == ["both", "taste", "pop"]
    assert blend.models == {"taste": found.models["taste"], "pop": found.models["pop"]}
    assert blend.weights == {"taste": 1.0, "pop": 0.5}


def test_a_model_within_may_be_the_baseline(tmp_path):
    found = read(tmp_path, BOTH + '[evaluate]\nbaseline = "pop"\n')
    assert isinstance(found.recommender, sl.Blend)
    assert found.baseline == ("pop", found.models["pop"])


def test_sources_and_blends_share_their_models(tmp_path):
    text = (
        BOTH
        + '[[sources]]\ntype = "Nearest"\nmodel = "both"\n[scorer]\ntype = "ModelScorer"\nmodel = "taste"\n'
    )
    found = read(tmp_path, text)
    assert found.recommender.sources[0].model.models["taste"] is found.recommender.scorer.model


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            '["taste", "pop"]',
            '["tast", "pop"]',
            r"\[models.both\]: models: no model is called 'tast'. Did you mean 'taste'",
        ),
        ('["taste", "pop"]', '["taste", "taste"]', "'taste' is named twice"),
        (
            '["taste", "pop"]',
            '"taste"',
            "needs a list of names of models, not 'taste'; there are taste, pop",
        ),
        ('["taste", "pop"]', "[]", "models takes models by name"),
        ('["taste", "pop"]', "[3]", "needs the name of a model in quotes, not 3"),
        ('["taste", "pop"]', '["both", "taste"]', "a model cannot be made of itself: both → both"),
        (
            'models = ["taste", "pop"]',
            "",
            r"\[models.both\]: Blend needs models = a list of names of models",
        ),
        ("pop = 0.5 }", "pop = -1 }", r"weights\['pop'\] must be a number at least 0"),
        ("pop = 0.5 }", 'pop = "x" }', "weights"),
        ("dim = 8", 'dim = 8\nmodels = ["pop"]', "WALS has no such key"),
        (
            "[models.pop]",
            '[models.other]\ntype = "WALS"\n[models.pop]',
            "besides the baseline, here there are: both, other. A Blend can make one of several",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(tmp_path, old, new, said):
    assert old in BOTH
    with pytest.raises(ConfigError, match=said):
        read(tmp_path, BOTH.replace(old, new))


def test_a_longer_circle_is_said_with_its_way(tmp_path):
    text = BOTH.replace('type = "Popularity"', 'type = "Blend"\nmodels = ["third"]')
    text += '[models.third]\ntype = "Blend"\nmodels = ["taste", "both"]\n'
    with pytest.raises(ConfigError, match=re.escape("both → pop → third → both")):
        read(tmp_path, text)


def test_parameters_within_are_tuned_and_written(tmp_path):
    found = read(tmp_path, BOTH)
    parts = Parts(found.recommender, found.models)
    assert {"models.taste.dim", "models.pop.by", "models.both.validation_k"} <= set(parts.types)
    assert not {"models.both.models", "models.taste.models"} & set(parts.types)
    built = parts.build({"models.taste.dim": 3})
    assert built.models["taste"].dim == 3
    assert found.models["taste"].dim == 8
    text = rewritten(found.file, {"models.taste.dim": 3}, folder=tmp_path)
    assert text == BOTH.replace("dim = 8", "dim = 3")


def test_a_model_within_two_others_is_built_once():
    shared = sl.WALS(4)
    blend = sl.Blend({"one": sl.Blend({"a": shared}), "b": shared})
    built = Parts(blend).build({"models.b.dim": 5})
    assert built.models["b"].dim == 5
    assert built.models["one"].models["a"] is built.models["b"]


def test_a_lone_blend_is_addressed_by_the_names_within():
    blend = sl.Blend({"taste": sl.WALS(4), "inner": sl.Blend({"pop": sl.Popularity()})})
    values = Parts(blend).values
    assert values["models.taste.dim"] == 4
    assert values["models.inner.models.pop.by"] == "count"
    assert values["validation_k"] == 20


def test_a_pipeline_names_the_models_within_by_their_class():
    blend = sl.Blend({"taste": sl.WALS(4), "more": sl.WALS(5)}, weights={"taste": 1, "more": 1})
    values = Parts(sl.Pipeline([sl.Nearest(blend)], sl.ModelScorer(blend))).values
    assert (values["models.WALS.dim"], values["models.WALS 2.dim"]) == (4, 5)
