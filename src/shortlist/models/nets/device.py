"""Where a net is trained."""

from __future__ import annotations

import torch

from shortlist.errors import ParameterError


def device_of(name: str) -> torch.device:
    """Return the device called `name`; "auto" is a CUDA device where PyTorch has one, else the processor.

    Raises `ParameterError` for a name that PyTorch does not know, and for a device that is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ParameterError(
            f'device={name!r} cannot be used ({reason}): give "auto", "cpu" or another one'
        ) from error
    return device
