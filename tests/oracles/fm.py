"""A factorisation machine written as its definition: every pair of columns, dense, in loops. Slow."""

import numpy as np


def predicted(x, intercept, weights, factors):
    """ŷ of one dense row: Rendle 2010, equation 1."""
    total = intercept + float(np.dot(weights, x))
    for i in range(len(x)):
        for j in range(i + 1, len(x)):
            total += float(np.dot(factors[i], factors[j])) * x[i] * x[j]
    return total


def loss(x, y, intercept, weights, factors, *, reg, weight_reg, logistic):
    """The loss of an example, and the penalties of the columns that it has."""
    z = predicted(x, intercept, weights, factors)
    value = np.log1p(np.exp(-abs(z))) + max(z, 0) - y * z if logistic else 0.5 * (z - y) ** 2
    has = x != 0
    return value + 0.5 * reg * (factors[has] ** 2).sum() + 0.5 * weight_reg * (weights[has] ** 2).sum()


def slopes(x, y, intercept, weights, factors, *, step=1e-5, **how):
    """The gradient of `loss` by central differences: of the intercept, the weights and the factors."""

    def of(parameter, at):
        found = []
        for sign in (1, -1):
            parts = [np.array(intercept, float), weights.astype(float).copy(), factors.astype(float).copy()]
            parts[parameter][at] += sign * step
            found.append(loss(x, y, float(parts[0]), parts[1], parts[2], **how))
        return (found[0] - found[1]) / (2 * step)

    return (
        of(0, ()),
        np.array([of(1, i) for i in range(len(weights))]),
        np.array([[of(2, (i, f)) for f in range(factors.shape[1])] for i in range(len(weights))]),
    )


def linear_posterior(x, y, noise_precision, prior_mean, prior_precision):
    """Mean and covariance of the weights of Bayesian linear regression (Bishop 2006, equations 3.50 and 3.51)."""
    precision = prior_precision + noise_precision * x.T @ x
    covariance = np.linalg.inv(precision)
    return covariance @ (prior_precision @ prior_mean + noise_precision * x.T @ y), covariance


def conditional(x, column, y, intercept, weights, factors, noise_precision, prior_mean, prior_precision):
    """Mean and covariance of one column's (v, w) given all others: a regression on what multiplies them in ŷ."""
    others_w, others_v = weights.copy(), factors.copy()
    others_w[column], others_v[column] = 0, 0
    rest = np.array([predicted(row, intercept, others_w, others_v) for row in x])
    z = np.column_stack([x[:, [column]] * (x @ others_v), x[:, column]])
    return linear_posterior(z, y - rest, noise_precision, prior_mean, prior_precision)
