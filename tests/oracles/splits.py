"""Splits by the definition, one user and one event at a time. Imports nothing of ours."""

from fractions import Fraction
from math import floor


def last_of_each_user(users, times, fraction=None, n=None):
    """Return the set of rows held out; rows are in the order of time, `times` is None where there are none."""
    held = set()
    for user in set(users):
        rows = [row for row, u in enumerate(users) if u == user]
        if n is None:
            wanted = floor(Fraction(fraction) * len(rows))
        else:
            wanted = n if len(rows) > n else 0
        if wanted == 0:
            continue
        last = rows[-wanted:]
        if times is not None:
            last = [row for row in rows if times[row] >= times[last[0]]]
        if len(last) < len(rows):
            held.update(last)
    return held
