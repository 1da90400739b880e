"""Settings of the allocator and the collector under which a process that runs for months keeps its size."""

import ctypes
import gc

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
