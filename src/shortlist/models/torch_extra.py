"""PyTorch, an extra: only what fits a net needs it, so nothing imports it before."""

from __future__ import annotations

from importlib.util import find_spec

from shortlist.errors import MissingExtraError


def require_torch(who: str) -> None:
    """Raise `MissingExtraError` where PyTorch is not installed; `who` is the class that needs it."""
    if find_spec("torch") is None:
        raise MissingExtraError(f"{who} needs PyTorch, which is not installed: pip install 'shortlist[nets]'")
