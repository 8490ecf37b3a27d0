"""Whether something can be saved at a path, said before the work rather than after it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from shortlist.errors import ParameterError

if TYPE_CHECKING:
    from pathlib import Path


def require_savable(out: Path) -> None:
    """Raise `ParameterError` where no folder `out` can be made or written in."""
    nearest = next(path for path in (out, *out.absolute().parents) if path.exists())
    if not nearest.is_dir():
        raise ParameterError(f"{nearest} is a file; what is saved is a folder: give another --out")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise ParameterError(f"{out}: you may not write in {nearest}; give another --out")
