"""`python -m tests.campaign.hostile.confined`: the broker with the rights of an ordinary user's service.

1,024 file descriptors, and no root's power to write where the permissions say no.
"""

from __future__ import annotations

import ctypes
import os
import resource
import runpy
import sys
from typing import Final

FILE_DESCRIPTORS: Final = 1024
CAPABILITY_VERSION_3: Final = 0x20080522
CAP_DAC_OVERRIDE: Final = 1
CAP_DAC_READ_SEARCH: Final = 2


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Set(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def obey_permissions() -> None:
    """Root gives up its rights over other people's files (capget(2), capset(2)); others have none."""
    libc = ctypes.CDLL(None, use_errno=True)
    header, sets = _Header(CAPABILITY_VERSION_3, 0), (_Set * 2)()
    if libc.capget(ctypes.byref(header), sets):
        raise OSError(ctypes.get_errno(), "capget")
    kept = ~(1 << CAP_DAC_OVERRIDE | 1 << CAP_DAC_READ_SEARCH)
    sets[0].effective &= kept
    sets[0].permitted &= kept
    if libc.capset(ctypes.byref(header), sets):
        raise OSError(ctypes.get_errno(), "capset")


def main() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILE_DESCRIPTORS, FILE_DESCRIPTORS))
    if sys.platform == "linux" and os.geteuid() == 0:
        obey_permissions()
    runpy.run_module("broker", run_name="__main__", alter_sys=True)


main()
