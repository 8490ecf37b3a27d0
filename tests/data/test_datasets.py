import sys
import warnings

import numpy as np
import polars as pl
import pytest

from shortlist.data import datasets, split
from shortlist.errors import MissingExtraError


@pytest.fixture(scope="module")
def movies():
    return datasets.movielens_small()


@pytest.fixture(scope="module")
def retail():
    return datasets.online_retail()


def test_movielens_is_whole(movies):
    log = movies.interactions
    assert (len(log), len(movies.users), len(movies.items)) == (100_836, 610, 9_742)
    assert np.unique(log.item_idx).size == 9_724
    assert (movies.feedback.scale, movies.feedback.positive_from) == ((0.5, 5.0), 4.0)
    assert movies.report.ok
    assert movies.report.assumed == ""
    assert float(log.value.sum(dtype=np.float64)) == 353_083.0


def test_movielens_has_titles_genres_and_years(movies):
    features = movies.item_features
    assert dict(features.kinds) == {"title": "text", "genres": "tags", "year": "numeric"}
    first = features.frame.row(0, named=True)
    assert first == {
        "id": 1,
        "title": "Toy Story (1995)",
        "genres": ["Adventure", "Animation", "Children", "Comedy", "Fantasy"],
        "year": 1995.0,
    }
    frame = features.frame
    assert frame.filter(pl.col("genres").list.len() == 0).height == 34
    assert features.tags("genres")[1][0] == "Action"
    assert len(features.tags("genres")[1]) == 19
    assert frame.filter(pl.col("year").is_null())["title"].str.contains(r"\(\d{4}\)\s*$").sum() == 0
    assert frame["year"].null_count() == 13


def test_movielens_gives_the_course_lab(movies):
    # 4,778 rated movies from 2000 on, 443 users, 39,253 ratings: the size of the course's matrix.
    recent = (movies.item_features.frame["year"] >= 2000).fill_null(value=False).to_numpy()
    kept = movies.interactions.where(recent[movies.interactions.item_idx])
    assert (np.unique(kept.item_idx).size, np.unique(kept.user_idx).size, len(kept)) == (4_778, 443, 39_253)


def test_without_its_package_movielens_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "shortlist_movielens", None)
    with pytest.raises(MissingExtraError, match="pip install packages/shortlist-movielens"):
        datasets.movielens_small()


def test_every_line_of_online_retail_is_kept_or_counted(retail):
    report = retail.report.tables[0]
    assert report.rows_read == 541_909
    assert report.reasons == {"no customer": 135_080, "cancellation": 8_905, "no product": 1_643}
    assert report.rows_kept == len(retail.interactions) == 541_909 - 135_080 - 8_905 - 1_643
    assert (len(retail.users), len(retail.items)) == (4_335, 3_658)


def test_online_retail_is_read_without_a_warning():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        datasets.online_retail()
    assert caught == []


def test_online_retail_holds_purchases_of_products(retail):
    log = retail.interactions
    assert log.feedback.kind == "events"
    assert set(log.value.tolist()) == {1.0}
    assert log.context["quantity"].min() == 1
    assert not log.context["invoice"].str.starts_with("C").any()
    codes = retail.items.ids
    assert codes.str.contains(r"^\d{5}").sum() == codes.len() - 1
    assert codes.filter(~codes.str.contains(r"^\d{5}")).to_list() == ["PADS"]
    titles = retail.titles
    assert not titles.str.contains("(?i)postage|next day carriage|packing charge|manual|bank charges").any()


def test_online_retail_knows_countries_prices_and_descriptions(retail):
    lantern = retail.item_features.frame.filter(pl.col("id") == "85123A").row(0, named=True)
    assert lantern == {"id": "85123A", "description": "WHITE HANGING HEART T-LIGHT HOLDER", "price": 2.95}
    users = retail.user_features.frame
    # This customer ordered from Iceland only.
    assert users.filter(pl.col("id") == 12_347)["country"].to_list() == ["Iceland"]
    assert users["country"].n_unique() == 37
    assert users["country"].null_count() == 4
    assert retail.titles.null_count() == 0
    assert retail.item_features.frame["price"].min() > 0


def test_a_customer_of_two_countries_gets_the_more_frequent(retail):
    # 12,370 has lines from Cyprus and from Austria.
    country = retail.user_features.frame.filter(pl.col("id") == 12_370)["country"].to_list()
    assert country == ["Cyprus"]


def test_the_last_fifth_of_online_retail_has_warm_and_cold_users(retail):
    # 1,869 and 1,523 when postage and fees are kept, and the cut is at the time of event ⌊0.8 m⌋ + 1.
    train, test = split.global_time(retail, fraction=0.2)
    seen = np.unique(train.interactions.user_idx)
    tested = np.unique(test.interactions.user_idx)
    assert (tested.size, np.isin(tested, seen).sum()) == (1_865, 1_519)


def test_only_the_shop_declares_repeats(movies, retail):
    assert (movies.repeats, retail.repeats) == (False, True)


def test_the_datasets_are_the_same_each_time(movies, retail):
    assert datasets.movielens_small().fingerprint == movies.fingerprint
    assert datasets.online_retail().fingerprint == retail.fingerprint
