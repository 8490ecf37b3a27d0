"""`shortlist related`: stored once, renewed afterwards."""

import json
from pathlib import Path

from cli.conftest import Run, Shop

import shortlist as sl


def test_related_items_are_stored_and_renewed(shop: Shop, run: Run, tmp_path: Path) -> None:
    out = str(tmp_path / "related")
    built = run("related", shop.saved, "--out", out, "-n", "4")
    assert built.exit_code == 0, built.stderr
    assert "4 related items of each of" in built.stdout
    assert "items a second" in built.stdout
    model = sl.load(shop.saved).scorer_.model
    stored = sl.RelatedItems.load(out, model)
    assert stored.of([3, 5]).frame.equals(model.similar_items([3, 5], 4).frame)
    again = json.loads(run("related", shop.saved, "--out", out, "--json").stdout)
    assert again["changes"] == {"changed": 0, "removed": 0, "searched": 0}
    assert (again["n"], again["measure"]) == (4, "cosine")
    other = run("related", shop.saved, "--out", out, "-n", "5")
    assert other.exit_code == 2
    assert "holds 4 of each by cosine, exact" in " ".join(other.stderr.split())
    assert (
        run("related", shop.saved, "--out", out, "-n", "5", "--anew", "--target-recall", "0.9").exit_code == 0
    )
    assert sl.RelatedItems.load(out).n == 5
    kept = json.loads(run("related", shop.saved, "--out", out, "--json").stdout)
    assert (kept["n"], kept["recall"]) == (5, 1.0)  # so few items are searched exactly
