"""Neighbourhood models by their formulas, one pair at a time. Imports nothing of ours.

A row is a dict from column to value; rows are a list of them.
"""

import math
from collections import defaultdict

import numpy as np


def turned(rows, n_columns):
    """Return the columns of `rows` as rows."""
    columns = [{} for _ in range(n_columns)]
    for r, row in enumerate(rows):
        for c, value in row.items():
            columns[c][r] = value
    return columns


def similarity(x, y, kind, shrinkage=0.0):
    """Return the similarity of two rows; 0 where it is not defined."""
    both = sorted(set(x) & set(y))
    n = len(both)
    if n == 0:
        return 0.0
    product = sum(x[c] * y[c] for c in both)
    if kind == "cosine":
        below = math.sqrt(sum(v * v for v in x.values()) * sum(v * v for v in y.values()))
    elif kind == "jaccard":
        product, below = n, len(x) + len(y) - n
    elif kind == "dot":
        below = 1.0
    else:
        x_mean = sum(x[c] for c in both) / n if kind == "pearson" else 0.0
        y_mean = sum(y[c] for c in both) / n if kind == "pearson" else 0.0
        product = sum((x[c] - x_mean) * (y[c] - y_mean) for c in both)
        below = math.sqrt(sum((x[c] - x_mean) ** 2 for c in both) * sum((y[c] - y_mean) ** 2 for c in both))
    # Sums that cancel leave something of rounding.
    return product / below * n / (n + shrinkage) if min(below, abs(product)) > 1e-9 else 0.0


def nearest(rows, x, n, kind, shrinkage=0.0, without=None):
    """Return {row: similarity} of the n rows most similar to x, ties by smaller row; none at or below 0."""
    found = [(np.float32(similarity(x, y, kind, shrinkage)), r) for r, y in enumerate(rows) if r != without]
    best = sorted((entry for entry in found if entry[0] > 0), key=lambda entry: (-entry[0], entry[1]))
    return {r: float(s) for s, r in best[:n]}


def weighed(rows, n_columns, weighting, k1=1.2, b=0.75, of=None):
    """Return `of` (default: rows) with TF-IDF, BM25 or unit weights, the documents being `rows`."""
    documents = [row for row in rows if row]
    n = len(documents)
    df = [sum(c in row for row in documents) for c in range(n_columns)]
    mean_length = sum(sum(row.values()) for row in documents) / n
    out = []
    for row in rows if of is None else of:
        length = sum(row.values())
        new = {}
        for c, tf in row.items():
            if weighting == "unit":
                new[c] = tf / math.sqrt(sum(row.get(c, 0) ** 2 for row in documents))
            elif weighting == "tfidf":
                new[c] = tf * (math.log((1 + n) / (1 + df[c])) + 1)
            else:
                idf = math.log(1 + (n - df[c] + 0.5) / (df[c] + 0.5))
                new[c] = idf * tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / mean_length))
        out.append(new)
    return out


def centred(rows, n_columns):
    """Return the rows less the mean of each column's values."""
    columns = turned(rows, n_columns)
    means = [sum(column.values()) / len(column) if column else 0.0 for column in columns]
    return [{c: value - means[c] for c, value in row.items()} for row in rows]


def baselines(people, n_items, kind, item_reg, user_reg):
    """Return (item parts, user parts): kind "biases", "item_mean" or "user_mean"."""
    mean = sum(sum(row.values()) for row in people) / sum(len(row) for row in people)
    items, users = [], []
    for column in turned(people, n_items):
        if kind == "biases":
            items.append(mean + sum(v - mean for v in column.values()) / (item_reg + len(column)))
        elif kind == "item_mean":
            items.append(sum(column.values()) / len(column) if column else mean)
        else:
            items.append(0.0)
    for row in people:
        if kind == "item_mean":
            users.append(0.0)
        else:
            left = sum(v - items[i] for i, v in row.items())
            users.append(left / (len(row) + (user_reg if kind == "biases" else 0.0)) if row else 0.0)
    return items, users


def liked_by_items(past, lists):
    """Return {item: Σ of the similarities of the past that is among N(i)}; `lists[i]` is N(i)."""
    scores = {i: sum(s for j, s in near.items() if j in past) for i, near in enumerate(lists)}
    return {i: s for i, s in scores.items() if s > 0}


def rated_by_items(ratings, lists, items, user, least):
    """Return {item: predicted rating} where at least `least` of N(i) are rated."""
    out = {}
    for i, near in enumerate(lists):
        used = [j for j in near if j in ratings]
        if len(used) >= least:
            above = sum(near[j] * (ratings[j] - items[j] - user) for j in used)
            out[i] = items[i] + user + above / sum(near[j] for j in used)
    return out


def liked_by_people(near, people):
    """Return {item: Σ of the similarities of the people near who have it}."""
    scores = defaultdict(float)
    for v, s in near.items():
        for i in people[v]:
            scores[i] += s
    return dict(scores)


def rated_by_people(near, people, items, users, user, least):
    """Return {item: predicted rating} where at least `least` of the people near rated it."""
    out = {}
    for i, item in enumerate(items):
        used = [v for v in near if i in people[v]]
        if len(used) >= least:
            above = sum(near[v] * (people[v][i] - item - users[v]) for v in used)
            out[i] = item + user + above / sum(near[v] for v in used)
    return out


def walk(people, n_items, j, alpha, beta):
    """Return {item: value} of the ends of a walk item j → a person → item, without j."""
    columns = turned(people, n_items)
    ends = defaultdict(float)
    for v in columns[j]:
        for i in people[v]:
            if i != j:
                ends[i] += (
                    (1 / len(columns[j])) ** alpha * (1 / len(people[v])) ** alpha / len(columns[i]) ** beta
                )
    return dict(ends)
