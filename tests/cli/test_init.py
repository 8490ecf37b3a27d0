"""`shortlist init`: what it recognises, and that fit, recommend and evaluate take what it writes."""

import json
import sqlite3
import tomllib
from contextlib import closing
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from cli.conftest import Run, Shop

import shortlist as sl


def go(run: Run, *arguments: str) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


def all_the_way(run: Run, folder: Path, *files: str) -> dict:
    """Run init, fit, recommend and evaluate; return the tables of the file that init wrote."""
    config, saved = str(folder / "made.toml"), str(folder / "made.fitted")
    go(run, "init", *files, "--out", config)
    fitted = json.loads(go(run, "fit", config, "--out", saved, "--json"))
    assert fitted["rows_rejected"] == 0
    model = sl.load(saved)
    user = model.memory_.users.ids.filter(model.models_[0].known_users_)[0]
    document = json.loads(go(run, "recommend", saved, f"--user={user}", "-k", "3", "--json"))
    assert 1 <= len(document["items"]) <= 3
    measured = json.loads(go(run, "evaluate", config, "--json"))
    assert any(result["metric"] == "ndcg" for result in measured["results"])
    return tomllib.loads(Path(config).read_text(encoding="utf-8"))


def purchases(n_users: int = 40, n_items: int = 25, days: int = 60) -> pl.DataFrame:
    rng = np.random.default_rng(8)
    rows = [
        (
            f"K{u:03}",
            f"A-{(u % 2) + 2 * i}",
            1 + i % 3,
            f"2024-{1 + day // 28:02}-{1 + day % 28:02} 10:{u:02}:00",
        )
        for day in range(days)
        for u, i in zip(
            rng.integers(0, n_users, 12).tolist(), rng.integers(0, n_items // 2, 12).tolist(), strict=True
        )
    ]
    return pl.DataFrame(rows, schema=["customer", "product", "quantity", "date"], orient="row")


def test_movielens_goes_all_the_way(run: Run, tmp_path: Path) -> None:
    data = sl.datasets.movielens_small()
    ids = data.users.ids_of(data.interactions.user_idx), data.items.ids_of(data.interactions.item_idx)
    ratings = pl.DataFrame(
        {
            "userId": ids[0],
            "movieId": ids[1],
            "rating": data.interactions.value,
            "timestamp": data.interactions.timestamp // 1_000_000,
        }
    )
    ratings.write_csv(tmp_path / "ratings.csv")
    features = data.item_features.frame.rename({"id": "movieId"})
    features.with_columns(pl.col("genres").list.join("|")).write_csv(tmp_path / "movies.csv")
    made = all_the_way(run, tmp_path, str(tmp_path / "movies.csv"), str(tmp_path / "ratings.csv"))
    assert made["data"]["scale"] == [0.5, 5.0]
    assert made["data"]["features"]["items"]["genres"] == {"kind": "tags", "separator": "|"}
    assert (made["split"]["kind"], made["models"]["taste"]["dim"]) == ("leave_last_out", 64)


def test_online_retail_goes_all_the_way(run: Run, tmp_path: Path) -> None:
    data = sl.datasets.online_retail()
    log = data.interactions
    frame = pl.DataFrame(
        {
            "CustomerID": data.users.ids_of(log.user_idx),
            "StockCode": data.items.ids_of(log.item_idx),
            "InvoiceDate": pl.Series(log.timestamp).cast(pl.Datetime("us")),
        }
    )
    frame.head(60_000).write_csv(tmp_path / "retail.csv")
    made = all_the_way(run, tmp_path, str(tmp_path / "retail.csv"))
    assert (made["data"]["kind"], made["data"]["repeats"]) == ("events", True)
    assert made["data"]["columns"] == {
        "user_id": "CustomerID",
        "item_id": "StockCode",
        "timestamp": "InvoiceDate",
    }
    assert made["models"]["again"]["type"] == "BuyAgain"
    document = json.loads(go(run, "evaluate", str(tmp_path / "made.toml"), "--json"))
    assert list(document["protocols"]) == ["new items", "repeats allowed"]


def semicolons(folder: Path) -> list[str]:
    purchases().write_csv(folder / "export.csv", separator=";")
    return [str(folder / "export.csv")]


def quoted_and_bom(folder: Path) -> list[str]:
    frame = purchases().rename({"customer": "User ID", "product": "Item-Code"})
    text = "\ufeff" + frame.write_csv(quote_style="always", line_terminator="\r\n")
    (folder / "Über \"all\" \\ 'n'.csv").write_text(text, encoding="utf-8", newline="")
    return [str(folder / "Über \"all\" \\ 'n'.csv")]


def parquet_with_lists(folder: Path) -> list[str]:
    purchases().write_parquet(folder / "log.parquet")
    items = purchases()["product"].unique().sort().to_frame()
    items.with_columns(tags=pl.Series([["x", "y"], ["z"]] * (items.height // 2) + [["x"]] * (items.height % 2)),
                       price=pl.lit(2.5)).write_parquet(folder / "goods.parquet")  # fmt: skip
    return [str(folder / "goods.parquet"), str(folder / "log.parquet")]


def labels_without_times(folder: Path) -> list[str]:
    frame = (
        purchases().select("customer", "product", label=pl.col("quantity") % 2).unique(maintain_order=True)
    )
    frame.write_csv(folder / "labels.tsv", separator="\t")
    return [str(folder / "labels.tsv")]


def nothing_but_pairs(folder: Path) -> list[str]:
    purchases().select("customer", "product").unique(maintain_order=True).write_csv(folder / "pairs.csv")
    return [str(folder / "pairs.csv")]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        (semicolons, {"delimiter": ";", "kind": "events"}),
        (quoted_and_bom, {"kind": "events"}),
        (parquet_with_lists, {"kind": "events"}),
        (labels_without_times, {"kind": "binary"}),
        (nothing_but_pairs, {"kind": "events"}),
    ],
)
def test_messy_files_go_all_the_way(run: Run, tmp_path: Path, files, expected: dict) -> None:
    made = all_the_way(run, tmp_path, *files(tmp_path))
    assert {key: made["data"].get(key) for key in expected} == expected


def test_it_says_what_it_recognised(run: Run, tmp_path: Path) -> None:
    text = go(run, "init", *semicolons(tmp_path), "--out", str(tmp_path / "c.toml"))
    for words in (
        "user_id ← customer",
        "delimiter: ';'",
        "split: global_time, since",
        "repeats: yes",
        "wrote ",
    ):
        assert words in text


def test_json_has_the_decisions(run: Run, tmp_path: Path) -> None:
    out = tmp_path / "c.toml"
    document = json.loads(go(run, "init", *semicolons(tmp_path), "--out", str(out), "--json"))
    assert (document["written"], document["delimiter"], document["repeats"]) == (str(out), ";", True)
    assert document["sources"] == {"interactions": str(tmp_path / "export.csv")}
    assert document["split"]["kind"] == "global_time"


def test_a_file_that_is_there_is_kept_unless_told_otherwise(run: Run, tmp_path: Path) -> None:
    files, out = semicolons(tmp_path), tmp_path / "c.toml"
    out.write_text("mine")
    result = run("init", *files, "--out", str(out))
    assert result.exit_code == 2
    assert "--force replaces it" in result.stderr
    assert out.read_text() == "mine"
    go(run, "init", *files, "--out", str(out), "--force")
    assert out.read_text().startswith("# Written by")


def test_paths_are_relative_to_the_file_that_is_written(
    shop: Shop, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(shop.folder)
    (tmp_path / "deep").mkdir()
    go(run, "init", "items.csv", "ratings.csv", "--out", str(tmp_path / "deep" / "c.toml"))
    made = tomllib.loads((tmp_path / "deep" / "c.toml").read_text())["data"]
    assert not Path(made["interactions"]).is_absolute()
    assert (tmp_path / "deep" / made["interactions"]).samefile(shop.ratings)
    assert (tmp_path / "deep" / made["items"]).samefile(shop.items)


def test_what_is_declared_goes_before_what_is_found(run: Run, tmp_path: Path) -> None:
    frame = purchases().rename({"customer": "who", "product": "what"})
    frame.write_csv(tmp_path / "log.csv")
    out = str(tmp_path / "c.toml")
    named = ["--column", "user_id=who", "--column", "item_id=what"]
    go(run, "init", str(tmp_path / "log.csv"), *named, "--kind", "ratings", "--scale", "0", "9",
       "--positive-from", "2", "--out", out)  # fmt: skip
    data = tomllib.loads(Path(out).read_text())["data"]
    assert (data["scale"], data["positive_from"]) == ([0.0, 9.0], 2.0)
    assert data["columns"]["user_id"] == "who"


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "user,item,rating\n1,2,good\n"])
def test_files_that_cannot_be_used_give_the_error_of_check(run: Run, tmp_path: Path, text: str) -> None:
    (tmp_path / "odd.csv").write_text(text)
    checked = run("check", str(tmp_path / "odd.csv"))
    found = run("init", str(tmp_path / "odd.csv"), "--out", str(tmp_path / "c.toml"))
    assert found.exit_code == checked.exit_code == 2
    errors = [result.stderr[result.stderr.index("error:") :] for result in (found, checked)]
    assert errors[0] == errors[1]
    assert not (tmp_path / "c.toml").exists()


