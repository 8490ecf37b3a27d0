"""Shapley values of players for the score of one tree, by all coalitions (Lundberg et al. 2018, equation 2)."""

from itertools import combinations
from math import factorial


def expected(tree, node, row, known):
    """What a node is worth where only the features `known` are: both ways are gone where its own is not.

    `tree` has a dict for each node: {"value", "rows"} of a leaf, else {"feature", "threshold", "left", "right",
    "rows"}; nothing is missing in `row`.
    """
    here = tree[node]
    if "value" in here:
        return here["value"]
    sides = here["left"], here["right"]
    if here["feature"] in known:
        return expected(tree, sides[row[here["feature"]] > here["threshold"]], row, known)
    return sum(tree[side]["rows"] * expected(tree, side, row, known) for side in sides) / here["rows"]


def shapley(tree, row, players):
    """The value of each player, of whom each has some features."""
    n = len(players)
    found = []
    for mine in range(n):
        others = [player for player in range(n) if player != mine]
        total = 0.0
        for size in range(n):
            weight = factorial(size) * factorial(n - size - 1) / factorial(n)
            for coalition in combinations(others, size):
                features = {f for player in coalition for f in players[player]}
                more = expected(tree, 0, row, features | set(players[mine]))
                total += weight * (more - expected(tree, 0, row, features))
        found.append(total)
    return found
