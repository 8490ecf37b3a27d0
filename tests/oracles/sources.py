"""What the sources propose, from their definitions, by plain loops.

An event is (user, item, positive, time, basket), in the order of the log; `allowed` says which items a person may be
shown. Each function returns item → score for one person, or for everybody.
"""

import math
from collections import Counter, defaultdict

import numpy as np


def liked_by(events):
    """Return item → how many people like it."""
    return Counter(item for _, item in {(e[0], e[1]) for e in events if e[2]})


def first_allowed(ranked, k, allowed):
    """Return the first k of (value, item) pairs, largest value first, ties by smaller item, that may be shown."""
    order = sorted(ranked, key=lambda pair: (-pair[0], pair[1]))
    return [(value, item) for value, item in order if item in allowed][:k]


def top_in_group(events, labels, user, groups, k, half_life, now, allowed):
    likes = liked_by(events)
    moments = {(e[1], e[3]) for e in events if e[0] == user and e[2] and e[3] <= now}
    weight = defaultdict(float)
    for item, time in moments:
        for label in labels[item]:
            weight[label] += 1 if half_life is None else 2 ** ((time - now) / half_life)
    total = sum(weight.values())
    top = sorted(weight, key=lambda label: (-weight[label], label))[:groups]
    found = {}
    for label in top:
        members = [item for item in likes if label in labels[item]]
        all_likes = sum(likes[item] for item in members)
        ranked = [(likes[item], item) for item in members if item not in found]
        for n, item in first_allowed(ranked, k, allowed):
            found[item] = (weight[label] / total) * (n / all_likes), label
    return found


def top_in_user_group(events, labels, own_labels, k, shrinkage, allowed):
    likes = liked_by(events)
    active = {e[0] for e in events if e[2]}
    found = {}
    for label in sorted(own_labels):
        group = {user for user in active if label in labels[user]}
        inside = Counter(item for user, item in {(e[0], e[1]) for e in events if e[2]} if user in group)
        ranked = [
            ((n + shrinkage * (likes[item] / len(active))) / (len(group) + shrinkage), item)
            for item, n in inside.items()
            if item not in found
        ]
        found |= {item: score for score, item in first_allowed(ranked, k, allowed)}
    return found


def trends(events, half_life, now):
    """Return item → Σ over its people of 2^(−age / half_life) of the last positive event up to now."""
    last = {(e[0], e[1]): e[3] for e in events if e[2] and e[3] <= now}
    found = defaultdict(float)
    for (_, item), time in last.items():
        found[item] += 2 ** ((time - now) / half_life)
    return found


def values_after(before, after, places, measure, shrinkage):
    """Return (i, j) → value of j after i; before and after: item → set of places."""
    found = {}
    for i, here in before.items():
        for j, there in after.items():
            c = len(here & there)
            if i == j or c == 0:
                continue
            if measure == "cosine":
                value = c / math.sqrt(len(here) * len(there))
            elif measure == "conditional":
                value = c * (1 / len(here))
            else:
                value = c * (places / len(here)) * (1 / len(there))
            if shrinkage > 0:
                value *= c / (c + shrinkage)
            found[i, j] = float(np.float32(value))
    return found


def baskets(events, gap):
    """Return item → set of baskets, which are named (gap None) or end where nothing happens for longer than the gap."""
    held, previous = defaultdict(set), {}
    for user, item, positive, time, basket in events:
        if positive:
            if gap is not None:
                before, number = previous.get(user, (None, -1))
                number += before is None or time - before > gap
                previous[user] = (time, number)
                basket = number
            held[item].add((user, basket))
    return held


def moments_after(events, window):
    """Return item → moments that lead anywhere, item → moments that lead to it, and how many moments lead anywhere."""
    times = defaultdict(set)
    for user, _, positive, time, _ in events:
        if positive:
            times[user].add(time)
    before, after, leading = defaultdict(set), defaultdict(set), set()
    for user, item, positive, time, _ in events:
        if not positive:
            continue
        ordered = sorted(times[user])
        at = ordered.index(time)
        if at + 1 < len(ordered):
            before[item].add((user, time))
            leading.add((user, time))
        for earlier in ordered[max(0, at - window) : at]:
            after[item].add((user, earlier))
    return before, after, len(leading)


def after_recent(values, past, recent, per_item, n_neighbors, allowed):
    """Return item → (value, anchor) for a person who liked `past`, oldest first."""
    anchors = list(dict.fromkeys(reversed(past)))[:recent]
    found = {}
    for anchor in anchors:
        others = sorted(((v, j) for (i, j), v in values.items() if i == anchor), key=lambda p: (-p[0], p[1]))
        for value, item in [(v, j) for v, j in others[:n_neighbors] if j in allowed][:per_item]:
            if item not in found or value > found[item][0]:
                found[item] = value, anchor
    return found