def test_rejected_rows_are_noted(run: Run, tmp_path: Path) -> None:
    text = purchases().write_csv() + ",A-1,1,2024-01-01 10:00:00\n"
    (tmp_path / "log.csv").write_text(text)
    result = run("init", str(tmp_path / "log.csv"), "--out", str(tmp_path / "c.toml"))
    assert result.exit_code == 0
    assert "1 of 721 rows" in result.stderr


def test_a_query_goes_all_the_way(run: Run, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as database, database:
        database.execute("CREATE TABLE sold (customer TEXT, product TEXT, quantity INTEGER, date TEXT)")
        database.executemany("INSERT INTO sold VALUES (?, ?, ?, ?)", purchases().rows())
    database.close()
    out, url = tmp_path / "deep" / "c.toml", f"sqlite:///{tmp_path / 'shop.db'}"
    out.parent.mkdir()
    select = "SELECT customer, product, date FROM sold"
    text = go(run, "init", url, "--query", select, "--out", str(out))
    assert "split: global_time" in text
    source = tomllib.loads(out.read_text())["data"]["interactions"]
    assert (source["url"], source["query"]) == (url, select)
    go(run, "fit", str(out), "--out", str(tmp_path / "m"))
    assert "ndcg" in go(run, "evaluate", str(out))


def test_a_database_is_named_relative_to_the_folder_it_was_named_in(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(sqlite3.connect(tmp_path / "shop.db")) as database, database:
        database.execute("CREATE TABLE sold (customer TEXT, product TEXT, date TEXT)")
        database.executemany("INSERT INTO sold VALUES (?, ?, ?)", purchases().drop("quantity").rows())
    database.close()
    monkeypatch.chdir(tmp_path)
    Path("deep").mkdir()
    go(run, "init", "sqlite:///shop.db", "--query", "SELECT * FROM sold", "--out", "deep/c.toml")
    assert tomllib.loads(Path("deep/c.toml").read_text())["data"]["interactions"]["folder"] == ".."
    go(run, "fit", "deep/c.toml", "--out", "m")
