"""The k best of each row by full sorting, in exact order: score down, then index up."""


def k_best(scores, permitted, k):
    """Return the indices of the k best permitted entries of one row of scores (a list of numbers)."""
    order = sorted((i for i in range(len(scores)) if permitted[i]), key=lambda i: (-scores[i], i))
    return order[:k]
