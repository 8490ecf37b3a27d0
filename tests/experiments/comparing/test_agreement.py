import pytest

from shortlist import config
from shortlist.errors import ConfigError, ParameterError
from shortlist.experiments.comparing.agreement import Agreement

SPLIT = '[split]\nkind = "leave_last_out"\nfraction = 0.3\n'
WALS = '[models.taste]\ntype = "WALS"\ndim = 2\n'
MEAN = '[models.mean]\ntype = "Popularity"\nby = "mean"\n'
PIPELINE = '[[sources]]\ntype = "Nearest"\nmodel = "taste"\n[scorer]\ntype = "ModelScorer"\nmodel = "taste"\n'
NAMED = MEAN + '[evaluate]\nbaseline = "mean"\n'


@pytest.fixture
def files(tmp_path):
    """Return a function that writes configurations by name and returns what `Agreement.of` makes of them."""
    rows = [f"{u},{i},{5 if (u + i) % 2 else 2},{1000 * i + u}" for u in range(8) for i in range(u % 3, 9)]
    (tmp_path / "r.csv").write_text("\n".join(["user,item,rating,timestamp", *rows]) + "\n")
    (tmp_path / "other.csv").write_text("\n".join(["user,item,rating,timestamp", *rows[1:]]) + "\n")

    def write(texts, baseline=None, **options):
        found = []
        for name, text in texts.items():
            data = (
                ""
                if "[data]" in text
                else '[data]\ninteractions = "r.csv"\nkind = "ratings"\nscale = [1, 5]\n'
            )
            split = "" if "[split]" in text else SPLIT
            file = tmp_path / name
            file.parent.mkdir(exist_ok=True)
            # A seed stands before every table.
            file.write_text(
                text.partition("|")[0] + data + split + text.partition("|")[2]
                if "|" in text
                else data + split + text
            )
            found.append(config.read(file))
        return Agreement.of(found, baseline, **options)

    return write


def names(agreed):
    return [candidate.name for candidate in agreed.candidates]


def read(configuration):
    return configuration.dataset()


def test_several_files_are_called_by_their_names(files):
    agreed = files({"a.toml": WALS, "b.toml": MEAN})
    assert names(agreed) == ["a", "b"]
    assert [type(candidate.recommender).__name__ for candidate in agreed.candidates] == ["WALS", "Popularity"]
    assert agreed.baseline is None
    assert [candidate.origin.rpartition("/")[2] for candidate in agreed.candidates] == ["a.toml", "b.toml"]


def test_equal_names_have_their_folders(files):
    agreed = files({"x/a.toml": WALS.replace("2", "3"), "y/a.toml": WALS, "b.toml": MEAN})
    assert names(agreed) == ["x/a", "y/a", "b"]


def test_one_file_gives_all_its_models_and_the_pipeline(files):
    agreed = files({"a.toml": WALS + PIPELINE + NAMED})
    assert names(agreed) == ["Pipeline", "taste", "mean"]
    assert agreed.baseline == "mean"
    assert names(files({"a.toml": (WALS + PIPELINE).replace("taste", "Pipeline")})) == [
        "Pipeline (a)",
        "Pipeline",
    ]


def test_the_one_baseline_that_files_name_joins(files):
    agreed = files(
        {"a.toml": WALS + NAMED, "b.toml": WALS.replace("2", "3"), "c.toml": WALS.replace("2", "4") + NAMED}
    )
    assert names(agreed) == ["a", "b", "c", "mean"]
    assert agreed.baseline == "mean"


def test_a_baseline_that_is_compared_anyway_stands_once(files):
    agreed = files({"a.toml": WALS + NAMED, "b.toml": MEAN})
    assert (names(agreed), agreed.baseline) == (["a", "b"], "b")


def test_a_baseline_called_like_a_file_has_its_file_with_it(files):
    agreed = files({"mean.toml": WALS + NAMED, "b.toml": WALS.replace("2", "3")})
    assert names(agreed)[:2] == ["mean", "b"]
    assert agreed.baseline.startswith("mean (")


def test_different_baselines_must_be_decided(files):
    texts = {"a.toml": WALS + NAMED, "b.toml": WALS + NAMED.replace("mean", "count")}
    with pytest.raises(
        ConfigError, match=r"different baselines: mean, count; choose one of them with --baseline"
    ):
        files(texts)
    assert files(texts, "count").baseline == "count"
    assert names(files(texts, "count")) == ["a", "b", "mean", "count"]


