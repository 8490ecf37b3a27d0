"""The metrics by their definitions: plain loops over one list, exact fractions where possible."""

import math
from fractions import Fraction
from itertools import combinations


def precision(shown, relevant, k):
    return Fraction(sum(item in relevant for item in shown[:k]), k)


def recall(shown, relevant, k):
    return Fraction(len(set(shown[:k]) & set(relevant)), len(relevant))


def recall_capped(shown, relevant, k):
    return Fraction(len(set(shown[:k]) & set(relevant)), min(k, len(relevant)))


def hit_rate(shown, relevant, k):
    return Fraction(int(any(item in relevant for item in shown[:k])))


def reciprocal_rank(shown, relevant, k):
    for rank, item in enumerate(shown[:k], start=1):
        if item in relevant:
            return Fraction(1, rank)
    return Fraction(0)


def average_precision(shown, relevant, k):
    total = Fraction(0)
    for rank in range(1, min(k, len(shown)) + 1):
        if shown[rank - 1] in relevant:
            total += precision(shown, relevant, rank)
    return total / min(k, len(relevant))


def ndcg(shown, relevant, k):
    """`relevant` maps an item to its gain."""

    def dcg(gains):
        return math.fsum(gain / math.log2(rank + 1) for rank, gain in enumerate(gains[:k], start=1))

    best = sorted(relevant.values(), reverse=True)
    return dcg([relevant.get(item, 0.0) for item in shown]) / dcg(best)


def catalogue_coverage(lists, eligible):
    return Fraction(len({item for shown in lists for item in shown}), len(eligible))


def gini(lists, eligible):
    """Half the mean absolute difference over all ordered pairs, divided by the mean."""
    times = [sum(item in shown for shown in lists) for item in eligible]
    n = len(times)
    differences = sum(abs(a - b) for a in times for b in times)
    return Fraction(differences, n * n) / 2 / Fraction(sum(times), n)


def novelty(shown, item_users, n_users):
    """An item without users counts as half a user."""
    return math.fsum(-math.log2((item_users[i] or 0.5) / n_users) for i in shown) / len(shown)


def cosine(a, b):
    lengths = math.sqrt(math.fsum(x * x for x in a)) * math.sqrt(math.fsum(x * x for x in b))
    return math.fsum(x * y for x, y in zip(a, b, strict=True)) / lengths if lengths else 0.0


def intra_list_diversity(shown, vectors):
    pairs = [cosine(vectors[i], vectors[j]) for i, j in combinations(shown, 2)]
    return 1 - math.fsum(pairs) / len(pairs)
