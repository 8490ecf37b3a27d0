"""Checks of the constructor parameters that the nets share."""

from __future__ import annotations

import re
from collections.abc import Sequence

from shortlist.errors import ParameterError
from shortlist.parameters import number, whole


def layer_sizes(name: str, sizes: object, *, least: int = 1) -> tuple[int, ...]:
    """Return `sizes`, whole numbers of at least 1, at least `least` of them; raise `ParameterError` otherwise.

    >>> layer_sizes("layers", [256, 128, 32])
    (256, 128, 32)
    """
    if not isinstance(sizes, Sequence) or isinstance(sizes, str) or len(sizes) < least:
        raise ParameterError(f"{name} must be a list of at least {least} sizes, got {sizes!r}")
    return tuple(whole(f"{name}[{at}]", size, least=1) for at, size in enumerate(sizes))


def share_below_one(name: str, share: object) -> float:
    """Return `share`, a number of at least 0 and below 1; raise `ParameterError` otherwise."""
    value = number(name, share)
    if value >= 1:
        raise ParameterError(f"{name} must be below 1, got {share!r}")
    return value


def device_name(device: object) -> str:
    """Return `device`, "auto" or what PyTorch calls a device; raise `ParameterError` otherwise.

    Whether the device is there is seen when the net is trained: a constructor needs no PyTorch.

    >>> device_name("cuda:1")
    'cuda:1'
    """
    if not isinstance(device, str) or not re.fullmatch(r"auto|[a-z]+(:\d+)?", device):
        raise ParameterError(f'device must be "auto", "cpu", "cuda" or the like, got {device!r}')
    return device


def patience_of(patience: object) -> int | None:
    """Return `patience`, a whole number of at least 1 or None; raise `ParameterError` otherwise."""
    return None if patience is None else whole("patience", patience, least=1)
