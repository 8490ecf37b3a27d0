"""BuyAgain by its definition, one person and item at a time. Imports nothing of ours."""


def moments(events, user, item):
    """Return the distinct times of the user's positive events with the item; events are (user, item, positive, day)."""
    return sorted({day for u, i, positive, day in events if (u, i) == (user, item) and positive})


def repeat_rates(events, n_items, shrinkage):
    """Return item → (came back + s · r) / (chose it + s), in people, with r = (all that came back + 1) / (all + 2)."""
    people = {u for u, _, _, _ in events}
    chosen, again = [0] * n_items, [0] * n_items
    for item in range(n_items):
        for user in people:
            times = len(moments(events, user, item))
            chosen[item] += times > 0
            again[item] += times > 1
    overall = (sum(again) + 1) / (sum(chosen) + 2)
    return [(a + shrinkage * overall) / (c + shrinkage) for a, c in zip(again, chosen, strict=True)]


def scores(events, user, n_items, half_life, shrinkage):
    """Return item → score for the items of the user's past; `shrinkage` None leaves the rates of the items out."""
    now = max(day for _, _, _, day in events)
    rates = [1.0] * n_items if shrinkage is None else repeat_rates(events, n_items, shrinkage)
    found = {}
    for item in range(n_items):
        past = moments(events, user, item)
        if past:
            found[item] = rates[item] * sum(0.5 ** ((now - day) / half_life) for day in past)
    return found
