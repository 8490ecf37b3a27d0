"""What lists are like, from the definitions, by plain loops over lists of items."""

import math

from oracles.list_goals import cosine, discounts, divergence, mix


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def diversity(items, vectors):
    """1 minus the mean cosine over all pairs."""
    pairs = [(a, b) for a in range(len(items)) for b in range(a)]
    return 1 - mean(cosine(vectors[items[a]], vectors[items[b]]) for a, b in pairs)


def miscalibration(items, liked, groups_of, alpha=0.01):
    own = mix(groups_of, liked, [1.0] * len(liked))
    return divergence(own, mix(groups_of, items, [1.0] * len(items)), alpha)


def liked_by_others(item, person, likes):
    """`likes`: person → the items that they like."""
    return sum(item in its for other, its in likes.items() if other != person)


def popularity_lift(lists, likes):
    """`lists`: person → items. Over those who like something."""
    people = [person for person in lists if likes[person]]
    of_lists = mean(mean(liked_by_others(i, u, likes) for i in lists[u]) for u in people)
    return of_lists / mean(mean(liked_by_others(i, u, likes) for i in likes[u]) for u in people)


def novelty(items, likes):
    """Bits; an item that nobody likes counts as liked by half a person."""
    n_liking = [sum(i in its for its in likes.values()) or 0.5 for i in items]
    return mean(-math.log2(n / len(likes)) for n in n_liking)


def exposure(lists, n_items):
    total = [0.0] * n_items
    for items in lists:
        for item, weight in zip(items, discounts(len(items)), strict=True):
            total[item] += weight
    return total


def gini(amounts):
    """Half the mean absolute difference over all ordered pairs, divided by the mean."""
    n = len(amounts)
    return sum(abs(a - b) for a in amounts for b in amounts) / (2 * n * n * mean(amounts))


def group_shares(lists, groups_of):
    """The mean over lists of the share of its exposure that each group has."""
    found = {}
    for items in lists:
        for group, share in mix(groups_of, items, discounts(len(items))).items():
            found[group] = found.get(group, 0.0) + share / len(lists)
    return found


def relevance(items, score):
    """`score`: candidate → score. The mean over the list, where the worst candidate is 0 and the best 1."""
    low, high = min(score.values()), max(score.values())
    return mean((score[item] - low) / (high - low) for item in items)
