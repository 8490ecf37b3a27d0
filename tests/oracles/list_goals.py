"""What the terms of a selection pursue, from the definitions, one list at a time by plain loops."""

import math


def cosine(a, b):
    lengths = math.sqrt(sum(x * x for x in a)) * math.sqrt(sum(x * x for x in b))
    return sum(x * y for x, y in zip(a, b, strict=True)) / lengths if lengths else 0.0


def mean_largest_similarity(vectors):
    """The mean over the items from the second on of the largest cosine to an item before."""
    largest = [max(cosine(vectors[i], vectors[j]) for j in range(i)) for i in range(1, len(vectors))]
    return sum(largest) / len(largest) if largest else math.nan


def determinant(matrix):
    """By expansion along the first row."""
    if not matrix:
        return 1.0
    total = 0.0
    for column, value in enumerate(matrix[0]):
        minor = [row[:column] + row[column + 1 :] for row in matrix[1:]]
        total += (-1) ** column * value * determinant(minor)
    return total


def log_determinant_per_item(vectors, epsilon):
    n = len(vectors)
    kernel = [
        [1.0 if i == j else (1 - epsilon) * cosine(vectors[i], vectors[j]) for j in range(n)]
        for i in range(n)
    ]
    return math.log(determinant(kernel)) / n


def mix(groups_of, items, weights):
    """The weighted share of each group; an item without groups is of the group None."""
    shares = {}
    for item, weight in zip(items, weights, strict=True):
        own = groups_of[item] or [None]
        for group in own:
            shares[group] = shares.get(group, 0.0) + weight / len(own) / sum(weights)
    return shares


def divergence(p, q, alpha):
    """KL from p of (1 − alpha) q + alpha p; nothing to say where p is empty."""
    if not p:
        return math.nan
    return sum(
        share * math.log(share / ((1 - alpha) * q.get(group, 0.0) + alpha * share))
        for group, share in p.items()
        if share > 0
    )


def squared_distance(e, target):
    return sum((e.get(group, 0.0) - target.get(group, 0.0)) ** 2 for group in {*e, *target})


def discounts(n):
    return [1 / math.log2(place + 1) for place in range(1, n + 1)]
