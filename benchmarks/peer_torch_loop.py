"""Two towers trained as a plain PyTorch loop does it, in a process of its own.

`python peer_torch_loop.py TABLE.npz EPOCHS SEED THREADS` prints JSON: seconds of the training, mean loss of its last
epoch, and the loss on the test rows. Imports nothing of ours. TABLE.npz holds user, item, target, the same of the test
rows (user_test, …): standardised, targets in [−1, 1].
"""

import json
import sys
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional

BATCH, RATE = 32, 0.01


def tower(n_in: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(n_in, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 32)
    )  # fmt: skip


def predicted(towers: nn.ModuleList, user: torch.Tensor, item: torch.Tensor) -> torch.Tensor:
    u, v = (functional.normalize(own(rows)) for own, rows in zip(towers, (user, item), strict=True))
    return (u * v).sum(1)


def epoch(towers: nn.ModuleList, adam: torch.optim.Adam, table: list[torch.Tensor]) -> float:
    """Return the mean loss of the rows, each before its step."""
    user, item, target = table
    total = 0.0
    for rows in torch.randperm(len(target)).split(BATCH):
        adam.zero_grad()
        loss = functional.mse_loss(predicted(towers, user[rows], item[rows]), target[rows])
        loss.backward()
        adam.step()
        total += loss.item() * len(rows)
    return total / len(target)


def main(path: str, n_epochs: int, seed: int, n_threads: int) -> None:
    torch.set_num_threads(n_threads)
    torch.manual_seed(seed)
    with np.load(path) as file:
        train = [torch.from_numpy(file[name]) for name in ("user", "item", "target")]
        test = [torch.from_numpy(file[f"{name}_test"]) for name in ("user", "item", "target")]
    for table, epochs in (
        ([rows[:64] for rows in train], 1),
        (train, n_epochs),
    ):  # the first loads and warms up
        towers = nn.ModuleList(tower(rows.shape[1]) for rows in table[:2])
        adam = torch.optim.Adam(towers.parameters(), lr=RATE)
        begun = time.perf_counter()
        losses = [epoch(towers, adam, table) for _ in range(epochs)]
        seconds = time.perf_counter() - begun
    with torch.no_grad():
        error = functional.mse_loss(predicted(towers, *test[:2]), test[2]).item()
    print(json.dumps({"seconds": seconds, "loss": losses[-1], "test": error, "version": torch.__version__}))


if __name__ == "__main__":
    main(sys.argv[1], *(int(number) for number in sys.argv[2:]))
