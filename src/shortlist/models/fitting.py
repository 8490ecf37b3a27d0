"""What a fit is given besides its data, and what it says of each epoch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shortlist.data.dataset import Dataset
from shortlist.errors import DataError, NotFittedError, ParameterError

if TYPE_CHECKING:
    import numpy as np

    from shortlist.models.model import Model


@dataclass(frozen=True, eq=False)
class Epoch:
    """An epoch that has just ended: its `number`, from 1, of `n_epochs` at most, and the `model` as it is now.

    `model` is fitted: it recommends, scores and is saved like any other. It shares its factors with the fit, which goes
    on changing them, so it is good during the callback only; `copy.deepcopy(model)` is good for ever.
    `loss` is what the fit lowers as the epoch left it (the mean loss of an example, or a whole objective, as the model
    says), `validation_loss` that of examples held back; each None where the model has none.
    """

    number: int
    n_epochs: int
    model: Model
    loss: float | None = None
    validation_loss: float | None = None


OnEpoch = Callable[[Epoch], object]


@dataclass(frozen=True, eq=False)
class Fitting:
    """What `Model._fit` is given besides the data.

    - rng: where random numbers come from
    - start: a fitted model of the same class to take over from, or None
    - on_epoch: called after each epoch, or None; `Model._epoch_ended` calls it
    """

    rng: np.random.Generator
    start: Any
    on_epoch: OnEpoch | None


def require_dataset(dataset: object) -> None:
    """Raise `ParameterError` unless `dataset` is a `Dataset`, `DataError` where it has no events."""
    if not isinstance(dataset, Dataset):
        raise ParameterError(
            f"fit takes a Dataset, got {type(dataset).__name__}; shortlist.read makes one of a file or a frame"
        )
    if len(dataset.interactions) == 0:
        raise DataError("there are no interactions to fit on; see dataset.report for rejected rows")


def require_start(model: Model, start: object) -> None:
    """Raise an error unless `start` is a fitted model of the class, and where there is one the dim, of `model`."""
    if type(start) is not type(model):
        raise ParameterError(
            f"start must be a fitted {type(model).__name__}, the class of what is fitted; got {start!r}"
        )
    if not start.is_fitted:
        raise NotFittedError(f"start={start!r} is not fitted; fit it first, or leave start out")
    dim, of_start = (some.params().get("dim") for some in (model, start))
    if dim != of_start:
        raise ParameterError(
            f"start has dim={of_start}, this {type(model).__name__} dim={dim}: vectors of another length cannot be "
            f"taken over; set dim={of_start}, or fit without start"
        )
