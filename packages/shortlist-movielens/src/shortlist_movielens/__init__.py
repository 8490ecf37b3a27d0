"""MovieLens small as files in `DIRECTORY`, with the README that is their licence (no commercial use)."""

from pathlib import Path

__version__ = "0.1.0"

DIRECTORY: Path = Path(__file__).resolve().parent / "ml-latest-small"
"""The folder of `ratings.csv`, `movies.csv`, `tags.csv`, `links.csv` and `README.txt`, unchanged."""
