"""sweep: a pipeline measured at several sizes of its candidate set, and the answer to how many to retrieve."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from shortlist.data.split import leave_last_out
from shortlist.errors import DataError, ParameterError
from shortlist.experiments.comparing.comparison import Parts
from shortlist.experiments.evaluate import require_parameters
from shortlist.experiments.protocols import NEW_ITEMS, REPEATS_ALLOWED
from shortlist.experiments.recommender import BLOCK_USERS
from shortlist.experiments.sweep.figures import Users, contrast, quantiles, size_figures
from shortlist.experiments.sweep.knee import MARGIN
from shortlist.experiments.sweep.measured import Arrangement, Relevant
from shortlist.experiments.sweep.outcome import Setting, Sweep
from shortlist.experiments.sweep.retrieval import Retrieval, merge_at, require_scorer_apart
from shortlist.experiments.sweep.scorers import ScorerTraining, draw
from shortlist.experiments.sweep.sizes import SIZES, require_sizes, within_catalogue
from shortlist.experiments.sweep.times import TimedPipeline, load_per_core, stage_times
from shortlist.experiments.truth import Truth, require_comparable
from shortlist.parameters import generator, number, whole
from shortlist.pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from shortlist.data.dataset import Dataset
    from shortlist.experiments.popularity_search import Rule
    from shortlist.experiments.sweep.figures import SizeFigures
    from shortlist.experiments.sweep.measured import Measured

    OnStep = Callable[[str], object]
    Floats = NDArray[np.float64]

N_REQUESTS = 300
VERSUS = (100, 500)
# Above it, other programs took part of the time: a sweep alone has at most as much work as there are cores.
BUSY = 1.5
# A sweep holds the proposals of a block of users from all sources at once.
BLOCK = BLOCK_USERS // 4
# Places of `draw` that no size can be: sizes are at least 1.
_FITS, _SAMPLE, _REQUESTS, _INTERVALS, _TIMES = (0, 0), (0, 1), (0, 2), (0, 3), (0, 4)


def sweep(
    pipeline: Pipeline,
    train: Dataset,
    test: Dataset,
    retrieve: Sequence[int] = SIZES,
    k: int = 10,
    *,
    exclude_seen: bool = True,
    versus: tuple[int, int] = VERSUS,
    margin: float = MARGIN,
    n_users: int | None = None,
    n_requests: int = N_REQUESTS,
    n_bootstrap: int = 1000,
    level: float = 0.95,
    training_split: Rule = leave_last_out,
    rng: np.random.Generator | int | None = 0,
    block_users: int = BLOCK,
    split: str | None = None,
    on_step: OnStep | None = None,
) -> Sweep:
    """Return quality, time and the part of each source of `pipeline` at each size of its candidate set.

    - pipeline: sources and a scorer whose model no source has; fitted or not, it is not changed
    - retrieve: the sizes: how many candidates go on to the scorer, by `Merge(size=)`; ascending. Those above the
      catalogue are measured as one, of all items. k ≥ 1: the length of the lists, at most the smallest size
    - exclude_seen: the protocol: True: seen items are neither shown nor in the truth; False: they are in both
    - versus: two sizes that are answered for in particular, where both are measured
    - margin in (0, 1]: of the knee: the share of the largest size's NDCG that may be lost
    - n_users: measure so many of the users of the test part, drawn by rng; None: all
    - n_requests ≥ 1: timed at each size
    - n_bootstrap: resamples behind the intervals (0: none); level: of the intervals
    - training_split: cuts off what a scorer that learns from candidates learns from; other scorers have no need of it
    - rng: seed of everything (a `Generator` gives one); block_users: asked for at a time, changes no result
    - split: the rule of the parts, in words; on_step: called with a few words as each step begins

    Sources and rules are fitted once on `train`. At each size every source with a parameter `k` gets k = size, so that
    each could fill the set alone; weights and quotas of the pipeline's merge stay. The scorer is trained anew for each
    size: on candidates of that size where it learns from candidates (`stages.LearnsFromCandidates`), else its model is
    fitted on `train` by random numbers of that size's own, and the sizes then differ by these, too.
    For each size: the share of the relevant items among the candidates (÷ |relevant|), and the NDCG of their best
    order, which no scorer exceeds; NDCG and precision of the list; the part of each source in the shown and in the
    hits; what recall and NDCG lose without each source, the others filling its places and the scorer as it is; the
    milliseconds of each stage of single requests. Means over the users with a relevant item whom the scorer knows at
    every size, the others are counted. Intervals: the percentile bootstrap over users, one set of resamples for all
    sizes and figures, so that differences are paired; of times over requests.

    Raises `ParameterError` for anything but a `Pipeline`, sizes that do not ascend or are below k, a scorer whose model
    is a source's (they would agree on what is best), quotas that promise more than a size, and what `evaluate` refuses;
    `DataError` where no user has a relevant item, or the scorer knows none of them.
    Cost: the fits; at each size (sources + 1) times merging and scoring the candidates of all users.
    """
    sizes = require_sizes(retrieve, k)
    require_sweepable(pipeline, sizes)
    _require(versus, margin, n_users, n_requests, n_bootstrap, level, block_users)
    if not isinstance(exclude_seen, bool):
        raise ParameterError(
            f"exclude_seen must be True or False, got {exclude_seen!r}: a sweep has one protocol"
        )
    require_comparable(train, test)
    begin, seed = on_step or _silent, _seed(rng)
    sizes, notes = within_catalogue(sizes, len(train.items))
    relevant = _sampled(Truth.of(train, test, exclude_seen=exclude_seen), len(train.items), n_users, seed)
    begin(f"fitting the sources on {len(train.interactions):,} training events")
    retrieval = Retrieval.fitted(pipeline, train, draw(seed, *_FITS))
    training = ScorerTraining(pipeline, train, training_split, exclude_seen, seed)
    measured, timed = {}, {}
    for size in sizes:
        begin(f"{size} candidates: training the scorer")
        scorer, sources = training.at(size), retrieval.sources_at(size)
        begin(f"{size} candidates: measuring {len(relevant):,} users")
        arranged = Arrangement.of(retrieval, sources, scorer, size)
        measured[size] = arranged.measure(relevant, k, exclude_seen=exclude_seen, block_users=block_users)
        timed[size] = TimedPipeline(retrieval, sources, scorer, size)
    known = _known(measured)
    begin("timing requests")
    asked = draw(seed, *_REQUESTS).permutation(relevant.user_idx[known])[:n_requests]
    taken = stage_times(timed, train.users.ids_of(asked), k, exclude_seen=exclude_seen)
    begin("intervals")
    users = Users(measured, known, n_bootstrap, level, draw(seed, *_INTERVALS))
    setting = Setting(
        k,
        NEW_ITEMS if exclude_seen else REPEATS_ALLOWED,
        int(known.sum()),
        int((~known).sum()),
        asked.size,
        repr(pipeline.scorer),
        [repr(source) for source in pipeline.sources],
        training.how,
        n_bootstrap,
        level,
        margin,
        seed,
        load_per_core(),
    )
    found = _size_figures(users, [source.name for source in pipeline.sources], taken, setting)
    pair = contrast(users, *versus) if set(versus) <= set(sizes) else None
    return Sweep(
        found, pair, setting, Parts.of(train, test, split), notes=[*notes, *_remarks(found, setting)]
    )


def require_sweepable(pipeline: object, sizes: Sequence[int]) -> Pipeline:
    """Return `pipeline`; raise `ParameterError` where it cannot be measured at these sizes, whatever the data."""
    if not isinstance(pipeline, Pipeline):
        raise ParameterError(
            f"a sweep measures a Pipeline, which retrieves and then scores; a {type(pipeline).__name__} retrieves "
            "nothing. Make one of sources and a scorer"
        )
    require_scorer_apart(pipeline.sources, pipeline.scorer)
    for size in sizes:
        merge_at(pipeline.merge, size)
    return pipeline


def _require(
    versus: tuple[int, int],
    margin: float,
    n_users: int | None,
    n_requests: int,
    n_bootstrap: int,
    level: float,
    block_users: int,
) -> None:
    pair = [whole("each size of versus", size, least=1) for size in versus]
    if len(pair) != 2 or pair[0] >= pair[1]:
        raise ParameterError(f"versus={versus!r}: give two sizes, the smaller first")
    number("margin", margin, above_zero=True, most=1.0)
    whole("n_requests", n_requests, least=1)
    if n_users is not None:
        whole("n_users", n_users, least=1)
    require_parameters({"n_bootstrap": n_bootstrap, "level": level, "block_users": block_users})


def _sampled(truth: Truth, n_items: int, n_users: int | None, seed: int) -> Relevant:
    everyone = Relevant.of(truth, n_items)
    if n_users is None or n_users >= len(everyone):
        return everyone
    return everyone.rows(np.sort(draw(seed, *_SAMPLE).permutation(len(everyone))[:n_users]))


def _known(measured: Mapping[int, Measured]) -> NDArray[np.bool_]:
    """Return bool[n]: whom the scorers of all sizes know. Raises `DataError` where that is nobody."""
    known: NDArray[np.bool_] = np.logical_and.reduce([of.known for of in measured.values()])
    if not known.any():
        raise DataError(
            f"the scorer knows none of the {known.size} test users with a relevant item: it has nothing to score for"
        )
    return known


def _size_figures(
    users: Users, names: Sequence[str], taken: Mapping[int, Mapping[str, Floats]], setting: Setting
) -> list[SizeFigures]:
    rng = draw(setting.seed, *_TIMES)
    milliseconds = {
        size: {stage: quantiles(ms, setting.n_bootstrap, setting.level, rng) for stage, ms in of.items()}
        for size, of in taken.items()
    }
    return [size_figures(users, size, max(taken), names, milliseconds[size]) for size in taken]


def _remarks(found: Sequence[SizeFigures], setting: Setting) -> list[str]:
    notes = []
    if setting.n_unknown:
        notes.append(
            f"{setting.n_unknown:,} users with a relevant item are unknown to the scorer, which leaves them no "
            "candidates: they are left out"
        )
    if setting.load is not None and setting.load > BUSY:
        notes.append(
            f"the machine had {setting.load:.1f} times as much to do as it has cores while requests were timed: the "
            "times are too long"
        )
    for before, after in pairwise(found):
        if before.n_candidates == after.n_candidates:
            notes.append(
                f"from {before.size} to {after.size} nothing is added: the sources have no more to propose than "
                f"{before.n_candidates:.1f} candidates of a mean user; what differs is the scorer's training"
            )
    return notes


def _seed(rng: Any) -> int:
    if isinstance(rng, int | np.integer) and not isinstance(rng, bool) and rng >= 0:
        return int(rng)
    return int(generator(rng).integers(1 << 32))


def _silent(_step: str) -> None:
    """Say nothing."""
