"""Evaluation by the definitions, with sets, one user at a time. Imports nothing of ours."""

from math import log2, sqrt


def truth(train, test, positive_from, exclude_seen):
    """Return user → set of relevant items, without the users that have none; events are (user, item, value)."""
    seen = {(user, item) for user, item, _ in train}
    relevant = {}
    for user, item, value in test:
        if value >= positive_from and not (exclude_seen and (user, item) in seen):
            relevant.setdefault(user, set()).add(item)
    return relevant


def ranking(shown, relevant, k):
    """Return metric → value for one list of distinct items and one non-empty set of relevant items."""
    shown = shown[:k]
    hits = [item in relevant for item in shown]
    ideal = sum(1 / log2(rank + 1) for rank in range(1, min(k, len(relevant)) + 1))
    gained = sum(1 / log2(rank + 1) for rank, hit in enumerate(hits, 1) if hit)
    precisions = [sum(hits[:rank]) / rank for rank, hit in enumerate(hits, 1) if hit]
    return {
        "precision": sum(hits) / k,
        "recall": sum(hits) / len(relevant),
        "recall_capped": sum(hits) / min(k, len(relevant)),
        "ndcg": gained / ideal,
        "map": sum(precisions) / min(k, len(relevant)),
        "mrr": 1 / (hits.index(True) + 1) if any(hits) else 0.0,
        "hit_rate": float(any(hits)),
    }


def novelty(shown, train):
    """Return the mean bits of the items shown; an item that no training user has counts as half a user."""
    n_users = len({user for user, _, _ in train})
    having = [len({user for user, other, _ in train if other == item}) or 0.5 for item in shown]
    return sum(log2(n_users / n) for n in having) / len(shown)


def diversity(shown, tags):
    """Return 1 − the mean cosine of the tag sets over all pairs shown; no tags are like nothing."""
    pairs = [(a, b) for at, a in enumerate(shown) for b in shown[:at]]
    return 1 - sum(cosine(tags[a], tags[b]) for a, b in pairs) / len(pairs)


def cosine(a, b):
    return len(a & b) / sqrt(len(a) * len(b)) if a and b else 0.0


def coverage(lists, n_items):
    return len({item for shown in lists for item in shown}) / n_items


def gini(lists, n_items):
    """Return the mean absolute difference of all pairs of items over twice the mean."""
    shown = [sum(item in one for one in lists) for item in range(n_items)]
    differences = sum(abs(a - b) for a in shown for b in shown)
    return differences / (2 * n_items * sum(shown))


def errors(test, predicted, scale):
    """Return (rmse, mae) over (user, item, value) and the predictions, clipped to the scale."""
    clipped = [min(max(p, scale[0]), scale[1]) for p in predicted]
    off = [p - value for p, (_, _, value) in zip(clipped, test, strict=True)]
    return sqrt(sum(e * e for e in off) / len(off)), sum(abs(e) for e in off) / len(off)


def head_items(train, positive_from, n_items):
    """Return the items of the shortest prefix, by falling number of positive users, that holds half of all pairs."""
    pairs = {(user, item) for user, item, value in train if value >= positive_from}
    count = [sum(item == other for _, other in pairs) for item in range(n_items)]
    head, held = set(), 0
    for item in sorted(range(n_items), key=lambda i: (-count[i], i)):
        if 2 * held >= len(pairs):
            break
        head.add(item)
        held += count[item]
    return head
