"""Settings of the interpreter under which a process runs fast, and keeps its size for months."""

import ctypes
import gc
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8
"""Source: glibc's malloc.h, https://man7.org/linux/man-pages/man3/mallopt.3.html"""


def settle_allocator() -> None:
    """Few arenas, and large blocks returned at once; elsewhere than on glibc nothing happens.

    With one arena for each thread, batches that are made in one thread and dropped in another leave holes in all.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(_M_ARENA_MAX, 1)
    mallopt(_M_MMAP_THRESHOLD, 128 * 1024)
    mallopt(_M_TRIM_THRESHOLD, 256 * 1024)


def settle_collector() -> None:
    """What was loaded at the start is never looked at again; young garbage is collected in larger steps."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 10, 10)


def settle_threads() -> None:
    """A thread that comes back from the disk waits at most so long for the one that computes, not 5 ms each time.

    The writing thread comes back some twenty times in one group; waiting 5 ms each time, it wrote a fifth of what it
    writes now, while the computing thread lost nothing that could be measured.
    """
    sys.setswitchinterval(0.000_2)
