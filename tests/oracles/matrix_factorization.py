"""Rating factorisation written as plainly as possible: dense loops from the formulas, sharing no code with us.

Ratings are dense arrays Y [n_users, n_items] with a mask R of what is rated. Parameters are W [n_users, dim],
b [n_users], X [n_items, dim], c [n_items]; penalties are one number a row.
"""

import numpy as np
import torch


def cost(Y, R, W, b, X, c, p_w, p_b, p_x, p_c):
    """J = 1/2 sum_{r=1} (w.x + b + c - y)^2 + 1/2 sum_u (p_w |w|^2 + p_b b^2) + 1/2 sum_i (p_x |x|^2 + p_c c^2)."""
    total = 0.0
    for u in range(Y.shape[0]):
        for i in range(Y.shape[1]):
            if R[u, i]:
                total += (sum(W[u, f] * X[i, f] for f in range(W.shape[1])) + b[u] + c[i] - Y[u, i]) ** 2
    for u in range(Y.shape[0]):
        total += p_w[u] * sum(w * w for w in W[u]) + p_b[u] * b[u] ** 2
    for i in range(Y.shape[1]):
        total += p_x[i] * sum(x * x for x in X[i]) + p_c[i] * c[i] ** 2
    return total / 2


def label_cost(Y, R, W, b, X, c, logit, p_w, p_b, p_x, p_c):
    """J with the cross-entropy -y log s(z) - (1 - y) log(1 - s(z)) of shown pairs, z = w.x + b + c + logit_i."""
    total = 0.0
    for u in range(Y.shape[0]):
        for i in range(Y.shape[1]):
            if R[u, i]:
                z = sum(W[u, f] * X[i, f] for f in range(W.shape[1])) + b[u] + c[i] + logit[i]
                p = 1 / (1 + np.exp(-z))
                total -= np.log(p) if Y[u, i] else np.log(1 - p)
    nothing = np.zeros_like(R)
    return total + cost(Y, nothing, W, b, X, c, p_w, p_b, p_x, p_c)


def row_optimum(targets, vectors, penalty, bias_penalty):
    """argmin over (w, b) of 1/2 sum (w.v + b - t)^2 + penalty/2 |w|^2 + bias_penalty/2 b^2, as one stacked lstsq."""
    dim = vectors.shape[1]
    design = np.hstack([vectors, np.ones((len(targets), 1))])
    ridge = np.diag(np.sqrt(np.r_[np.full(dim, penalty), bias_penalty]))
    solution = np.linalg.lstsq(np.vstack([design, ridge]), np.r_[targets, np.zeros(dim + 1)], rcond=None)[0]
    return solution[:dim], solution[dim]


def course_loop(Y, R, X, W, b, reg, n_steps, learning_rate=0.1):
    """Run the course's training loop; returns the cost before each step, the parameters, and the film means.

    In the course's orientation: Y, R [n_movies, n_users], X [n_movies, dim], W [n_users, dim], b [1, n_users].
    The gradient is torch's automatic one; Adam is the form Keras documents: alpha = rate sqrt(1 - .999^t) /
    (1 - .9^t), x -= alpha m / (sqrt(v) + 1e-7).
    """
    mean = (Y * R).sum(1, keepdims=True) / (R.sum(1, keepdims=True) + 1e-12)
    rated, normed = torch.tensor(R), torch.tensor(Y - mean * R)
    parameters = [torch.tensor(a, requires_grad=True) for a in (X, W, b)]
    m = [torch.zeros_like(p) for p in parameters]
    v = [torch.zeros_like(p) for p in parameters]
    costs = []
    for t in range(1, n_steps + 1):
        features, weights, bias = parameters
        error = (features @ weights.T + bias - normed) * rated
        value = 0.5 * (error**2).sum() + reg / 2 * ((features**2).sum() + (weights**2).sum())
        gradients = torch.autograd.grad(value, parameters)
        costs.append(value.item())
        alpha = learning_rate * (1 - 0.999**t) ** 0.5 / (1 - 0.9**t)
        with torch.no_grad():
            for p, g, first, second in zip(parameters, gradients, m, v, strict=True):
                first.mul_(0.9).add_(0.1 * g)
                second.mul_(0.999).add_(0.001 * g * g)
                p -= alpha * first / (second.sqrt() + 1e-7)
    return np.array(costs), [p.detach().numpy() for p in parameters], mean[:, 0]
