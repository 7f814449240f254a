"""The JSON of `/-/spans` in; the spans in it, and who told of each, out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated

from pydantic import AfterValidator, BaseModel

SERVER = "server"
CLIENT = "client"
# A clock that was set back in the middle of a call gives times below zero.
Natural = Annotated[int, AfterValidator(lambda number: max(0, number))]


@dataclass(frozen=True, slots=True)
class SeenSpan:
    """One call as its server or its client saw it; times are nanoseconds, `start_ns` from the epoch.

    `chainlet` and `service` told of it; of a client span `name` is the callee.
    """

    trace_id: str
    span_id: str
    parent_id: str
    name: str
    kind: str
    start_ns: Natural
    total_ns: Natural
    queue_ns: Natural = 0
    decode_ns: Natural = 0
    preprocess_ns: Natural = 0
    run_ns: Natural = 0
    postprocess_ns: Natural = 0
    encode_ns: Natural = 0
    first_byte_ns: Natural = 0
    read_ns: Natural = 0
    status: Natural = 0
    error: str = ""
    request_id: str = ""
    attempts: Natural = 1
    items: Natural = 0
    chainlet: str = ""
    service: str = ""

    @property
    def end_ns(self) -> int:
        return self.start_ns + self.total_ns

    @property
    def user_ns(self) -> int:
        """How long user code ran, with all its stages."""
        return self.preprocess_ns + self.run_ns + self.postprocess_ns

    @property
    def is_server(self) -> bool:
        return self.kind == SERVER


class _Answer(BaseModel):
    """What `/-/spans` answers; keys that we do not know are left alone."""

    chainlet: str = ""
    service: str = ""
    spans: list[SeenSpan]


def spans_in(answer: bytes) -> list[SeenSpan]:
    """Parse what a service answers. Raises ValueError."""
    told = _Answer.model_validate_json(answer)
    return [replace(span, chainlet=told.chainlet, service=told.service) for span in told.spans]
