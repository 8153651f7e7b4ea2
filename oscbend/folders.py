"""Where oscbend keeps what it can make again: one folder for each user of the machine."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs

VARIABLE = "OSCBEND_CACHE"
"""Environment variable that names another folder."""


def cache() -> Path:
    """The folder for what is kept between starts; it may not be there yet.

    `$OSCBEND_CACHE` if that is set, else the system's folder for such things (on Linux below
    `$XDG_CACHE_HOME`).
    """
    named = os.environ.get(VARIABLE)
    return Path(named).expanduser() if named else platformdirs.user_cache_path("oscbend", appauthor=False)
