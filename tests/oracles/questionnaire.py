"""The greedy choice of questions by the definition: every candidate tried on everybody. Imports nothing of ours."""

import numpy as np


def folded(vectors, prior, answers):
    """Return the vector of a person with `answers`, item → value: the minimum of the penalised squares."""
    system, right = prior.copy(), np.zeros(len(prior))
    for item, value in answers.items():
        system += np.outer(vectors[item], vectors[item])
        right += value * vectors[item]
    return np.linalg.solve(system, right)


def error(vectors, prior, everything, values, asked, left_out=None):
    """Return the error of one person's `values`, item → value, of what is not `asked` and not `left_out`."""
    m = folded(vectors, prior, {item: value for item, value in values.items() if item in asked})
    told = sum(
        (value - vectors[item] @ m) ** 2
        for item, value in values.items()
        if item not in asked and item != left_out
    )
    return told + m @ everything @ m


def measured_gain(vectors, prior, everything, people, asked, item):
    """Return by how much asking `item` lowers the error of the rest, each person weighed by 1 / values."""
    gain = 0.0
    for values in people:
        if item in values:
            before = error(vectors, prior, everything, values, asked, left_out=item)
            after = error(vectors, prior, everything, values, {*asked, item})
            gain += (before - after) / len(values)
    return gain


def greedy(vectors, prior, everything, people, candidates, n):
    """Return the positions of the `n` best candidates one after the other, without shrinkage."""
    chosen = []
    for _ in range(n):
        asked = {candidates[at] for at in chosen}
        gains = [
            -np.inf
            if at in chosen
            else measured_gain(vectors, prior, everything, people, asked, candidates[at])
            for at in range(len(candidates))
        ]
        chosen.append(int(np.argmax(gains)))
    return chosen
