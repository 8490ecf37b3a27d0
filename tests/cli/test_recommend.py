import json
import re
from pathlib import Path

import polars as pl
import pytest
from cli.conftest import BRACKETS, Run, Shop

import shortlist as sl

ITEM_KEYS = {"item_id", "title", "score", "rank", "sources", "reason"}
EXPLAINED_KEYS = {"because_of", "source_ranks", "places", "sentence", "past", "features"}
RERANKED = """
[[rerank]]
type = "Freshness"

[[rerank]]
type = "Select"
terms = { MMR = 0.4 }
pins = [[3, 2], [7, 1]]
"""


def test_json_holds_what_the_library_recommends(shop: Shop, run: Run) -> None:
    document = json.loads(run("recommend", shop.saved, "--user", "7", "-k", "4", "--json").stdout)
    assert set(document) == {"user_id", "k", "fallback", "shortfall", "items"}
    assert (document["user_id"], document["k"]) == (7, 4)
    assert all(set(item) == ITEM_KEYS for item in document["items"])
    expected = sl.load(shop.saved).recommend([7], 4)
    found = pl.DataFrame(document["items"])
    assert found["item_id"].equals(expected.frame["item_id"])
    assert found["score"].cast(pl.Float32).equals(expected.frame["score"])
    assert found["reason"].equals(expected.reasons["reason"])
    assert found["rank"].to_list() == [1, 2, 3, 4]


def test_sources_are_those_of_the_trace(shop: Shop, run: Run) -> None:
    document = json.loads(run("recommend", shop.saved, "--user", "7", "--json").stdout)
    trace = sl.load(shop.saved).recommend([7], 10).trace(7)
    for item in document["items"]:
        row = trace.row(by_predicate=pl.col("item_id") == item["item_id"], named=True)
        assert item["sources"] == [
            name for name in ("Nearest", "RelatedToRecent", "Popular") if row[f"{name}_rank"]
        ]
    assert len({tuple(item["sources"]) for item in document["items"]}) > 1


def test_string_ids_stay_strings(tmp_path: Path, run: Run) -> None:
    (tmp_path / "likes.csv").write_text("user,item\n007,b\n007,c\nann,b\nann,d\n")
    config = tmp_path / "c.toml"
    config.write_text('[data]\ninteractions = "likes.csv"\n[models.m]\ntype = "Popularity"\n')
    assert run("fit", str(config), "--out", str(tmp_path / "m")).exit_code == 0
    document = json.loads(run("recommend", str(tmp_path / "m"), "--user", "007", "--json").stdout)
    assert document["user_id"] == "007"
    assert [item["item_id"] for item in document["items"]] == ["d"]
    assert document["items"][0]["sources"] == ["Popularity"]
    assert "title" not in document["items"][0]


def test_several_users_come_under_users_each_once(shop: Shop, run: Run) -> None:
    result = run("recommend", shop.saved, "--user", "9", "--user", "2", "--user", "9", "--json", "-k", "3")
    document = json.loads(result.stdout)
    assert [user["user_id"] for user in document["users"]] == [9, 2]
    alone = json.loads(run("recommend", shop.saved, "--user", "2", "--json", "-k", "3").stdout)
    assert document["users"][1] == alone


def test_explain_accounts_for_every_candidate(shop: Shop, run: Run) -> None:
    document = json.loads(run("recommend", shop.saved, "--user", "7", "--explain", "--json").stdout)
    counts = document["candidates"]
    trace = sl.load(shop.saved).recommend([7], 10).trace(7)
    assert counts["distinct"] == trace.height
    assert counts["scored"] + sum(counts["removed"].values()) == trace.height
    assert counts["removed"]["seen"] == (trace["removed_by"] == "seen").sum() > 0
    assert counts["proposed"]["Nearest"] == trace["Nearest_rank"].count()
    best = document["items"][0]
    assert best["source_ranks"]["Nearest"] == 1
    assert set(best) == ITEM_KEYS | EXPLAINED_KEYS
    assert best["places"] == {"WALS": 1}
    assert all(counts["removed_examples"][rule] for rule in counts["removed"])


@pytest.fixture(scope="module")
def reranked(shop: Shop, run: Run) -> str:
    """Return where a pipeline of the shop with a freshness, a term and pins is saved."""
    config = shop.variant("reranked.toml", ("[evaluate]", f"{RERANKED}\n[evaluate]"))
    assert run("fit", config, "--out", str(shop.folder / "reranked")).exit_code == 0
    return str(shop.folder / "reranked")


