"""Where paddle2om keeps what it may throw away and fetch or make again."""

from __future__ import annotations

import os
from pathlib import Path

#: Names another directory than the user's cache directory.
CACHE_VARIABLE = "PADDLE2OM_CACHE"


def cache_home() -> Path:
    """The cache directory: ``$PADDLE2OM_CACHE``, else ``paddle2om`` in the user's cache."""
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen).expanduser().absolute()
    import platformdirs

    return platformdirs.user_cache_path("paddle2om").absolute()
