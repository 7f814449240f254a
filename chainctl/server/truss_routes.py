"""A method and a path of a Truss server in; what they mean here out.

The health of a service may be asked for by anybody, as it may by our own routes; the rest wants the
chain's internal token, as `/run_remote` does.
"""

from __future__ import annotations

import enum
import re
from typing import Any, Optional

from chainctl.worker.models.methods import EXTRAS, PREDICT
from chainctl.worker.worker import Worker

_OF_MODEL = re.compile(r"/v1/models/[^/:]+(|/loaded|/schema|:predict|:predict_binary)")
_GET, _POST = "GET", "POST"


class Meaning(enum.Enum):
    """What a route is for."""

    ALIVE = "alive"
    READY = "ready"
    LOADED = "loaded"
    SCHEMA = "schema"
    CALL = "call"

    @property
    def is_open(self) -> bool:
        """Whether strangers get an answer."""
        return self in (Meaning.ALIVE, Meaning.READY, Meaning.LOADED)


def meanings_of(path: str) -> dict[str, Meaning]:
    """What each method means at a path; none where there is no such path."""
    if path in EXTRAS or path == "/invocations":
        return {_POST: Meaning.CALL}
    if path in _PLAIN:
        return {_GET: _PLAIN[path]}
    match = _OF_MODEL.fullmatch(path)
    return {} if match is None else _BELOW_MODEL[match[1]]


def method_at(path: str) -> str:
    """The method of the model that calls at a path go to."""
    return EXTRAS.get(path, PREDICT)


def offers(worker: Worker, method: str) -> bool:
    """Say whether a worker has a method. A chainlet that is called like a model has `predict` only."""
    offered: Any = getattr(worker, "offers", None)
    return method == PREDICT if offered is None else bool(offered(method))


def schema_of(worker: Worker) -> Optional[dict[str, Any]]:
    """The schemas of a worker as Truss tells them, None where it has none."""
    schemas = worker.schemas()
    if not any(schemas.values()):
        return None
    return {
        "input_schema": schemas["input"] or None,
        "output_schema": schemas["output"] or None,
        "supports_streaming": bool(getattr(worker, "streams", False)),
    }


_PLAIN = {"/": Meaning.ALIVE, "/ping": Meaning.READY}
_BELOW_MODEL = {
    "": {_GET: Meaning.READY},
    "/loaded": {_GET: Meaning.LOADED},
    "/schema": {_GET: Meaning.SCHEMA},
    ":predict": {_POST: Meaning.CALL, _GET: Meaning.READY},
    ":predict_binary": {_POST: Meaning.CALL},
}
