"""The OTEL_TRACES_SAMPLER variables in; the rule by which traces are exported out."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Optional

from chainctl.telemetry.trace_context import Sampler, TraceContext, follow_caller

_LOG = logging.getLogger("chainctl.telemetry")
_LOW_BITS = 64
_PARENT_BASED = "parentbased_"


def sampler_of(environ: Mapping[str, str]) -> Sampler:
    """Return the sampler that OTEL_TRACES_SAMPLER names; a name that we do not know is logged.

    Without one, traces of callers are kept as they say, and all that begin here.
    """
    name = environ.get("OTEL_TRACES_SAMPLER", "").strip() or "parentbased_always_on"
    root = _root(name.removeprefix(_PARENT_BASED), environ.get("OTEL_TRACES_SAMPLER_ARG", ""))
    if root is None:
        _LOG.warning("OTEL_TRACES_SAMPLER: there is no sampler %r; traces are kept as callers say", name)
        return follow_caller
    return _parent_based(root) if name.startswith(_PARENT_BASED) else root


def _root(name: str, argument: str) -> Optional[Sampler]:
    if name == "always_on":
        return _always
    if name == "always_off":
        return _never
    return _by_ratio(_ratio(argument)) if name == "traceidratio" else None


def _ratio(argument: str) -> float:
    """The specification's default is 1, for values that are invalid too."""
    try:
        ratio = float(argument or "1")
    except ValueError:
        ratio = -1.0
    if 0.0 <= ratio <= 1.0:
        return ratio
    _LOG.warning("OTEL_TRACES_SAMPLER_ARG: %r is no number from 0 to 1; all traces are kept", argument)
    return 1.0


def _by_ratio(ratio: float) -> Sampler:
    """Decide by the low 64 bits of the id, so that every service of a trace decides alike."""
    bound = round(ratio * (1 << _LOW_BITS))
    return lambda _parent, trace_id: (trace_id & ((1 << _LOW_BITS) - 1)) < bound


def _parent_based(root: Sampler) -> Sampler:
    def sampler(parent: Optional[TraceContext], trace_id: int) -> bool:
        return root(None, trace_id) if parent is None else parent.is_sampled

    return sampler


def _always(_parent: Optional[TraceContext], _trace_id: int) -> bool:
    return True


def _never(_parent: Optional[TraceContext], _trace_id: int) -> bool:
    return False
