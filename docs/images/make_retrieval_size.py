"""Draw docs/images/retrieval-size-*.png: quality, time and sources by the number of candidates, one picture a data set.

python docs/images/make_retrieval_size.py

The figures are those of benchmarks/results/sweep.json.
"""

import io
import json
from pathlib import Path

from PIL import Image

from shortlist.experiments.charts import png
from shortlist.experiments.sweep.drawing import overview
from shortlist.experiments.sweep.outcome import Sweep

HERE = Path(__file__).resolve().parent
RESULTS = HERE.parents[1] / "benchmarks" / "results" / "sweep.json"


def main() -> None:
    """Draw what was measured."""
    sweeps = json.loads(RESULTS.read_text(encoding="utf-8"))["results"]["sweeps"]
    for name, values in sweeps.items():
        picture = Image.open(io.BytesIO(png(overview(Sweep.from_values(values)), scale=1.0)))
        # A palette is a third of the size, and the picture has a few colours.
        picture.convert("RGB").quantize(96).save(HERE / f"retrieval-size-{name}.png", optimize=True)


if __name__ == "__main__":
    main()
