"""Processes for which the permissions of files hold, even where the tests run as root."""

import ctypes
import os

_DROP_FROM_BOUNDING_SET = 24  # prctl(2)
_DAC_OVERRIDE, _DAC_READ_SEARCH, _FOWNER = 1, 2, 3  # capabilities(7): what lets root past permissions


def obey_permissions() -> None:
    """Give up root's way past permissions; from the next exec on. For `subprocess`'s `preexec_fn`."""
    if os.geteuid() != 0:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    for capability in (_DAC_OVERRIDE, _DAC_READ_SEARCH, _FOWNER):
        if libc.prctl(_DROP_FROM_BOUNDING_SET, capability, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "cannot give up a capability")
