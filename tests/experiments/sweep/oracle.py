"""What a sweep measures at one size, by plain loops over one user's candidates; imports nothing of ours."""

from math import log2


def turns(proposals, size, permitted):
    """Return the merged candidates: sources take turns, each with the best of its list that is not there yet."""
    chosen, left = [], [[item for item in one if item in permitted] for one in proposals]
    while len(chosen) < size and any(left):
        for one in left:
            while one and one[0] in chosen:
                one.pop(0)
            if one and len(chosen) < size:
                chosen.append(one.pop(0))
    return chosen


def shown(candidates, score, k):
    """Return the k candidates of largest score, ties by the smaller item."""
    return sorted(candidates, key=lambda item: (-score[item], item))[:k]


def recall(candidates, relevant):
    return len(set(candidates) & set(relevant)) / len(relevant)


def ndcg(items, relevant, k):
    gained = sum(1 / log2(rank + 1) for rank, item in enumerate(items[:k], 1) if item in relevant)
    return gained / sum(1 / log2(rank + 1) for rank in range(1, min(k, len(relevant)) + 1))


def ceiling(candidates, relevant, k):
    """Return the NDCG of the best order of the candidates."""
    return ndcg(sorted(candidates, key=lambda item: item not in relevant), relevant, k)


def parts(items, proposals, permitted):
    """Return what each source brought of `items`: an item in equal parts for those that proposed it."""
    found = [0.0] * len(proposals)
    for item in items:
        origins = [s for s, one in enumerate(proposals) if item in one and item in permitted]
        for s in origins:
            found[s] += 1 / len(origins)
    return found
