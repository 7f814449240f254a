"""The `is_healthy` of user code in; whether calls can be taken out."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable
from typing import Any, Optional

from chainctl.worker.error_reply import PASSING
from chainctl.worker.threads import CallThreads
from chainctl.worker.worker import Health

_LOG = logging.getLogger("chainctl.worker")


async def health_of(is_healthy: Optional[Callable[[], Any]], threads: CallThreads) -> Health:
    """Ask user code how it feels, in a thread where it is sync; without such code it feels well."""
    if is_healthy is None:
        return Health(True)
    try:
        if inspect.iscoroutinefunction(is_healthy):
            result = await is_healthy()
        else:
            result = await threads.run(is_healthy)
    except PASSING:
        raise
    except BaseException as error:  # noqa: BLE001  # the boundary to user code
        _LOG.exception("is_healthy raised")
        return Health(False, f"is_healthy raised {type(error).__name__}: {error}")
    return Health(bool(result), "" if result else "is_healthy returned False")
