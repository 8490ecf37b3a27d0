"""Data sets to start with: `movielens_small()` and `online_retail()`."""

from shortlist.data.datasets.movielens import movielens_small
from shortlist.data.datasets.online_retail import online_retail

__all__ = ["movielens_small", "online_retail"]
