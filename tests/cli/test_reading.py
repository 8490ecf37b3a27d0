from pathlib import Path

import pytest

from shortlist import config
from shortlist.cli.reading import dataset_of
from shortlist.cli.work import working
from shortlist.data.import_report import NoUsableRowsError
from shortlist.errors import ConfigError

RULE = """
[data]
interactions = "log.csv"
context = ["place"]
latest = 2024-01-01T00:00:00Z
[data.labels]
engaged = 'seconds >= 30'
per = "exposure"
[models.m]
type = "Popularity"
"""
LOG = """user,item,seconds,timestamp,place
a,1,40,1600000000,x
a,2,10,1600000001,y
,2,10,1600000001,y
b,2,1,1800000000,y
"""


@pytest.fixture
def written(tmp_path: Path):
    """Return a function that writes the log and a configuration, changed as asked, and returns the latter."""

    def write(*changes: tuple[str, str], log: str = LOG) -> config.Configuration:
        text = RULE
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "log.csv").write_text(log)
        (tmp_path / "c.toml").write_text(text)
        return config.read(tmp_path / "c.toml")

    return write


def test_a_table_of_a_file_is_the_rule(written) -> None:
    with working("reading") as work:
        data = dataset_of(written(), work)
    assert data.interactions.value.tolist() == [1, 0]
    assert data.interactions.context["place"].to_list() == ["x", "y"]
    assert data.report.labelling.labels.engaged == "seconds >= 30"


def test_rejected_rows_are_counted_and_kept(written, tmp_path: Path, capsys) -> None:
    with working("reading") as work:
        dataset_of(written(), work, tmp_path / "rejects.csv")
    said = capsys.readouterr().err
    assert "2 of 4 rows of" in said
    assert "2 rejected rows are in" in said
    kept = (tmp_path / "rejects.csv").read_text().splitlines()
    assert kept[0] == "table,file,row,line,column,value,reason,record"
    assert [",".join(line.split(",")[2:7]) for line in kept[1:]] == [
        '3,4,user,"",missing id',
        "4,5,timestamp,1800000000,timestamp after the latest declared",
    ]


def test_rejects_are_kept_where_reading_fails_for_them(written, tmp_path: Path) -> None:
    with working("reading") as work, pytest.raises(NoUsableRowsError):
        dataset_of(
            written(log="user,item,seconds,timestamp,place\n,1,3,1600000000,x\n"), work, tmp_path / "r.jsonl"
        )
    assert '"reason":"missing id"' in (tmp_path / "r.jsonl").read_text()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("engaged", "engagd"), r"\[data\]: labels: has no key 'engagd'\. Did you mean 'engaged'\?"),
        (("'seconds >= 30'", "30"), r"\[data\]: labels: engaged: needs a string, not 30"),
        (("seconds >= 30", "seconds >="), r"\[data\]: labels: engaged: at character 11, expected a number"),
        (('"exposure"', '"row"'), r'\[data\]: labels: per: needs "pair" or "exposure", not "row"'),
    ],
)
def test_a_mistake_in_the_rule_is_one_of_the_file(written, change, message) -> None:
    with pytest.raises(ConfigError, match=message):
        written(change)
