"""What the network takes and gives back in every frame stays with the program.

glibc gives large blocks back to the system as soon as they are free, and the system hands them out again page
by page, zeroed: thousands of page faults in every frame, a tenth of its time, and a third of it with bends at
the large sites of the decoder.
"""

from __future__ import annotations

import ctypes
import functools
import platform

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # <malloc.h>
LARGEST = 2**31 - 1
LARGEST_OF_OLD = 2**25
"""What glibc before 2.35 allows."""


@functools.cache
def keep() -> bool:
    """Lets the allocator keep up to 2 GB of freed memory for the next frame; True if it does from now on.

    Only glibc needs it; elsewhere nothing happens.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    in_heap = any(mallopt(MMAP_THRESHOLD, size) for size in (LARGEST, LARGEST_OF_OLD))
    return in_heap and bool(mallopt(TRIM_THRESHOLD, LARGEST))
