"""Where paddle2om keeps what it may throw away and fetch or make again."""

from __future__ import annotations

import os
from pathlib import Path

from converter.errors import InputError

#: Names another directory than the user's cache directory.
CACHE_VARIABLE = "PADDLE2OM_CACHE"


def cache_home() -> Path:
    """The cache directory: ``$PADDLE2OM_CACHE``, else ``paddle2om`` in the user's cache.

    A ``~`` is the home directory: no shell has replaced it in an ``.env`` file or a CI's YAML.
    Raises ``InputError`` for the home of nobody.
    """
    chosen = os.environ.get(CACHE_VARIABLE)
    if not chosen:
        import platformdirs

        return platformdirs.user_cache_path("paddle2om").absolute()
    try:
        return Path(chosen).expanduser().absolute()
    except RuntimeError as error:
        raise InputError(
            f"{CACHE_VARIABLE} is {chosen}, and there is no such home directory",
            hint="set it to an absolute path",
        ) from error
