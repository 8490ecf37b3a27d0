"""The knee: from which size on retrieving more is not worth it, by two definitions that need no eye.

By loss: the smallest size whose metric is not inferior to the largest size's: the upper bound of the interval of the
paired loss lies below a margin, a share of what the largest size gives. Non-inferiority as in trials: Piaggio et al.
(2012), JAMA 308, box 1, with the margin fixed beforehand.

By bend: where the curve of a figure against the size bends most: the largest y − x when both go from 0 to 1.
Source: Satopaa et al. (2011), Finding a "Kneedle" in a Haystack, section III, steps 2 and 3, without smoothing and
without sensitivity: there are a few points, and the largest difference alone is looked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shortlist.parameters import number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MARGIN = 0.01


def knee(loss_high: Mapping[int, float | None], at_largest: float, margin: float) -> int | None:
    """Return the smallest size whose loss is surely below `margin` (a share) of `at_largest`, the largest size's value.

    `loss_high` is the upper bound of the loss of each smaller size, in the unit of the metric, by ascending size. None
    where no smaller size has one below.

    >>> knee({20: 0.02, 50: 0.0009, 100: 0.0011}, at_largest=0.1, margin=0.01)
    50
    >>> knee({20: 0.02, 50: 0.003}, at_largest=0.1, margin=0.01) is None
    True
    """
    number("margin", margin, above_zero=True, most=1.0)
    return next(
        (size for size, high in sorted(loss_high.items()) if high is not None and high < margin * at_largest),
        None,
    )


def bend(sizes: Sequence[int], values: Sequence[float]) -> int | None:
    """Return the size where `values` bend most, ties by the smaller; None for fewer than three sizes or no rise.

    >>> bend([0, 100, 200, 400], [0.0, 0.8, 0.9, 1.0])  # .8 − .25, .9 − .5
    100
    >>> bend([0, 100, 200], [0.5, 0.4, 0.5]) is None
    True
    """
    if len(sizes) < 3 or values[-1] <= values[0]:
        return None
    width, height = sizes[-1] - sizes[0], values[-1] - values[0]
    above = [
        (value - values[0]) / height - (size - sizes[0]) / width
        for size, value in zip(sizes, values, strict=True)
    ]
    most = max(above)
    # On a straight line the ends are the largest: that is no bend.
    return sizes[above.index(most)] if most > 0 else None
