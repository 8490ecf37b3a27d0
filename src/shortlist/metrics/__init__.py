"""Metrics over plain arrays: they know nothing of frames, models or datasets.

Ranking metrics give one value a user, so that two systems can be compared by a paired bootstrap over users.
No metric ever gives NaN: where a value is undefined (a user without a relevant item, a list without a pair),
the caller selects the rows with `users_with_truth` or `select_lists`, which count what they drop.
"""

from shortlist.metrics.accuracy import mae, rmse
from shortlist.metrics.beyond_accuracy import (
    catalogue_coverage,
    gini,
    gini_of,
    intra_list_diversity,
    novelty,
)
from shortlist.metrics.binary import (
    auc,
    auc_draws,
    auc_of_users,
    log_loss,
    log_loss_draws,
    unsampled_probability,
)
from shortlist.metrics.folding import folding
from shortlist.metrics.intervals import Interval, Resampler, mean_interval, percentile_interval
from shortlist.metrics.lists import SelectedLists, list_lengths, select_lists
from shortlist.metrics.ranking import (
    Hits,
    UsersWithTruth,
    average_precision,
    find_hits,
    hit_rate,
    ndcg,
    precision,
    recall,
    recall_capped,
    reciprocal_rank,
    users_with_truth,
)

__all__ = [
    "Hits",
    "Interval",
    "Resampler",
    "SelectedLists",
    "UsersWithTruth",
    "auc",
    "auc_draws",
    "auc_of_users",
    "average_precision",
    "catalogue_coverage",
    "find_hits",
    "folding",
    "gini",
    "gini_of",
    "hit_rate",
    "intra_list_diversity",
    "list_lengths",
    "log_loss",
    "log_loss_draws",
    "mae",
    "mean_interval",
    "ndcg",
    "novelty",
    "percentile_interval",
    "precision",
    "recall",
    "recall_capped",
    "reciprocal_rank",
    "rmse",
    "select_lists",
    "unsampled_probability",
    "users_with_truth",
]
