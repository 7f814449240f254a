"""A chain and what a test wants of it in; a chain that runs, with what was called in it, out.

Its public names are loaded when they are used, so that the pytest plugin costs a test run nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from chainctl.testing.compatible import assert_compatible, released
    from chainctl.testing.plugin import RunChain
    from chainctl.testing.recorded import RecordedCall
    from chainctl.testing.running import RunningChain, run_chain

_PLACES = {
    "RecordedCall": "chainctl.testing.recorded",
    "RunChain": "chainctl.testing.plugin",
    "RunningChain": "chainctl.testing.running",
    "assert_compatible": "chainctl.testing.compatible",
    "released": "chainctl.testing.compatible",
    "run_chain": "chainctl.testing.running",
}
__all__ = ["RecordedCall", "RunChain", "RunningChain", "assert_compatible", "released", "run_chain"]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_PLACES[name]), name)
