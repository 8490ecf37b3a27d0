"""Draw docs/images/report.png: what the lists of a re-ranked pipeline are like, beside those by score alone.

python docs/images/make_report.py
"""

from io import BytesIO
from pathlib import Path

from PIL import Image

import shortlist as sl
from shortlist.experiments.charts import png
from shortlist.experiments.report.drawing import overview

OUT = Path(__file__).with_name("report.png")


def pipeline() -> sl.Pipeline:
    """Return the pipeline of docs/report.md."""
    wals = sl.WALS(dim=16, n_epochs=4)
    select = sl.Select(sl.MMR(0.1, on="genres"), sl.Calibration("genres", 0.1), caps={"genres": 5})
    return sl.Pipeline([sl.Nearest(wals, k=100), sl.Popular()], sl.ModelScorer(wals), [select])


def main() -> None:
    """Fit, report and draw."""
    found = sl.report(pipeline().fit(sl.datasets.movielens_small(), rng=0), n_users=None)
    picture = Image.open(BytesIO(png(overview(found), scale=1.0)))
    picture.convert("RGB").quantize(96).save(OUT, optimize=True)


if __name__ == "__main__":
    main()
