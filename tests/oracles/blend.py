"""A weighted sum of models over all items, by plain loops: the slow twin of the threshold algorithm."""


def unit(scores, speaks_of, past, *, only_past):
    """Return what one user's scores from one model are divided by; 1 where nothing is above 0.

    scores: item → score or None (nothing to say); speaks_of: the items it lists; past: the user's items.
    """
    best = 0.0
    for item, score in scores.items():
        if item in speaks_of and score is not None and (only_past or item not in past):
            best = max(best, score)
    return best if best > 0 else 1.0


def blended(all_scores, listed, weights, past, *, only_past=None):
    """Return item → Σ weight · score / unit, and the items that a model has something to say about.

    all_scores, listed: one entry a model; scores of a model that does not know the user: {}.
    """
    only_past = only_past or [False] * len(weights)
    items = {item for scores in all_scores for item in scores}
    total = dict.fromkeys(items, 0.0)
    spoken = set()
    for scores, speaks_of, weight, past_only in zip(all_scores, listed, weights, only_past, strict=True):
        divisor = unit(scores, speaks_of, past, only_past=past_only)
        for item in items:
            score = scores.get(item)
            if weight > 0 and item in speaks_of and score is not None:
                total[item] += weight * (score / divisor)
                spoken.add(item)
    return total, spoken


def best(total, spoken, permitted, k):
    """Return the k best permitted items, ties by smaller item."""
    return sorted((item for item in spoken if item in permitted), key=lambda item: (-total[item], item))[:k]