def test_explain_shows_the_whole_way(shop: Shop, run: Run, reranked: str) -> None:
    """Whoever has seen a pinned item is told; places, terms and effects are those of the library."""
    users = pl.read_csv(shop.ratings).group_by("user_id").agg("item_id").sort("user_id").rows()
    user = next(user for user, items in users if 3 not in items and 7 in items and user < 40)
    shown = sl.load(reranked).recommend([user], 4)
    document = json.loads(
        run("recommend", reranked, "--user", str(user), "-k", "4", "--explain", "--json").stdout
    )
    assert document["steps"] == ["WALS", "Freshness"]
    assert document["notes"] == list(shown.notes[user])
    assert "is not pinned at place 1: forbidden goes before pinned" in document["notes"][0]
    assert document["items"][1]["pinned"] is True
    assert document["items"][1]["sentence"] == "pinned at place 2"
    rows = {row["item_id"]: row for row in shown.trace(user).to_dicts()}
    explained = shown.explain(user)
    for item, explanation in zip(document["items"], explained, strict=True):
        row = rows[item["item_id"]]
        assert item["places"] == {step: row[f"place after {step}"] for step in document["steps"]}
        assert item["terms"] == pytest.approx({term: row[term] for term in ("relevance", "mmr")}, rel=1e-5)
        assert item["sentence"] == explanation.sentence
    assert document["effects"][0]["goal"] == "mean largest similarity"
    listed = {item["item_id"] for item in document["items"]}
    for item in document.get("lost", []):
        assert item["places"]["WALS"] <= 4
        assert item["item_id"] not in listed
    text = run("recommend", reranked, "--user", str(user), "-k", "4", "--explain").stdout
    places = " → ".join(str(place) for place in (*document["items"][0]["places"].values(), 1))
    for words in ("proposed  Nearest", "removed", "scored", "adjusted  by Freshness", places, "mmr -",
                  "by Select: relevance 0.6, MMR 0.4", "is not pinned at place 1",
                  "Places: after WALS → after Freshness → on the list.", "MMR 0.4: relevance"):  # fmt: skip
        assert words in " ".join(text.split()) or words in text
    assert max(map(len, text.splitlines())) <= 100


def test_the_objective_stands_in_every_answer(shop: Shop, run: Run) -> None:
    config = shop.variant("aim.toml", ("[evaluate]", '[objective]\nkind = "top_rating"\n\n[evaluate]'))
    assert run("fit", config, "--out", str(shop.folder / "aim")).exit_code == 0
    saved = str(shop.folder / "aim")
    assert "Ranked for the probability of a top rating." in run("recommend", saved, "--user", "7").stdout
    document = json.loads(run("recommend", saved, "--user", "7", "--json").stdout)
    assert document["objective"] == "the probability of a top rating"
    fallback = json.loads(
        run("recommend", saved, "--user", "41", "--on-unknown", "fallback", "--explain", "--json").stdout
    )
    assert "objective" not in fallback
    assert all(item["sentence"].startswith("popular: liked by") for item in fallback["items"])


def test_explain_is_for_sessions_and_those_nothing_is_known_of(shop: Shop, run: Run, reranked: str) -> None:
    liked = json.loads(run("recommend", reranked, "--session", "9,11", "--explain", "--json").stdout)
    cited = [item["sentence"] for item in liked["items"] if item["sentence"].startswith("because you liked")]
    assert cited
    assert all(re.fullmatch(r"because you liked (Item (9|11)( and |$))+", text) for text in cited)
    nobody = run("recommend", reranked, "--session", "", "--explain").stdout
    assert "in the order in which their sources took turns" in " ".join(nobody.split())
    assert "Places: after turns → after Freshness → on the list." in " ".join(nobody.split())


def test_a_single_model_explains_its_items(tmp_path: Path, run: Run, shop: Shop) -> None:
    config = tmp_path / "c.toml"
    config.write_text(f'[data]\ninteractions = "{shop.ratings}"\n[models.m]\ntype = "EASE"\n')
    assert run("fit", str(config), "--out", str(tmp_path / "m")).exit_code == 0
    document = json.loads(run("recommend", str(tmp_path / "m"), "--user", "7", "--explain", "--json").stdout)
    shown = sl.load(tmp_path / "m").recommend(7)
    assert [item["sentence"] for item in document["items"]] == [e.sentence for e in shown.explain(7)]
    assert any(item["sentence"].startswith("because you liked") for item in document["items"])
    assert document["items"][0]["past"][0].keys() == {"item_id", "name", "amount"}
    assert "because you liked" in run("recommend", str(tmp_path / "m"), "--user", "7", "--explain").stdout


