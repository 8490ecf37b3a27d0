"""Greedy list selection from its definitions: every place by computing the whole value of every possible list."""

import numpy as np


def mmr_value(similarity, chosen, candidate):
    return -max((similarity[candidate, j] for j in chosen), default=0.0)


def determinant_gain(similarity, epsilon, chosen, candidate):
    kernel = (1 - epsilon) * similarity
    np.fill_diagonal(kernel, 1.0)
    before = np.linalg.det(kernel[np.ix_(chosen, chosen)]) if chosen else 1.0
    after = [*chosen, candidate]
    return np.log(max(np.linalg.det(kernel[np.ix_(after, after)]) / before, epsilon))


def mix_of(groups_of, items, weights, n_groups):
    mix = np.zeros(n_groups)
    for item, weight in zip(items, weights, strict=True):
        for group in groups_of[item]:
            mix[group] += weight / len(groups_of[item])
    return mix / sum(weights)


def divergence(groups_of, target, alpha, chosen, candidate):
    items = [*chosen, candidate]
    q = (1 - alpha) * mix_of(groups_of, items, np.ones(len(items)), len(target)) + alpha * target
    return sum(p * np.log(p / q[g]) for g, p in enumerate(target) if p > 0)


def distance(groups_of, target, discount, chosen, candidate):
    items = [*chosen, candidate]
    e = mix_of(groups_of, items, discount[: len(items)], len(target))
    return float(np.sum((e - target) ** 2))


def select(
    n,
    relevance,
    weight,
    similarity,
    epsilon,
    groups_of,
    target,
    alpha,
    exposure_target,
    discount,
    capped,
    limit,
    pinned,
):
    """Return the chosen candidates. `pinned`: place → candidate; `capped`: the counted groups of each candidate."""
    m, chosen = len(relevance), []
    waiting = dict(pinned)

    def allowed(i):
        if i in chosen or i in waiting.values():
            return False
        taken = [*chosen, *waiting.values()]
        return all(sum(g in capped[j] for j in taken) < limit[g] for g in capped[i])

    def value(i):
        parts = (
            relevance[i],
            mmr_value(similarity, chosen, i),
            determinant_gain(similarity, epsilon, chosen, i),
            -divergence(groups_of, target, alpha, chosen, i),
            -distance(groups_of, exposure_target, discount, chosen, i),
        )
        return sum(w * part for w, part in zip(weight, parts, strict=True) if w > 0)

    while len(chosen) < n:
        place = len(chosen)
        if place in waiting:
            chosen.append(waiting.pop(place))
            continue
        free = [i for i in range(m) if allowed(i)]
        if free:
            values = [value(i) for i in free]
            chosen.append(free[int(np.argmax(values))])
        elif waiting:
            chosen.append(waiting.pop(min(waiting)))
        else:
            break
    return chosen
