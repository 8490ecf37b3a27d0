"""Sources that take turns, one candidate at a time, with fractions in place of floats."""

from fractions import Fraction


def taken(lists, permitted, size, weights, quotas):
    """Return the items that come within `size`, in the order in which they are taken.

    lists: the items of each source, best first; permitted: a set; weights: a number a source; quotas: (least, most) a
    source, most None for no limit.
    """
    chosen, turns = [], [0] * len(lists)
    for phase in ("least", "most"):
        while len(chosen) < size:
            ready = []
            for s, items in enumerate(lists):
                left = [item for item in items if item in permitted and item not in chosen]
                least, most = quotas[s]
                limit = least if phase == "least" else most
                if left and (limit is None or turns[s] < limit):
                    weight = Fraction(weights[s])
                    late, pace = weight == 0, weight or Fraction(1)
                    ready.append(((late, Fraction(turns[s] + 1) / pace, s), left[0]))
            if not ready:
                break
            (_, _, s), item = min(ready)
            turns[s] += 1
            chosen.append(item)
    return chosen
