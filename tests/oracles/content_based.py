"""Content-based scores from their definition, in plain Python and dense rows.

An item is {"tags": [...] or None, "number": float or None}; events are (user, item, value, positive) in order of time.
"""

import math
import statistics


def features(items, weights=None):
    """Return the names of the features and the dense row of each item: the tags sorted, then the number."""
    weights = weights or {}
    labels = sorted({tag for item in items for tag in item["tags"] or ()})
    known = [item["number"] for item in items if item["number"] is not None]
    spread = statistics.pstdev(known) if len(set(known)) > 1 else None
    rows = []
    for item in items:
        row = [weights.get("tags", 1.0) * (label in (item["tags"] or ())) for label in labels]
        number = item["number"]
        scaled = 0.0 if number is None or spread is None else (number - statistics.fmean(known)) / spread
        rows.append([*row, weights.get("number", 1.0) * scaled])
    return [*labels, "number"], rows


def _length(row):
    return math.sqrt(sum(x * x for x in row))


def _at_length_one(row):
    length = _length(row)
    return [x / length for x in row] if length else row


def weights_of(events, user, weigh, shrinkage):
    """Return item → w of one user."""
    if weigh == "liked":
        return {item: 1.0 for who, item, _, positive in events if who == user and positive}
    last = {item: value for who, item, value, _ in events if who == user}
    overall = statistics.fmean(value for _, _, value, _ in events)
    mean = (sum(last.values()) + shrinkage * overall) / (len(last) + shrinkage) if last else 0.0
    return {item: value - mean for item, value in last.items()}


def scores(rows, events, user, *, measure, weigh, shrinkage=0.0, stated=None, taste_weight=1.0):
    """Return the score of every item for one user, or None where the profile is zero."""
    if measure == "cosine":
        rows = [_at_length_one(row) for row in rows]
    said = [(w, rows[item]) for item, w in sorted(weights_of(events, user, weigh, shrinkage).items())]
    if stated is not None and any(stated):
        said.append((taste_weight, _at_length_one(stated) if measure == "cosine" else stated))
    said = [(w, row) for w, row in said if any(row)]
    parts = [[w * row[f] for w, row in said] for f in range(len(rows[0]))]
    profile = [0.0 if abs(sum(p)) <= 1e-12 * sum(map(abs, p)) else sum(p) for p in parts]
    if not any(profile):
        return None
    divisor = _length(profile) if measure == "cosine" else sum(abs(w) for w, _ in said)
    return [sum(p / divisor * x for p, x in zip(profile, row, strict=True)) for row in rows]
