"""An index as a list of (id, vector, offset): searched by scoring everything and sorting."""

import math


def length(vector):
    return math.sqrt(sum(float(x) * float(x) for x in vector))


def stored(vector, measure, storage, float32, half):
    """Return the components that stand for `vector`; `float32` and `half` round a number to these types."""
    given = [float32(x) for x in vector]
    if measure == "cosine":
        norm = length(given)
        given = [float32(x / norm) for x in given]
    if storage == "float32":
        return given
    if storage == "half":
        return [float(half(x)) for x in given]
    step = max(abs(x) for x in given) / 127 or 1.0
    codes = [round(x / step) for x in given]
    if measure == "cosine":
        step = 1 / length(codes)
    return [float32(c * float32(step)) for c in codes]


class ListIndex:
    """Items in the order in which they came."""

    def __init__(self, measure):
        self.measure, self.items = measure, []

    def add(self, identity, vector, offset=0.0):
        self.items.append((identity, vector, offset))

    def replace(self, identity, vector, offset=0.0):
        self.items = [(i, vector, offset) if i == identity else (i, v, o) for i, v, o in self.items]

    def remove(self, identity):
        self.items = [item for item in self.items if item[0] != identity]

    def score(self, query, vector, offset):
        if self.measure == "euclidean":
            return -math.sqrt(sum((float(q) - float(x)) ** 2 for q, x in zip(query, vector, strict=True)))
        total = 0.0
        for q, x in zip(query, vector, strict=True):
            total += float(q) * float(x)
        return total + float(offset)

    def search(self, query, k, float32, may_find=lambda identity: True):
        """Return the k best (id, score) that may be found, best first, ties by who came first."""
        if self.measure == "cosine":
            norm = length(query)
            query = [float32(float(x) / norm) for x in query]
        scored = [
            (-float32(self.score(query, vector, offset)), place, identity)
            for place, (identity, vector, offset) in enumerate(self.items)
            if may_find(identity)
        ]
        return [(identity, -negative) for negative, _, identity in sorted(scored)[:k]]
