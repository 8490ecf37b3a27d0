"""Weights of pairs by frequency, pair by pair: w = (1 + alpha value) s n_i^-a n_u^-b; the factor averages 1."""


def weights(pairs, alpha, item_exponent, user_exponent):
    """Return {(user, item): w}; `pairs` is {(user, item): value}, each pair once."""
    of_user = {u: sum(1 for other, _ in pairs if other == u) for u, _ in pairs}
    of_item = {i: sum(1 for _, other in pairs if other == i) for _, i in pairs}
    factor = {(u, i): of_item[i] ** -item_exponent * of_user[u] ** -user_exponent for u, i in pairs}
    mean = sum(factor.values()) / len(factor)
    return {pair: (1 + alpha * value) * factor[pair] / mean for pair, value in pairs.items()}
