"""How a learned scorer is set for the data at hand, and whether one can be trained here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shortlist.errors import MissingExtraError
from shortlist.scoring.lambda_mart import LambdaMARTScorer, require_lightgbm

if TYPE_CHECKING:
    from shortlist.data.memory import Memory

# People count who like enough for a fifth of that to be something.
FEWEST_LIKES = 5
# With fewer, the NDCG of those held back says little of when to stop.
ENOUGH_TO_HOLD_BACK = 1000
_FOR_FEW = {
    "n_trees": 60,
    "n_leaves": 4,
    "min_rows": 200,
    "patience": 0,
    "feature_share": 0.5,
    "row_share": 0.7,
    "loss": "xendcg",
}


def n_teachers(memory: Memory) -> int:
    """Return how many people like enough to teach a scorer something."""
    history = memory.history
    likes = np.bincount(history.row[history.positive], minlength=len(history))
    return int(np.count_nonzero(likes >= FEWEST_LIKES))


def settings_for(n_people: int) -> dict[str, Any]:
    """Return parameters of `LambdaMARTScorer` for so many people: fewer and smaller trees where they are few.

    Chosen on validation parts inside training parts: those for few on MovieLens small (610 people), the defaults on
    online retail.
    """
    return dict(_FOR_FEW) if n_people < ENOUGH_TO_HOLD_BACK else {}


def ranker_problem() -> str | None:
    """Return why no ranker can be trained here, with what to install; None where LightGBM is there."""
    try:
        require_lightgbm(LambdaMARTScorer.__name__)
    except MissingExtraError as error:
        return " ".join(str(error).split())
    return None