def test_an_unknown_baseline_is_refused_with_the_nearest(files):
    with pytest.raises(ParameterError, match="Did you mean 'wals'"):
        files({"wals.toml": WALS, "b.toml": MEAN}, "wal")


def test_what_one_file_says_of_measuring_holds_for_all(files):
    agreed = files(
        {"a.toml": WALS + "[evaluate]\nk = 5\n", "b.toml": MEAN + "[evaluate]\nn_bootstrap = 10\n"}
    )
    assert agreed.evaluation == {"k": 5, "n_bootstrap": 10}
    assert files({"a.toml": WALS + "[evaluate]\nk = 5\n"}, k=3).evaluation == {"k": 3}


@pytest.mark.parametrize(("key", "one", "other"), [("k", 5, 4), ("seed", 1, 2)])
def test_contradictions_in_measuring_are_named(files, key, one, other):
    texts = {
        "a.toml": WALS + f"[evaluate]\n{key} = {one}\n",
        "b.toml": MEAN + f"[evaluate]\n{key} = {other}\n",
    }
    with pytest.raises(
        ConfigError, match=rf"a\.toml and .*b\.toml are not .*: \[evaluate\] {key} = {one} against {other}"
    ):
        files(texts)


def test_seeds_are_those_of_the_files(files):
    agreed = files({"a.toml": "seed = 3\n|" + WALS, "b.toml": "seed = 4\n|" + MEAN})
    assert [candidate.seed for candidate in agreed.candidates] == [3, 4]
    assert agreed.seed == 3
    assert files({"a.toml": "seed = 3\n|" + WALS + "[evaluate]\nseed = 9\n"}).seed == 9


def test_wrong_values_name_their_file(files):
    with pytest.raises(ConfigError, match=r"b\.toml: \[evaluate\]: k must be"):
        files({"a.toml": WALS, "b.toml": MEAN + "[evaluate]\nk = 0\n"})


def test_a_file_without_a_split_is_named(files):
    with pytest.raises(ConfigError, match=r"b\.toml: there is no \[split\], and comparing needs one"):
        files({"a.toml": WALS, "b.toml": "# no [split]\n" + MEAN})


def test_a_file_is_given_once(files, tmp_path):
    one = files({"a.toml": WALS}).configurations[0]
    (tmp_path / "x").mkdir()
    again = config.read(tmp_path / "x" / ".." / "a.toml")
    with pytest.raises(ParameterError, match="given twice"):
        Agreement.of([one, again], None)


def test_equal_data_is_read_once(files):
    asked = []

    def record(configuration):
        asked.append(configuration.file.name)
        return configuration.dataset()

    files({"a.toml": WALS, "b.toml": MEAN}).parts(record)
    assert asked == ["a.toml"]


def test_equal_data_in_other_words_is_the_same(files):
    data = '[data]\ninteractions = "../r.csv"\nkind = "ratings"\nscale = [1, 5]\n'
    agreed = files({"a.toml": WALS, "x/b.toml": data + MEAN})
    parts = agreed.parts(read)
    assert len(parts.test.interactions) > 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            '[data]\ninteractions = "other.csv"\nkind = "ratings"\nscale = [1, 5]\n',
            r"same data: 65 against 64 events",
        ),
        (
            '[data]\ninteractions = "r.csv"\nkind = "ratings"\nscale = [0, 5]\n',
            r"same data: .*ratings.* against ",
        ),
        (
            '[data]\ninteractions = "r.csv"\nkind = "ratings"\nscale = [1, 5]\nrepeats = true\n',
            r"same data: repeats = False against True",
        ),
        (
            '[split]\nkind = "leave_last_out"\nn = 1\n',
            r"same split: leave_last_out\(fraction=0\.3\) against leave_last_out\(n=1\)",
        ),
    ],
)
def test_what_differs_is_named_with_both_files(files, text, words):
    agreed = files({"a.toml": WALS, "b.toml": text + MEAN})
    with pytest.raises(ConfigError, match=rf"a\.toml and .*b\.toml do not have the {words}"):
        agreed.parts(read)


def test_random_splits_of_different_seeds_differ(files):
    split = '[split]\nkind = "random"\n'
    agreed = files({"a.toml": "seed = 1\n|" + split + WALS, "b.toml": "seed = 2\n|" + split + MEAN})
    with pytest.raises(
        ConfigError, match=r"random\(fraction=0\.2\), seed 1 against random\(fraction=0\.2\), seed 2"
    ):
        agreed.parts(read)
    own = split + "seed = 5\n"
    files({"a.toml": "seed = 1\n|" + own + WALS, "b.toml": "seed = 2\n|" + own + MEAN}).parts(read)
