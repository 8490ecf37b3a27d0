"""What each key of a configuration file does, in a few words: the comments of the file that `shortlist init` writes.

NAME_KEYS are the keys of a table in order; NAME_SHOWN are examples for those whose default a file cannot hold.
"""

from __future__ import annotations

from typing import Any

from shortlist.config.arguments import SEED

DATA_KEYS = {
    "interactions": "who did what; paths are relative to this file",
    "items": "what is known of the items",
    "users": "what is known of the users",
    "kind": "ratings | binary (labels 1 and 0) | events (purchases, plays)",
    "scale": "lowest and highest rating",
    "positive_from": "from this rating on an item counts as liked",
    "columns": "role = the column that plays it",
    "features": "numeric | categorical | tags | text | time | ignore",
    "repeats": "people come back to the same items: repeats are measured too",
    "duplicates": '"reject" drops rows that say the same as an earlier one',
    "delimiter": "between the columns of text files; a comma, and a tab in .tsv files, if left out",
    "encoding": "of text files; UTF-8 if left out",
    "context": "further columns of the interactions to keep",
    "time_parts": "hour, weekday or month of each event, as context",
    "earliest": "earlier events are rejected",
    "latest": "later events are rejected",
    "labels": "a rule that makes labels 1 and 0 of the rows",
    "impressions": "what was shown to whom, for labels",
    "name": "of the data, in reports; the name of the file if left out",
}
AS_OBSERVED = ", AS OBSERVED: correct it if the scale is wider"
DATA_SHOWN = {
    "items": "items.csv",
    "users": "users.csv",
    "scale": [1, 5],
    "positive_from": 4,
    "columns": {"user_id": "customer"},
    "features": {"items": {"genres": {"kind": "tags", "separator": "|"}}},
    "delimiter": ";",
    "encoding": "windows-1252",
    "earliest": "2001-01-01",
    "latest": "2100-01-01",
    "time_parts": ["hour", "weekday"],
    "labels": {"engaged": "watch_seconds >= 30"},
    "impressions": "shown.csv",
    "name": "shop",
}
SPLIT_KEYS: dict[str, dict[str, str]] = {
    "global_time": {
        "fraction": "share of the events that test: the last ones",
        "at": "or the moment of the cut",
    },
    "leave_last_out": {
        "fraction": "share of each user's events that test: the last ones",
        "n": "or this many of each user",
    },
    "random": {
        "fraction": "share of the events that test",
        SEED: "of the draw; the seed above if left out",
    },
}
SPLIT_SHOWN = {"at": "2024-01-01", "n": 1, SEED: 0}
WALS_KEYS = {
    "dim": "length of the vectors: more is better until data runs out",
    "unobserved_weight": "of what a user has not touched, against 1 for what was liked",
    "reg": "penalty on the vectors",
    "reg_exponent": "1: penalise in proportion to activity, 0: everybody alike",
    "alpha": "weight of a like: 1 + alpha * its value",
    "item_weight_exponent": "a like of an item that n people like weighs less, by n to minus this",
    "user_weight_exponent": "a like of a user with n likes weighs less, by n to minus this",
    "unobserved": '"all" or "complement": whether that weight is on what was liked too',
    "solver": "exact | cg (a few cheap steps) | gravity | sgd",
    "cg_steps": "cg: steps of each row in a round",
    "learning_rate": "sgd: length of the first steps",
    "n_negatives": "sgd: pairs drawn at random for one that was liked",
    "user_features": "factorise these columns of the users too: true for all but text, or a list",
    "item_features": "likewise of the items",
    "feature_weight": "of a cell of these features, against 1 for what was liked",
    "cold_items_like": "items nobody liked stand at the mean of those with the same label here",
    "n_epochs": "rounds of solving items, then users",
    "refit_epochs": "rounds when a fit starts from an earlier model",
    "init_std": "spread of the random start",
}
POPULARITY_KEYS = {
    "by": "count | decayed (lately) | mean (of the values)",
    "half_life_days": "decayed: after so many days a like counts half",
    "shrinkage": "mean: towards the mean of all, in ratings",
}
BUY_AGAIN_KEYS = {
    "half_life_days": "after so many days a choice counts half",
    "repeat_rates": "weigh by how willingly people come back to an item",
    "shrinkage": "of that rate towards the rate of all items, in people",
}
NEIGHBORS_KEYS = {
    "n_neighbors": "how many are kept of each item",
    "similarity": "cosine | dot | jaccard | adjusted_cosine | pearson",
    "feedback": "implicit (what was liked) | explicit (ratings to predict)",
    "neighbors_of": "scored (the item to score) | past (the items of the user)",
    "weighting": "binary | tfidf | bm25 | unit",
    "shrinkage": "few people in common prove little: n of them count n / (n + this)",
    "bm25_k1": "bm25: how soon more events say no more",
    "bm25_b": "bm25: how much active users count less",
    "baseline": "explicit: what is taken off the ratings; biases | mean (of the item)",
    "item_reg": "explicit: penalty on the biases of items",
    "user_reg": "explicit: penalty on the biases of users",
    "min_neighbors": "explicit: with fewer, the baseline is predicted",
}
FACTORIZATION_KEYS = {
    "dim": "length of the vectors",
    "objective": "squared (ratings) | binary (labels 0 and 1)",
    "reg": "penalty on the vectors",
    "bias_reg": "penalty on the biases",
    "reg_exponent": "1: penalise in proportion to activity, 0: everybody alike",
    "item_bias": "learn how much better an item is than its mean says",
    "mean_shrinkage": "of an item's mean towards the mean of all, in ratings",
    "solver": "als | sgd | adam",
    "n_epochs": "as suits the solver if left out",
    "refit_epochs": "rounds when a fit starts from an earlier model, likewise",
    "learning_rate": "likewise; als has none",
    "tol": "stop where the error falls by less",
    "init_std": "spread of the random start",
    "min_ratings": "items with fewer ratings are on no list",
}
FACTORIZATION_SHOWN = {
    "n_epochs": 6,
    "refit_epochs": 2,
    "learning_rate": 0.05,
    "tol": 0.001,
    "cold_items_like": "genres",
}
NEAREST_KEYS = {
    "model": "whose best items are proposed",
    "k": "how many are proposed",
    "name": "in traces, where two sources are of one type",
    "index": "exact or approximate; by the size of the catalogue when it is left out",
}
RELATED_KEYS = {
    "model": "whose item vectors are compared",
    "recent": "from how many of the user's last liked items",
    "per_item": "how many similar items of each",
    "measure": "cosine | dot | euclidean; unless given, the measure of the model itself",
    "name": "in traces",
}
POPULAR_KEYS = {
    "k": "how many are proposed",
    "model": "what is popular; also what unknown users get",
    "name": "in traces",
}
TOP_IN_GROUP_KEYS = {
    "column": "a tags or categorical feature of the items",
    "groups": "of how many labels, those the user chose most",
    "k": "how many of each",
    "half_life_days": "what was chosen so long ago counts half; all alike if left out",
    "name": "in traces, where two sources are of one type",
}
TOP_IN_USER_GROUP_KEYS = {
    "column": "a categorical or tags feature of the users",
    "k": "how many are proposed",
    "shrinkage": "small groups towards everybody, in people",
    "name": "in traces, where two sources are of one type",
}
TRENDING_KEYS = {
    "half_life_days": "after so many days a like counts half",
    "k": "how many are proposed",
    "name": "in traces",
}
FRESH_KEYS = {
    "k": "how many are proposed",
    "column": "when an item appeared, or its year; the time of its first event if left out",
    "name": "in traces",
}
BOUGHT_TOGETHER_KEYS = {
    "column": "events with one value here are a basket; it is among the context in [data]",
    "within": "else a basket is a session | user (all that a person chose)",
    "gap_minutes": "session: events that follow one another so closely",
    "recent": "from how many of the user's last liked items",
    "per_item": "how many items of the same baskets for each",
    "measure": "cosine | conditional | lift",
    "shrinkage": "few baskets prove little: n of them count n / (n + this)",
    "n_neighbors": "how many are kept of each item, to choose permitted ones from",
    "name": "in traces",
}
NEXT_ITEM_KEYS = {
    "window": "how many items later still follow",
    "recent": "from how many of the user's last liked items",
    "per_item": "how many that followed each",
    "measure": "cosine | conditional | lift",
    "shrinkage": "few times prove little: n of them count n / (n + this)",
    "n_neighbors": "how many are kept of each item, to choose permitted ones from",
    "name": "in traces",
}
AGAIN_KEYS = {
    "k": "how many are proposed",
    "model": "what is worth repeating",
    "name": "in traces",
}
SOURCES_SHOWN = {
    "measure": "cosine",
    "index": "exact",
    "half_life_days": 365.0,
    "column": "released",
}
BASKETS_SHOWN = {"column": "invoice"}
MERGE_KEYS = {
    "size": "how many candidates of a user go on to the scorer; all if left out",
    "weights": "sources take turns: of weight 2, two for one of weight 1, which the others have",
    "quotas": "[least, most] turns of a source",
}
DISLIKED_KEYS = {"name": "in traces"}
DENY_CATEGORY_KEYS = {
    "column": "a tags or categorical feature of the items",
    "values": "labels of which no item is shown",
    "user_column": "or the feature of the users that holds what each of them does not want",
    "missing": "allow | deny: items without a label",
    "on_unknown": "raise | skip: labels that no item has",
    "name": "in traces",
}
DENY_LIST_KEYS = {
    "items": "ids that nobody is shown",
    "on_unknown": "raise | skip: ids that are not in the data",
    "name": "in traces",
}
RULES_SHOWN = {"user_column": "avoids"}
SCORER_KEYS = {"model": "whose scores order the candidates", "name": "in traces"}
LAMBDA_MART_KEYS = {
    "model": "whose score of a candidate is one of the features",
    "n_trees": "the most trees",
    "learning_rate": "of what a tree says, how much counts",
    "n_leaves": "leaves of a tree: 2 see one feature alone",
    "min_rows": "candidates in a leaf",
    "patience": "stop after so many trees that help nobody of the people held back; 0: never",
    "feature_share": "of the features, drawn for each tree",
    "row_share": "of the candidates, drawn for each tree",
    "loss": "lambdarank | xendcg (calmer with few people)",
    "name": "in traces",
}
OBJECTIVE_KEYS = {
    "kind": "probability | top_rating | purchase | revenue | profit | watch_time",
    "window_days": "what comes within so many days counts",
    "price": "revenue, profit: a numeric feature of the items",
    "margin": "profit: likewise",
    "duration": "watch_time: likewise",
    "curve": "platt | isotonic (for some thousand people)",
    "name": "in traces",
}
OBJECTIVE_SHOWN = {
    "window_days": 30.0,
    "price": "price",
    "margin": "margin",
    "duration": "minutes",
    "name": "probability",
}
FRESHNESS_KEYS = {
    "half_life_days": "after so many days an item gains half",
    "weight": "what a new item gains, of the spread of a person's scores",
    "column": "when an item appeared; the time of its first event if left out",
    "name": "in traces",
}
BOOST_KEYS = {
    "on": "a tags or categorical feature of the items",
    "amounts": "label = what its items gain, of the spread of a person's scores",
    "name": "what people are told of it, such as sponsored",
}
SELECT_KEYS = {
    "caps": "feature = the most items of one label on a list",
    "pins": "[item, place]: stands there wherever it may be shown",
    "pool": "how many of the best candidates are looked at",
    "name": "in traces",
}
RERANK_SHOWN: dict[str, Any] = {"column": "released"}
EVALUATE_KEYS = {
    "k": "length of the lists",
    "exclude_seen": "false: lists and truth hold seen items too; both ways are measured where repeats = true",
    "baseline": "a model to compare with; the best popularity if left out",
    "candidates": "all | cold: lists and truth hold only items that nobody has in training",
    "diversity_by": "feature that the variety of a list is measured with; the first tags if left out",
    "n_bootstrap": "resamples behind the intervals, 0 for none",
    "level": "of the intervals",
    "block_users": "asked for at a time: bounds memory, changes no result",
    SEED: "of the resamples; the seed above if left out",
}
EVALUATE_SHOWN = {"exclude_seen": True, "baseline": "popular", "diversity_by": "genres", SEED: 0}
TUNE_KEYS = {
    "metric": "ndcg | recall | recall_capped | precision | map | mrr | hit_rate | rmse | mae",
    "trials": "how many are tried in all",
    "timeout_minutes": "no trial begins after so long",
    "pruning": "give up early what falls behind",
    "k": "as in [evaluate] if left out",
    "exclude_seen": "as in [evaluate] if left out",
    "space": "what is searched; the parameters that matter most if left out",
    SEED: "of the search; the seed above if left out",
}
TUNE_SHOWN = {
    "timeout_minutes": 60,
    "exclude_seen": True,
    "space": {"models.taste.dim": {"low": 8, "high": 64, "log": True}},
    SEED: 0,
}
