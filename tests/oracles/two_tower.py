"""Two towers written out pair by pair from the equations: plain loops, float64, no slopes."""

import math

import numpy as np


def vector(x, weights, biases):
    """Return the unit vector of one row: x W + b, cut at 0 between the layers, divided by its length."""
    z = np.asarray(x, float)
    for at, (w, b) in enumerate(zip(weights, biases, strict=True)):
        z = np.array([sum(z[i] * w[i, j] for i in range(len(z))) + b[j] for j in range(w.shape[1])])
        if at < len(weights) - 1:
            z = np.array([max(value, 0.0) for value in z])
    length = math.sqrt(sum(value * value for value in z))
    return z / length


def dot(u, v):
    return sum(a * b for a, b in zip(u, v, strict=True))


def squared(us, vs, targets):
    return sum((dot(u, v) - t) ** 2 for u, v, t in zip(us, vs, targets, strict=True)) / len(us)


def penalty(weight, *networks):
    """Return λ Σ ‖W‖² over all weights of the networks, biases left out."""
    return weight * sum(value * value for network in networks for w in network for value in w.ravel())


def cross_entropy(us, vs, labels, scale, shift):
    total = 0.0
    for u, v, y in zip(us, vs, labels, strict=True):
        p = 1 / (1 + math.exp(-(scale * dot(u, v) + shift)))
        total -= math.log(p) if y == 1 else math.log(1 - p)
    return total / len(us)


def in_batch_softmax(us, vs, items, shares, temperature):
    """Return the mean of -ln(e^l_rr / sum_c e^l_rc), l = u_r . v_c / T - ln q_c, over c = r and other items alone."""
    total = 0.0
    for r, u in enumerate(us):
        logits = {
            c: dot(u, v) / temperature - math.log(shares[items[c]])
            for c, v in enumerate(vs)
            if c == r or items[c] != items[r]
        }
        total += math.log(sum(math.exp(value) for value in logits.values())) - logits[r]
    return total / len(us)


def full_softmax_slope(u, vectors, own, temperature):
    """Return the slope by u of -ln softmax of item `own` among all `vectors`, scores u . v / T."""
    scores = np.array([dot(u, v) for v in vectors]) / temperature
    chances = np.exp(scores - scores.max())
    chances /= chances.sum()
    return (sum(p * v for p, v in zip(chances, vectors, strict=True)) - vectors[own]) / temperature
