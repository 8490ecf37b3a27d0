"""Training: mini-batches down a loss by Adam, watched, stopped early or at divergence; for every net.

A net is `FlatParameters` and a function from rows of its data to their mean loss. Everything random comes from the
NumPy generator that is handed in; PyTorch's own is neither used nor changed.
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from shortlist import threads
from shortlist.errors import DataError, NonFiniteError
from shortlist.models.nets.adam import Adam

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from shortlist.models.nets.flat_parameters import FlatParameters

    LossOf = Callable[[torch.Tensor], torch.Tensor]
    Validate = Callable[[], float]
    OnTrained = Callable[[int, float, float | None], object]

# A mean loss this many times that of the first epoch will not come back.
DIVERGED = 10.0
# A loss below this is rounding, and its tenfold as well.
NEGLIGIBLE = 1e-6
# Up to as many products of a parameter and a row a step is over before a second thread has woken up.
SMALL_STEP = 1 << 24
# Steps between two looks at the loss: looking waits for the device.
STEPS_UNSEEN = 256


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to go down.

    - n_epochs >= 1: at most; each visits every row once, in a new order
    - batch_size >= 1: rows a step; one beyond the number of rows takes all of them
    - learning_rate > 0: of Adam (its decay rates .9 and .999, epsilon 1e-8)
    - patience >= 1: epochs without a better validation loss before it ends; None: never
    - falling: whether the rate falls linearly to nothing over n_epochs, an equal part with each step
    - negligible > 0: a loss below this is as good as none, and its tenfold is no divergence
    """

    n_epochs: int
    batch_size: int
    learning_rate: float
    patience: int | None = None
    negligible: float = NEGLIGIBLE
    falling: bool = False


@dataclass(frozen=True, eq=False)
class History:
    """What a training was: mean `losses` float64[epochs] of the rows, each before its step.

    `validation_losses` float64[epochs], empty without validation. `best_epoch`, from 1, is the one whose parameters
    are kept: of the least validation loss, the first of equals; without validation the last.
    """

    losses: NDArray[np.float64]
    validation_losses: NDArray[np.float64]
    best_epoch: int


