"""Labelled candidates by plain sets, from the definition: who was there, what was bought when."""

DAY = 86_400 * 10**6


def candidates(events, now, window, *, repeats):
    """Return {(user, item): label} of `events` (user, item, time) at `now`."""
    past = [(user, item) for user, item, time in events if time <= now]
    after = {(user, item) for user, item, time in events if now < time <= now + window}
    users, items = {user for user, _ in past}, {item for _, item in past}
    found = {(user, item): int((user, item) in after) for user in users for item in items}
    return found if repeats else {pair: label for pair, label in found.items() if pair not in set(past)}


def context(events, now, window, user, item):
    """Return the numbers of the context of a pair at `now`, None where there is none."""
    past = [(u, i, time) for u, i, time in events if time <= now]

    def days(times):
        return (now - max(times)) / DAY if times else None

    of_user = [time for u, _, time in past if u == user]
    of_item = [time for _, i, time in past if i == item]
    of_pair = [time for u, i, time in past if (u, i) == (user, item)]
    return {
        "user_events": len(of_user),
        "item_events": len(of_item),
        "pair_events": len(of_pair),
        "item_recent_events": sum(time > now - window for time in of_item),
        "user_recency_days": days(of_user),
        "item_recency_days": days(of_item),
        "pair_recency_days": days(of_pair),
    }
