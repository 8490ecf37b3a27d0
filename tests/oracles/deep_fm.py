"""The score of DeepFM by loops over columns, fields and units, from Guo et al. 2017, equations 1 to 4."""

import numpy as np


def interactions(x, v):
    """Return Σ_{i<j} ⟨v_i, v_j⟩ x_i x_j (equation 2), by the double loop."""
    return sum(float(v[i] @ v[j]) * x[i] * x[j] for i in range(len(x)) for j in range(i + 1, len(x)))


def score(x, bias, w, v, fields, layers, output):
    """Return the score of one row x [n_columns].

    fields: (first, end) of each; layers: (W [n_in, n_out], b [n_out]) of each; output [n_out of the last], or None.
    """
    linear = bias + sum(w[i] * x[i] for i in range(len(x)))
    total = linear + interactions(x, v)
    if not layers:
        return total
    unit = [value for first, end in fields for value in sum(x[i] * v[i] for i in range(first, end))]
    for weights, offset in layers:
        unit = [
            max(0.0, offset[j] + sum(weights[i, j] * unit[i] for i in range(len(unit))))
            for j in range(len(offset))
        ]
    return total + float(np.dot(output, unit))
