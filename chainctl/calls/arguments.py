"""The Endpoint of a chainlet in; the codec for its arguments out."""

from __future__ import annotations

from chainctl.sdk.declaration import NO_DEFAULT, Endpoint
from chainctl.wire.signature import REQUIRED, ArgumentsCodec, Field


def arguments_codec(name: str, endpoint: Endpoint) -> ArgumentsCodec:
    """Make the codec for the arguments of the chainlet class `name` that travel as values.

    An argument that is a stream travels behind them, one that is a websocket not at all.
    """
    fields = [
        Field(p.name, p.annotation, REQUIRED if p.default is NO_DEFAULT else p.default)
        for p in endpoint.value_parameters
    ]
    return ArgumentsCodec(f"{name}Input", fields)
