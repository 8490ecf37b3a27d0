"""BPR by the paper: gradient steps on triples, one after the other, in float64; and its objective by plain loops.

Rendle, Freudenthaler, Gantner and Schmidt-Thieme 2009, figure 4 and section 4.3.1 (with an item bias).
"""

import math


def sigma(x):
    return 1 / (1 + math.exp(-x))


def score(users, items, bias, u, i):
    return sum(w * v for w, v in zip(users[u], items[i], strict=True)) + bias[i]


def triple_loss(users, items, bias, triple, user_reg, item_reg, bias_reg):
    """-ln sigma(x_uij) and the penalty of what the triple touches."""
    u, i, j = triple
    x = score(users, items, bias, u, i) - score(users, items, bias, u, j)
    squares = [sum(value * value for value in row) for row in (users[u], items[i], items[j])]
    penalty = (
        user_reg * squares[0]
        + item_reg * (squares[1] + squares[2])
        + bias_reg * (bias[i] ** 2 + bias[j] ** 2)
    )
    return -math.log(sigma(x)) + penalty / 2


def descend(users, items, bias, triples, rate, bias_rate, user_reg, item_reg, bias_reg):
    """Changes the three lists in place, a step a triple; returns the sum of -ln sigma(x) before each step."""
    total = 0.0
    for u, i, j in triples:
        x = score(users, items, bias, u, i) - score(users, items, bias, u, j)
        total -= math.log(sigma(x))
        slope = sigma(-x)
        w, a, b = list(users[u]), list(items[i]), list(items[j])
        users[u] = [
            wf + rate * (slope * (af - bf) - user_reg * wf) for wf, af, bf in zip(w, a, b, strict=True)
        ]
        items[i] = [af + rate * (slope * wf - item_reg * af) for wf, af in zip(w, a, strict=True)]
        items[j] = [bf + rate * (-slope * wf - item_reg * bf) for wf, bf in zip(w, b, strict=True)]
        bias[i] += bias_rate * (slope - bias_reg * bias[i])
        bias[j] += bias_rate * (-slope - bias_reg * bias[j])
    return total


def negatives(own, n_items, weight):
    """How likely each item is drawn: in proportion to its weight, the user's own left out."""
    left = [0.0 if item in own else weight[item] for item in range(n_items)]
    return [value / sum(left) for value in left]


def best_of(own, scores, n_candidates):
    """How likely each item is the highest of so many draws with replacement, alike among those not own; no ties."""
    others = [item for item in range(len(scores)) if item not in own]
    chance = [0.0] * len(scores)
    for item in others:
        below = sum(scores[other] < scores[item] for other in others) / len(others)
        upto = below + 1 / len(others)
        chance[item] = upto**n_candidates - below**n_candidates
    return chance


def user_objective(vector, liked, others, weights, reg):
    """What a person folded in minimises; liked and others are (vector, bias)."""
    total = 0.5 * len(liked) * reg * sum(value * value for value in vector)
    for v, c in liked:
        for (o, d), weight in zip(others, weights, strict=True):
            x = sum(w * (a - b) for w, a, b in zip(vector, v, o, strict=True)) + c - d
            total += weight * math.log1p(math.exp(-x))
    return total