@contextmanager
def torch_threads(work: float) -> Iterator[None]:
    """Give PyTorch the threads that steps of so much `work` are worth, and what it had before at the end.

    One for up to `SMALL_STEP` products, else as many as the rest of the library uses.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1 if work <= SMALL_STEP else threads.num_threads())
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def denormals_flushed() -> Iterator[None]:
    """Take numbers below 1e-38 for 0, as they were taken before at the end.

    Adam's means of a unit that has died fall to where the processor computes a hundred times slower, and stay there.
    """
    before = bool(np.float32(1e-45) * np.float32(1) == 0)
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(before)


def train(
    parameters: FlatParameters,
    loss_of: LossOf,
    n_rows: int,
    schedule: Schedule,
    rng: np.random.Generator,
    *,
    validate: Validate | None = None,
    on_epoch: OnTrained | None = None,
    work: float | None = None,
) -> History:
    """Lower the mean loss of `n_rows` rows, changing `parameters` in place; return how it went.

    - loss_of: rows int64[b], a tensor on the device of the parameters → their mean loss, a scalar tensor. One that
      requires a gradient is sent backward; one that does not has added to `parameters.gradient` itself, which is
      zeros when it is called
    - rng: shuffles the rows
    - validate: called after each epoch, without gradients; the parameters end where it was least
    - on_epoch: called after each epoch with its number, its loss and its validation loss; parameters as the epoch
      left them
    - work: about how many products a step takes, for the number of threads; where None, every parameter with every row
      of a batch, which is too many where a row looks up a few of the numbers of a table

    On the processor the same `rng` gives the same result: on any number of threads where steps are small
    (`torch_threads`), and where they are not, up to the order in which PyTorch's threads sum. On a graphics processor
    nothing is promised. An exception out of any of the callbacks, Ctrl-C among them, passes through; the thread count
    is restored.
    Source of the steps: Kingma and Ba 2015, algorithm 1.
    Raises `NonFiniteError` for a loss or a parameter that is NaN or infinite, and for a mean loss beyond ten times
    that of the first epoch; `DataError` where there are no rows.
    """
    if n_rows < 1:
        raise DataError("there are no rows to train on")
    losses: list[float] = []
    checks: list[float] = []
    if work is None:
        work = parameters.n_parameters * min(n_rows, schedule.batch_size)
    with torch_threads(work):
        descent = _Descent(parameters, loss_of, schedule)
        best = _Best(parameters)
        for epoch in range(1, schedule.n_epochs + 1):
            losses.append(descent.run(rng.permutation(n_rows), epoch))
            _require_converging(parameters, losses, schedule)
            check = None if validate is None else _checked(validate, epoch, schedule)
            best.see(epoch, check)
            checks.extend([] if check is None else [check])
            if on_epoch is not None:
                on_epoch(epoch, losses[-1], check)
            if schedule.patience is not None and epoch - best.epoch >= schedule.patience:
                break
        best.restore()
    return History(np.array(losses), np.array(checks), best.epoch)


class _Descent:
    """Adam over the flat buffer, an epoch at a time."""

    def __init__(self, parameters: FlatParameters, loss_of: LossOf, schedule: Schedule) -> None:
        self.parameters, self.loss_of, self.schedule = parameters, loss_of, schedule
        self.adam = Adam(parameters, schedule.learning_rate)
        self.n_rows_seen = 0

    def run(self, order: NDArray[np.int64], epoch: int) -> float:
        """Return the mean loss of the rows, visited in `order`."""
        rows = torch.from_numpy(order).to(self.parameters.device)
        total = torch.zeros((), dtype=torch.float64, device=self.parameters.device)
        with denormals_flushed():
            for step, batch in enumerate(torch.split(rows, self.schedule.batch_size), 1):
                total.add_(self._step(batch, self._share(order.size)), alpha=batch.numel())
                self.n_rows_seen += batch.numel()
                if step % STEPS_UNSEEN == 0 and not math.isfinite(total.item()):
                    break
        loss = total.item() / order.size
        if not math.isfinite(loss):
            raise NonFiniteError(_advice(f"the loss is {loss:g} in epoch {epoch}", self.schedule))
        return loss

    def _share(self, n_rows: int) -> float:
        """Return what share of the learning rate the next step takes."""
        return 1 - self.n_rows_seen / (n_rows * self.schedule.n_epochs) if self.schedule.falling else 1.0

    def _step(self, batch: torch.Tensor, share: float) -> torch.Tensor:
        self.parameters.gradient.zero_()
        loss = self.loss_of(batch)
        if loss.requires_grad:
            torch.autograd.backward(loss)
        self.adam.step(share)
        return loss.detach()


class _Best:
    """The parameters of the epoch with the least validation loss."""

    def __init__(self, parameters: FlatParameters) -> None:
        self.parameters, self.epoch, self.least = parameters, 0, math.inf
        self.state: torch.Tensor | None = None

    def see(self, epoch: int, check: float | None) -> None:
        if check is None:
            self.epoch = epoch
        elif check < self.least:
            self.epoch, self.least = epoch, check
            if self.state is None:
                self.state = torch.empty_like(self.parameters.flat, requires_grad=False)
            self.parameters.copy_to(self.state)

    def restore(self) -> None:
        if self.state is not None:
            self.parameters.copy_from(self.state)


@torch.no_grad()
def _checked(validate: Validate, epoch: int, schedule: Schedule) -> float:
    check = validate()
    if not math.isfinite(check):
        raise NonFiniteError(_advice(f"the validation loss is {check:g} after epoch {epoch}", schedule))
    return check


def _require_converging(parameters: FlatParameters, losses: list[float], schedule: Schedule) -> None:
    epoch, loss, first = len(losses), losses[-1], losses[0]
    if loss > DIVERGED * max(first, schedule.negligible):
        text = f"the mean loss is {loss:g} in epoch {epoch} and was {first:g} in the first: the steps diverge"
        raise NonFiniteError(_advice(text, schedule))
    if not torch.isfinite(parameters.flat.detach()).all():
        raise NonFiniteError(_advice(f"parameters became NaN or infinite in epoch {epoch}", schedule))


def _advice(what: str, schedule: Schedule) -> str:
    rate = f"{schedule.learning_rate:g}"
    return f"{what}. Lower learning_rate ({rate}), and look for huge values in the features or targets"
