"""A chain in; what it does, once or on a screen that is drawn again and again, out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from chainctl.cli.load_text import load_json, load_text
from chainctl.cli.output import print_result
from chainctl.deploy.target import DeployTarget
from chainctl.errors import DeployError, EngineError
from chainctl.workflows.top import loads

if TYPE_CHECKING:
    from rich.console import Console


Asleep = Callable[[], Sequence[str]]
"""Names the chainlets that sleep now."""


def print_load(
    target: DeployTarget, chain: str, interval: float, asleep: Asleep = tuple, *, as_json: bool
) -> None:
    """Print what a chain does for one interval."""
    waiting = threading.Event()
    load = next(loads(target, chain, time.monotonic, lambda: waiting.wait(interval), asleep))
    print_result(load_text(load), {"chain": chain, **load_json(load)}, as_json=as_json)


def watch(
    target: DeployTarget,
    chain: str,
    interval: float,
    screen: Console | None = None,
    asleep: Asleep = tuple,
) -> None:
    """Draw it again after each interval, until interrupted; a push meanwhile interrupts nothing.

    `screen` is the terminal of stdout when not given. Raises UsageError when the chain is gone.
    """
    from rich.live import Live
    from rich.text import Text

    waiting = threading.Event()

    def pause() -> None:
        waiting.wait(interval)

    begin = Text(f"looking at {chain} for {interval:g} s")
    with Live(begin, console=screen, auto_refresh=False, screen=True) as live:
        while True:
            try:
                for load in loads(target, chain, time.monotonic, pause, asleep):
                    live.update(Text(f"{chain}, every {interval:g} s\n\n{load_text(load)}"), refresh=True)
            except (DeployError, EngineError) as error:
                live.update(Text(error.message), refresh=True)
                pause()
