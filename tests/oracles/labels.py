"""Labels by plain loops, from the words of the rule; times are whole numbers, and so is the window."""


def label_exposures(exposures, engagements, window=None):
    """Return (label, time) of each exposure, and how many engagements have none before them or come too late.

    `exposures` and `engagements` are lists of (user, item, time).
    """
    labels = [(0, time) for _, _, time in exposures]
    without = late = 0
    for user, item, moment in engagements:
        before = [time for u, i, time in exposures if (u, i) == (user, item) and time <= moment]
        if not before:
            without += 1
        elif window is not None and moment - max(before) > window:
            late += 1
        else:
            for place, (u, i, time) in enumerate(exposures):
                if (u, i) == (user, item) and time == max(before):
                    value, known = labels[place]
                    labels[place] = (1, min(moment, known) if value else moment)
    return labels, without, late


def label_pairs(exposures, labels):
    """Return (user, item) → (label, time): of the first engagement where there is one, else of the last exposure."""
    found = {}
    for (user, item, _), (value, time) in zip(exposures, labels, strict=True):
        found.setdefault((user, item), []).append((value, time))
    return {
        pair: (1, min(t for v, t in all_ if v)) if any(v for v, _ in all_) else (0, max(t for _, t in all_))
        for pair, all_ in found.items()
    }
