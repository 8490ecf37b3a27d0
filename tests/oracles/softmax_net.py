"""The softmax net by plain loops over lists of floats: a person's vector, the loss in full, and over a sample."""

import math


def dot(a, b):
    return sum(x * y for x, y in zip(a, b, strict=True))


def mean(rows, width):
    """Return the mean of the rows; zeros where there are none."""
    return [sum(row[f] for row in rows) / max(len(rows), 1) for f in range(width)]


def person(parts, layers, cosine, temperature):
    """Return the vector that the sum of `parts` becomes in the layers, each of weights [n_in][n_out] and biases."""
    z = [sum(column) for column in zip(*parts, strict=True)]
    for weights, biases in layers:
        cut = [max(value, 0.0) for value in z]
        z = [sum(c * row[k] for c, row in zip(cut, weights, strict=True)) + b for k, b in enumerate(biases)]
    length = math.sqrt(dot(z, z)) if cosine else 1.0
    return [value / length / temperature for value in z]


def full_loss(scores, targets, importance):
    """Return -sum over the targets of ln of their share of all e^score; a row a person, `importance` that of each."""
    total = 0.0
    for row, own, weight in zip(scores, targets, importance, strict=True):
        z = sum(math.exp(score) for score in row)
        total -= weight * sum(math.log(math.exp(row[i]) / z) for i in own)
    return total


def sampled_loss(scores, targets, importance, sample, q):
    """Return the same against a sample: every target counts once, what is sampled and no target counts 1/q times."""
    total = 0.0
    for row, own, weight in zip(scores, targets, importance, strict=True):
        z = sum(math.exp(row[i]) for i in own)
        z += sum(math.exp(row[j]) / q[j] for j in sample if j not in own)
        total -= weight * sum(math.log(math.exp(row[i]) / z) for i in own)
    return total


def folding(vectors, groups, n_neighbors):
    """Return the share of outsiders among the nearest by cosine over what chance gives; `groups` are sets."""
    n = len(vectors)
    near = everywhere = 0.0
    for i in range(n):
        others = [j for j in range(n) if j != i]
        lengths = {j: math.sqrt(dot(vectors[j], vectors[j])) for j in range(n)}
        others.sort(key=lambda j: (-dot(vectors[i], vectors[j]) / lengths[i] / lengths[j], j))
        outside = [not groups[i] & groups[j] for j in others]
        near += sum(outside[:n_neighbors]) / min(n_neighbors, n - 1) / n
        everywhere += sum(outside) / (n - 1) / n
    return near / everywhere
