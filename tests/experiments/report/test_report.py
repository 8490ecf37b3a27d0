"""The report against slow definitions, on small worlds whose people and items are all known."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest
from fixed_vectors import FixedVectors
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import list_report as oracle
from scipy import sparse

import shortlist as sl
from shortlist import metrics
from shortlist.data.dataset import Dataset
from shortlist.data.features import FeatureTable
from shortlist.data.feedback import Feedback
from shortlist.data.interactions import Interactions
from shortlist.data.memory import Limits
from shortlist.data.vocabulary import Vocabulary
from shortlist.errors import ArtifactError, DataError, NotFittedError, ParameterError
from shortlist.experiments.report.jackknife import blocks_of, sums_without
from shortlist.reranking.effects import effects

N_USERS, N_ITEMS, K = 13, 18, 4
DENIED = 5
GENRES = ("<b>drama</b>", "comedy", "war")
PEOPLE = [f"person-{number:02}" for number in range(N_USERS)]


def world(seed):
    """Events of people of whom two like nothing; items with genres (several, or none) and one maker."""
    rng = np.random.default_rng(seed)
    users, items = Vocabulary.of(PEOPLE), Vocabulary.of(range(N_ITEMS))
    genres = [sorted(rng.choice(GENRES, rng.integers(0, 3), replace=False).tolist()) for _ in range(N_ITEMS)]
    genres[0], genres[1] = [GENRES[0], "comedy"], ["war"]
    frame = pl.DataFrame(
        {"id": items.ids, "genres": genres, "maker": rng.choice(["x", "y", "z"], N_ITEMS).tolist()},
        {"id": pl.Int64, "genres": pl.List(pl.String), "maker": pl.String},
    )
    n = 40
    pairs = rng.choice((N_USERS - 2) * N_ITEMS, n, replace=False)
    log = Interactions.of(
        (pairs // N_ITEMS).astype(np.int32),
        (pairs % N_ITEMS).astype(np.int32),
        rng.choice([2.0, 4.0, 5.0], n).astype(np.float32),
        np.arange(n) * 86_400_000_000,
        N_USERS,
        N_ITEMS,
        Feedback.ratings(1, 5, 4),
    )
    return Dataset(log, users, items, None, FeatureTable(frame, {"genres": "tags", "maker": "categorical"}))


def fitted(seed, *rerank, rules=True):
    rng = np.random.default_rng(seed)
    model = FixedVectors(rng.standard_normal((N_USERS, 3)), rng.standard_normal((N_ITEMS, 3)))
    forbidding = [sl.DenyList([DENIED])] if rules else []
    pipeline = sl.Pipeline([sl.Nearest(model, k=N_ITEMS)], sl.ModelScorer(model), rerank, rules=forbidding)
    return pipeline.fit(world(seed))


def steps():
    terms = sl.MMR(0.1), sl.DPP(0.1, on="genres"), sl.Calibration("genres", 0.3), sl.Exposure("maker", 0.1)
    return sl.Freshness(30, 0.3), sl.Select(*terms, caps={"genres": 2})


def lists_of(pipeline, **limits):
    shown = pipeline.recommend(PEOPLE, K, **limits).frame
    return {user: shown.filter(pl.col("user_id") == user)["item_id"].to_list() for user in PEOPLE}


def likes_of(data):
    log = data.interactions
    kept = zip(log.user_idx[log.positive].tolist(), log.item_idx[log.positive].tolist(), strict=True)
    likes = {user: [] for user in PEOPLE}
    for user, item in sorted(set(kept)):
        likes[PEOPLE[user]].append(item)
    return likes


def labels_of(data, column):
    values = data.item_features.frame[column].to_list()
    return [value if isinstance(value, list) else [value] for value in values]


@pytest.fixture(scope="module")
def pipeline():
    return fitted(1, *steps())


@pytest.fixture(scope="module")
def found(pipeline):
    return sl.report(pipeline, k=K, n_users=None, n_bootstrap=60)


@pytest.fixture(scope="module")
def page_text(found, tmp_path_factory):
    return found.save(tmp_path_factory.mktemp("page") / "report.html").read_text()


def expected_figures(data, pipeline, lists, exclude_seen):
    """Every figure of some lists by its definition, by name and what it goes by."""
    likes, vectors = likes_of(data), pipeline.models_[0].item_factors_.astype(float)
    genres, makers = labels_of(data, "genres"), labels_of(data, "maker")
    fans = [user for user in PEOPLE if likes[user]]
    open_items = [item for item in range(N_ITEMS) if item != DENIED]
    amounts = oracle.exposure(lists.values(), N_ITEMS)

    def multi_hot(labels):
        names = sorted({label for own in labels for label in own})
        return [[float(name in own) for name in names] for own in labels]

    def evenness(labels):
        shares = oracle.group_shares(list(lists.values()), labels)
        there = {label for item in open_items for label in labels[item]}
        return oracle.gini([shares.get(label, 0.0) for label in there])

    def of_lists(measure):
        return oracle.mean(measure(items) for items in lists.values())

    return {
        ("relevance", ""): oracle.mean(
            oracle.relevance(items, score_of(data, pipeline, user, exclude_seen))
            for user, items in lists.items()
        ),
        ("diversity", "genres"): of_lists(lambda items: oracle.diversity(items, multi_hot(genres))),
        ("diversity", "maker"): of_lists(lambda items: oracle.diversity(items, multi_hot(makers))),
        ("diversity", "the vectors of FixedVectors"): of_lists(
            lambda items: oracle.diversity(items, vectors)
        ),
        ("miscalibration", "genres"): oracle.mean(
            oracle.miscalibration(lists[user], likes[user], genres) for user in fans
        ),
        ("miscalibration", "maker"): oracle.mean(
            oracle.miscalibration(lists[user], likes[user], makers) for user in fans
        ),
        ("popularity_lift", ""): oracle.popularity_lift(lists, likes),
        ("novelty", ""): of_lists(lambda items: oracle.novelty(items, likes)),
        ("gini_of_items", ""): oracle.gini([amounts[item] for item in open_items]),
        ("gini_of_groups", "genres"): evenness(genres),
        ("gini_of_groups", "maker"): evenness(makers),
        ("catalogue_coverage", ""): sum(amounts[item] > 0 for item in open_items) / len(open_items),
    }


def score_of(data, pipeline, user, exclude_seen):
    """The first score of everything that may be shown to somebody."""
    log, model = data.interactions, pipeline.models_[0]
    row = PEOPLE.index(user)
    seen = set(log.item_idx[log.user_idx == row].tolist()) if exclude_seen else set()
    dots = model.item_factors_.astype(float) @ model.user_factors_[row].astype(float)
    return {item: dots[item] for item in range(N_ITEMS) if item not in seen and item != DENIED}


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_every_figure_is_its_definition_with_and_without_re_ranking(seed, exclude_seen):
    data, pipeline = world(seed), fitted(seed, *steps())
    found = sl.report(pipeline, k=K, n_users=None, exclude_seen=exclude_seen, n_bootstrap=20)
    shown, by_score = (lists_of(one, exclude_seen=exclude_seen) for one in (pipeline, fitted(seed)))
    expected = [expected_figures(data, pipeline, lists, exclude_seen) for lists in (shown, by_score)]
    genres = labels_of(data, "genres")
    with_genre = [sum(any(genres[i] for i in its) for its in of.values()) for of in (shown, by_score)]
    missing = {("gini_of_groups", "genres")} if min(with_genre) < 10 else set()
    assert {(figure.name, figure.of) for figure in found.figures} == set(expected[0]) - missing
    for figure in found.figures:
        with_it, without = (of[figure.name, figure.of] for of in expected)
        assert figure.shown.value == pytest.approx(with_it, abs=1e-6)
        assert figure.by_score.value == pytest.approx(without, abs=1e-6)
        assert figure.difference.value == pytest.approx(with_it - without, abs=1e-6)
    for column in ("genres", "maker"):
        labels = labels_of(data, column)
        shares = [oracle.group_shares(list(lists.values()), labels) for lists in (shown, by_score)]
        likes = [its for its in likes_of(data).values() if its]
        own = [oracle.mix(labels, its, [1.0] * len(its)) for its in likes]
        for group in found.groups[column]:
            key = None if group.label == "(none)" else group.label
            assert group.shown.value == pytest.approx(shares[0].get(key, 0.0))
            assert group.by_score.value == pytest.approx(shares[1].get(key, 0.0))
            assert group.own == pytest.approx(oracle.mean(of.get(key, 0.0) for of in own))
            open_items = [item for item in range(N_ITEMS) if item != DENIED]
            catalogue = oracle.mix(labels, open_items, [1.0] * len(open_items))
            assert group.catalogue == pytest.approx(catalogue.get(key, 0.0))


def test_what_a_term_does_is_the_mean_of_its_effects(pipeline, found):
    request = pipeline.memory_.request(np.arange(N_USERS, dtype=np.int32), K, Limits())
    expected = effects(pipeline.rerank_[-1], request, pipeline.candidates(request))
    assert [term.term for term in found.terms] == [effect.term for effect in expected]
    for term, effect in zip(found.terms, expected, strict=True):
        has = np.isfinite(effect.goal_with)
        assert term.n_people == has.sum()
        assert term.gained.value == pytest.approx(effect.gained[has].mean())
        assert term.lost.value == pytest.approx(effect.lost.mean())
        assert term.changed == effect.changed.mean()
    assert [term.on for term in found.terms] == ["the vectors of FixedVectors", "genres", "genres", "maker"]


def test_intervals_of_means_are_those_of_the_paired_bootstrap(pipeline, found):
    data, genres = world(1), labels_of(world(1), "genres")
    hot = np.array([[name in own for name in GENRES] for own in genres], float)
    each = [
        [oracle.diversity(items, hot) for items in lists.values()]
        for lists in (lists_of(pipeline), lists_of(fitted(1)))
    ]
    assert data.item_features is not None
    resampler = metrics.Resampler(N_USERS, 60, rng=0)
    figure = next(one for one in found.figures if (one.name, one.of) == ("diversity", "genres"))
    low, high = metrics.mean_interval(*each, resampler=resampler)[1:]
    assert (figure.difference.low, figure.difference.high) == pytest.approx((low, high))


def test_intervals_of_gini_are_those_of_leaving_each_person_out(pipeline, found):
    lists = lists_of(pipeline)
    open_items = [item for item in range(N_ITEMS) if item != DENIED]

    def gini(of):
        amounts = oracle.exposure(of, N_ITEMS)
        return oracle.gini([amounts[item] for item in open_items])

    without = [gini([items for user, items in lists.items() if user != left]) for left in PEOPLE]
    deviation = np.sqrt((N_USERS - 1) * np.var(without))
    figure = next(one for one in found.figures if one.name == "gini_of_items")
    half = 2.178812829667228 * deviation  # of Student's t with 12 degrees of freedom
    value = gini(lists.values())
    assert (figure.shown.low, figure.shown.high) == pytest.approx(
        (max(value - half, 0), min(value + half, 1))
    )


def test_blocks_of_people_are_even_and_sums_without_them_exact():
    block = blocks_of(450, 3)
    assert sorted(np.bincount(block, minlength=200).tolist()) == [2] * 150 + [3] * 50
    amounts = sparse.csr_array(np.array([[0.1, 0.0], [0.2, 0.7], [0.0, 0.3]]))
    whole, without = sums_without(amounts, np.array([1, 0, 1]))
    dense = amounts.toarray()
    np.testing.assert_allclose(whole, dense.sum(axis=0))
    np.testing.assert_allclose(without, [dense[[0, 2]].sum(axis=0), dense[1]])


class Page(HTMLParser):
    """Reads a page: what is open, the text of tables, and anything that would load something."""

    def __init__(self):
        super().__init__()
        self.open, self.problems, self.cells, self.text = [], [], [], []

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        if tag in ("script", "link", "img", "iframe", "object") or {"src", "href"} & set(given):
            self.problems.append(f"{tag} loads something")
        if tag == "th" and "scope" not in given:
            self.problems.append("th without scope")
        if tag == "svg" and not given.get("aria-label"):
            self.problems.append("a picture without words")
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag):
        if self.open.pop() != tag:
            self.problems.append(f"{tag} closes something else")

    def handle_data(self, data):
        self.text.append(data)
        if self.open and self.open[-1] == "td":
            self.cells.append(data)


def test_the_page_is_whole_loads_nothing_and_has_the_figures(found, page_text):
    text = page_text
    page = Page()
    page.feed(text)
    page.close()
    assert (page.open, page.problems) == ([], [])
    assert set(re.findall(r"https?://[^\"' <]+", text)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }
    assert not re.search(r"url\((?!#)|@import|@font-face", text)
    for figure in found.figures:
        form = {"catalogue_coverage": ".1%", "gini_of_items": ".4f", "gini_of_groups": ".4f"}
        value = f"{figure.shown.value:{form.get(figure.name, '.3f')}}"
        assert any(cell.startswith(value) for cell in page.cells)
    for group in found.groups["maker"]:
        assert any(cell.startswith(f"{group.shown.value:.1%}") for cell in page.cells)
    for term in found.terms:
        assert any(cell.startswith(f"{term.gained.value:+.3f}") for cell in page.cells)
    assert "<b>drama" not in text
    assert "&lt;b&gt;drama" in text


def test_nobody_and_nothing_that_they_did_is_named(found, page_text):
    for text in (page_text, found.to_text(), json.dumps(found.to_values())):
        assert "person-" not in text


def test_values_are_json_and_frames_have_the_same_numbers(found):
    values = json.loads(json.dumps(found.to_values(), allow_nan=False))
    assert [row["shown"]["value"] for row in values["figures"]] == found.frame["shown"].to_list()
    assert sum(map(len, values["groups"].values())) == found.group_frame.height
    assert found.term_frame["gained"].to_list() == [row["gained"]["value"] for row in values["terms"]]


def test_the_seed_decides_people_and_intervals(pipeline):
    def drawn(seed):
        return sl.report(pipeline, k=K, n_users=10, n_bootstrap=20, rng=seed).to_values()["figures"]

    assert drawn(3) == drawn(3)
    assert drawn(3) != drawn(4)


def test_without_re_ranking_there_is_nothing_to_compare():
    plain = fitted(2)
    by_score = sl.report(plain, k=K, n_users=None, group="maker", items=world(2), n_bootstrap=20)
    model = sl.report(plain.models_[0], k=K, n_users=None, items=world(2).item_features, n_bootstrap=20)
    for found in (by_score, model):
        assert not found.compares
        assert "nothing to compare with" in found.to_text()
        assert all(figure.by_score is None and figure.difference is None for figure in found.figures)
    assert by_score.to_html().count("<svg") == 3
    assert by_score.setting.columns == ["maker"]
    assert model.setting.columns == ["genres", "maker"]
    # The model knows no rules, so its lists may hold what the pipeline's may not.
    assert (by_score.setting.n_open, model.setting.n_open) == (N_ITEMS - 1, N_ITEMS)


def test_an_item_that_is_there_only_because_it_is_pinned_is_not_on_the_lists_by_score():
    rng = np.random.default_rng(0)
    near, scoring = (
        FixedVectors(rng.standard_normal((N_USERS, 3)), rng.standard_normal((N_ITEMS, 3))) for _ in range(2)
    )
    parts = [sl.Nearest(near, k=6)], sl.ModelScorer(scoring)
    pinned, bare = sl.Pipeline(*parts, [sl.Select(pins=[(17, 1)])]), sl.Pipeline(*parts).fit(world(1))
    found = sl.report(pinned.fit(world(1)), k=K, n_users=None, n_bootstrap=20)
    alone = sl.report(bare, k=K, n_users=None, n_bootstrap=20)
    by_name = {(one.name, one.of): one for one in alone.figures}
    for figure in found.figures:
        if figure.name != "relevance":  # the pinned item counts among the candidates
            assert figure.by_score == by_name[figure.name, figure.of].shown


def test_groups_of_few_items_or_on_few_lists_say_so_and_many_are_one_row(pipeline):
    ids = list(range(N_ITEMS))
    series = ["denied" if item == DENIED else f"s{item // 3}" for item in ids]
    many = [f"label {item:02}" for item in range(30)]
    frame = pl.DataFrame({"id": ids, "series": series, "many": [many[i % 5 :: 5] for i in ids]})
    table = FeatureTable(frame, {"series": "categorical", "many": "tags"})
    found = sl.report(pipeline, k=K, n_users=None, group=["series", "many"], items=table, n_bootstrap=20)
    remarks = {group.label: group.remark for group in found.groups["series"]}
    assert remarks["denied"] == "no item of it may be shown"
    assert remarks["s0"] == "only 3 items"
    denied = next(group for group in found.groups["series"] if group.label == "denied")
    assert (denied.shown.value, denied.n_items, denied.n_people) == (0.0, 0, 0)
    assert [group.label for group in found.groups["many"]][-1] == "(other groups: 10)"
    assert sum(group.shown.value for group in found.groups["many"]) == pytest.approx(1.0)


def test_columns_that_nobody_keeps_are_left_out_with_a_word_or_refused_by_name(pipeline):
    capped = fitted(1, sl.Select(sl.MMR(0.1, on="genres"), caps={"maker": 2}))
    found = sl.report(capped, k=K, n_users=None, n_bootstrap=20)
    assert found.groups == {}
    assert [note.split(":")[0] for note in found.notes] == ["'genres' is left out", "'maker' is left out"]
    assert "--items CONFIG.toml" in found.to_text()
    with pytest.raises(
        DataError, match=r"no labels of 'genre': .* At hand: genres, maker, did you mean 'genres'"
    ):
        sl.report(pipeline, k=K, group="genre")
    with pytest.raises(DataError, match=r"none of the ids in items= is an item"):
        sl.report(pipeline, items=FeatureTable(pl.DataFrame({"id": [99], "x": ["y"]}), {"x": "categorical"}))


def test_what_cannot_be_reported_on_is_refused(pipeline, tmp_path):
    with pytest.raises(ArtifactError, match="no histories"):
        sl.report(sl.load(fitted_on_real().save(tmp_path / "bare", histories=False)), k=K)
    with pytest.raises(NotFittedError):
        sl.report(sl.Popularity())
    with pytest.raises(ParameterError, match="fitted model or pipeline"):
        sl.report("films")  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="n_users must be a whole number of at least 10"):
        sl.report(pipeline, n_users=3)
    few = Dataset(*(getattr(world(1), name) for name in ("interactions", "users", "items")), None, None)
    with pytest.raises(DataError, match=r"people have a list.* at least 10"):
        sl.report(FixedVectors(np.eye(N_USERS, 3), np.ones((N_ITEMS, 3))).fit(few), k=K, n_users=None)
    with pytest.raises(ParameterError, match=r"ends in \.html"):
        sl.report(pipeline, k=K, n_users=None, n_bootstrap=5).save(tmp_path / "report.pdf")


def fitted_on_real():
    wals = sl.WALS(dim=2, n_epochs=1)
    return sl.Pipeline([sl.Nearest(wals, k=9)], sl.ModelScorer(wals), [sl.Select()]).fit(world(1), rng=0)


def test_what_is_said_follows_the_interval(found):
    text = found.to_text()
    for figure in found.figures:
        line = next(
            row
            for row in text.splitlines()
            if row.startswith("- ") and row.split(":")[0][2:] == title(figure)
        )
        told = figure.difference.low > 0 or figure.difference.high < 0
        same = figure.difference.low == figure.difference.high == 0
        assert (
            same or ("cannot be told" in line or "no difference that can be told from 0" in line) is not told
        )


def title(figure):
    names = {
        "relevance": "Relevance",
        "diversity": f"Diversity by {figure.of}",
        "miscalibration": f"Miscalibration on {figure.of}",
        "popularity_lift": "Popularity lift",
        "novelty": "Novelty",
        "gini_of_items": "Gini of items",
        "gini_of_groups": f"Gini of {figure.of}",
        "catalogue_coverage": "Catalogue coverage",
    }
    return names[figure.name]