def test_explain_is_readable_in_80_columns(shop: Shop, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    text = run("recommend", shop.saved, "--user", "7", "--explain").stdout
    assert max(map(len, text.splitlines())) <= 100
    assert "because you liked Item" in text
    assert "Nearest\N{NO-BREAK SPACE}1" in text
    assert "seen" in text


def test_titles_are_printed_as_they_are(shop: Shop, run: Run) -> None:
    text = run("recommend", shop.saved, "--user", "1", "--items", "3", "--include-seen").stdout
    assert BRACKETS in text


def test_items_and_exclude_limit_the_list(shop: Shop, run: Run, tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text("3\n5\n\n9\n")
    result = run(
        "recommend", shop.saved, "--user", "7", "--items", "1,2", "--items", f"@{tmp_path / 'ids.txt'}",
        "--exclude", "5, 2", "--include-seen", "--json",
    )  # fmt: skip
    document = json.loads(result.stdout)
    assert sorted(item["item_id"] for item in document["items"]) == [1, 3, 9]
    assert document["shortfall"].startswith("only 3 items")


def test_seen_items_come_back_only_when_asked_for(shop: Shop, run: Run) -> None:
    seen = set(pl.read_csv(shop.ratings).filter(pl.col("user_id") == 7)["item_id"])
    for option, expected in ((), False), (("--include-seen",), True):
        document = json.loads(
            run("recommend", shop.saved, "--user", "7", "-k", "30", "--json", *option).stdout
        )
        assert bool(seen & {item["item_id"] for item in document["items"]}) is expected


def test_at_takes_the_history_up_to_then(shop: Shop, run: Run) -> None:
    before = run("recommend", shop.saved, "--user", "7", "-k", "30", "--at", "2001-01-01", "--json")
    seen = set(pl.read_csv(shop.ratings).filter(pl.col("user_id") == 7)["item_id"])
    assert seen & {item["item_id"] for item in json.loads(before.stdout)["items"]}


@pytest.mark.parametrize(
    ("user", "words"),
    [
        ("41", ["no user '41' among the 40", "nearest are 4", "--on-unknown fallback"]),
        ("ann", ["no user 'ann'", "such as 1, 2, 3"]),
        ("40", ["nothing in the training data says what user 40 likes"]),
    ],
)
def test_unknown_users_are_an_error(shop: Shop, run: Run, user: str, words: list[str]) -> None:
    result = run("recommend", shop.saved, "--user", user)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert all(word in result.stderr for word in words)


def test_fallback_says_that_it_is_one(shop: Shop, run: Run) -> None:
    arguments = ("recommend", shop.saved, "--user", "41", "--on-unknown", "fallback")
    document = json.loads(run(*arguments, "--json").stdout)
    assert document["fallback"] is True
    assert all(item["sources"] == ["fallback"] for item in document["items"])
    assert document["items"][0]["reason"].startswith("popular")
    assert "Nothing is known of this user" in run(*arguments).stdout


def test_skip_gives_an_empty_list_and_why(shop: Shop, run: Run) -> None:
    document = json.loads(
        run("recommend", shop.saved, "--user", "40", "--on-unknown", "skip", "--json").stdout
    )
    assert document["items"] == []
    assert "skipped" in document["shortfall"]


def test_fallback_refuses_an_id_of_another_kind(shop: Shop, run: Run) -> None:
    result = run("recommend", shop.saved, "--user", "ann", "--user", "1", "--on-unknown", "fallback")
    assert result.exit_code == 2
    assert "'ann' cannot be a user: the user ids of this data are integers" in result.stderr


def test_a_session_gets_the_list_of_the_library(shop: Shop, run: Run) -> None:
    document = json.loads(run("recommend", shop.saved, "--session", "3, 5", "-k", "4", "--json").stdout)
    expected = sl.load(shop.saved).recommend_session([3, 5], 4)
    assert [item["item_id"] for item in document["items"]] == expected.frame["item_id"].to_list()
    assert "in_turn" not in document
    nobody = run("recommend", shop.saved, "--session", "", "-k", "2")
    assert "the sources took turns, and the score is 1 / turn" in " ".join(nobody.stdout.split())


def test_a_session_needs_a_pipeline(tmp_path: Path, run: Run) -> None:
    (tmp_path / "likes.csv").write_text("user,item\n1,b\n1,c\n2,b\n2,d\n")
    (tmp_path / "c.toml").write_text('[data]\ninteractions = "likes.csv"\n[models.m]\ntype = "Popularity"\n')
    assert run("fit", str(tmp_path / "c.toml"), "--out", str(tmp_path / "m")).exit_code == 0
    result = run("recommend", str(tmp_path / "m"), "--session", "b")
    assert result.exit_code == 2
    assert "this is a single Popularity" in " ".join(result.stderr.split())


def test_an_unknown_item_gives_those_with_such_a_title(shop: Shop, run: Run) -> None:
    result = run("recommend", shop.saved, "--user", "7", "--exclude", "item 12")
    assert result.exit_code == 2
    assert "12  Item 12" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--user", "7", "-k", "0"), "-k"),
        (("--user", "7", "-k", "-3"), "-k"),
        (("--user", "7", "-k", "many"), "-k"),
        ((), "for whom?"),
        (("--all",), "--out FILE.parquet"),
        (("--session", "3", "--user", "7"), "in place of --user and --all"),
        (("--session", "3", "--on-unknown", "skip"), "a session always gets a list"),
        (("--session", "3", "--feature", "country"), "write NAME=VALUE"),
        (("--feature", "a=1", "--feature", "a=2"), "--feature gives 'a' twice"),
        (("--feature", "country=France"), "the users in the data have no 'country'; there are: none"),
        (("--session", "3,9999"), "there is no item '9999'"),
        (("--all", "--user", "7", "--out", "x.parquet"), "not both"),
        (("--user", "7", "--out", "x.parquet"), "--out is the file of --all"),
        (("--all", "--out", "x.parquet", "--explain"), "--explain"),
        (("--all", "--out", "x.csv"), "ends in .parquet"),
        (("--user", "7", "--on-unknown", "ignore"), "raise, skip, fallback"),
        (("--user", "7", "--at", "yesterday"), "ISO 8601"),
        (("--user", "7", "--items", "@nowhere.txt"), "nowhere.txt: No such file"),
        (("--user", "7", "--nonsense"), "--nonsense"),
    ],
)
def test_bad_arguments_end_with_status_2(
    shop: Shop, run: Run, arguments: tuple[str, ...], words: str
) -> None:
    result = run("recommend", shop.saved, *arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert words in " ".join(result.stderr.split())
    assert "Traceback" not in result.stderr


def test_what_is_no_artifact_is_said(shop: Shop, run: Run) -> None:
    for path in (shop.folder / "nothing", shop.folder):
        result = run("recommend", str(path), "--user", "7")
        assert result.exit_code == 2
        assert f"no artifact at {path}" in result.stderr


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["device"], "--context device: write NAME=VALUE"),
        (["a=1", "a=2"], "--context gives 'a' twice"),
        (["device=phone"], "this pipeline uses no context"),
    ],
)
def test_a_context_that_cannot_be_used_is_an_error(shop: Shop, run: Run, given: list[str], said: str) -> None:
    options = [word for text in given for word in ("--context", text)]
    result = run("recommend", shop.saved, "--user", "7", *options)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())


def test_lists_go_by_the_context(tmp_path: Path, run: Run) -> None:
    rows = [f"{user},{item},{5 if (user + item + hour) % 2 else 1},2024-01-0{user}T{9 + hour:02}:00:00"
            for user in range(1, 7) for item in range(8) for hour in (0, 1)]  # fmt: skip
    (tmp_path / "r.csv").write_text("user,item,rating,timestamp\n" + "\n".join(rows) + "\n")
    (tmp_path / "c.toml").write_text(
        '[data]\ninteractions = "r.csv"\ntime_parts = ["hour"]\n'
        '[models.machine]\ntype = "FactorizationMachine"\ncontext = ["hour"]\nn_epochs = 20\n'
    )
    assert run("fit", str(tmp_path / "c.toml"), "--out", str(tmp_path / "m")).exit_code == 0

    def scores(*options: str) -> list[float]:
        result = run("recommend", str(tmp_path / "m"), "--user", "1", "--include-seen", "--json", *options)
        return [item["score"] for item in json.loads(result.stdout)["items"]]

    assert scores("--context", "hour=9") == scores("--context", "hour=9")
    assert scores("--context", "hour=9") != scores("--context", "hour=10")
