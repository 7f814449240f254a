"""What builds images, as a protocol; adapters implement it for Docker and for local processes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from chainctl.build.context import ImageRef
from chainctl.build.plan import ImagePlan
from chainctl.events import Emit


class BuildBackend(Protocol):
    """Builds images from contexts and knows which ones it has.

    `build` raises BuildError when an instruction fails and EngineError when the engine is lost.
    """

    @property
    def joins_equal_steps(self) -> bool:
        """Whether equal steps of builds that go on side by side are run once."""
        ...

    def existing(self, refs: Iterable[ImageRef]) -> frozenset[ImageRef]: ...

    def build(self, image: ImagePlan, emit: Emit) -> None: ...

    def cancel(self) -> None:
        """Break off the builds under way, from any thread; a cancelled backend stays cancelled."""
        ...
