"""A chainlet object in; one that is called through the wire format, as it would be deployed, out."""

from __future__ import annotations

from typing import Any

from chainctl.sdk.declaration import Declaration
from chainctl.worker.call import EndpointCall


def through_codec(declaration: Declaration, instance: Any) -> Any:
    """Put the wire format around a chainlet.

    Arguments and results are serialised, parsed and validated on each call, so that what will not
    serialise, is wrongly typed or relies on shared objects fails here as it does when deployed.
    """
    return CodecChainlet(EndpointCall(declaration, instance))


class CodecChainlet:
    """Stands for a chainlet whose calls cross the wire format."""

    def __init__(self, call: EndpointCall) -> None:
        endpoint = call.declaration.endpoint
        self._call = call
        self.run_remote: Any = (
            call.round_trip_stream if endpoint.is_stream and endpoint.is_async
            else call.round_trip_sync_stream if endpoint.is_stream
            else call.round_trip if endpoint.is_async
            else call.round_trip_sync
        )  # fmt: skip

    def __repr__(self) -> str:
        return f"<{self._call.declaration.display_name} through the codec>"
