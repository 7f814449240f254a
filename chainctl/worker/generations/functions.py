"""Code objects in; the live functions that run them out."""

from __future__ import annotations

import gc
import types
from collections.abc import Collection


def live_functions(filenames: Collection[str]) -> list[types.FunctionType]:
    """Return all functions whose code is of these files, whoever holds them.

    A started service has frozen what it loaded, and the collector tells nothing of what is frozen.
    """
    was_frozen = gc.get_freeze_count() > 0
    if was_frozen:
        gc.unfreeze()
    try:
        every = gc.get_objects()
        kind = types.FunctionType
        return [o for o in every if type(o) is kind and o.__code__.co_filename in filenames]
    finally:
        if was_frozen:
            gc.freeze()
