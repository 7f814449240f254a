"""How many replicas of a service have been ready, with which values, in; a mark on its Deployment out, and back. Pure.

It is beside the template of the pods, so that setting it restarts none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

AWAITED = "chainctl.dev/awaited"
IMAGE = "chainctl.dev/image"
FAILURE = "chainctl.dev/failure"


@dataclass(frozen=True, slots=True)
class Awaited:
    """`replicas` of a service were seen ready with secrets of this digest, and this image."""

    replicas: int = 0
    secrets: str = ""
    image: str = ""

    @property
    def text(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)


def awaited_in(annotations: Mapping[str, str]) -> Awaited:
    """Read the mark back; without one, nothing was ever awaited."""
    return Awaited(**json.loads(annotations.get(AWAITED) or "{}"))
