"""Derived features by their definition, one row and one event at a time."""

import math


def counted(events, row, fold=None):
    """Return the events that count for `row` of `events` [(user, item, value, time)]: other folds, else the earlier."""
    if fold is not None:
        return [event for at, event in enumerate(events) if fold[at] != fold[row]]
    return [event for event in events if event[3] < events[row][3]]


def mean(values, prior, shrinkage):
    """Return (Σ values + shrinkage · prior) / (n + shrinkage)."""
    n = len(values) + shrinkage
    return (sum(values) + shrinkage * prior) / n if n else prior


def features(of, user, item, genres, shrinkage, scale=1.0):
    """Return the features by name of a row of `user` and `item`, made of the events `of`; `genres`: item → labels."""
    prior = sum(event[2] for event in of) / len(of) if of else math.nan
    mine = [event for event in of if event[0] == user]
    its = [event for event in of if event[1] == item]
    user_mean = mean([event[2] for event in mine], prior, shrinkage)
    found = {
        "user_mean": user_mean,
        "user_count": len(mine) * scale,
        "item_mean": mean([event[2] for event in its], prior, shrinkage),
        "item_count": len(its) * scale,
        "item_popularity": len(its) / max(len(of), 1),
    }
    for label in sorted({label for labels in genres.values() for label in labels}):
        liked = [event[2] for event in mine if label in genres[event[1]]]
        found[f"user_mean:genres={label}"] = mean(liked, user_mean, shrinkage)
        found[f"user_count:genres={label}"] = len(liked) * scale
    return found


def days_since(events, side, of, time):
    """Return the days from the last event strictly before `time` (µs) of the user (side 0) or item (side 1) `of`."""
    before = [event[3] for event in events if event[side] == of and event[3] < time]
    return (time - max(before)) / 86_400e6 if before else math.nan
