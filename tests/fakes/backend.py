"""ImagePlans in, their names remembered as built out: a BuildBackend in memory."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping

from chainctl.build.context import ImageRef
from chainctl.build.plan import ImagePlan
from chainctl.errors import ChainctlError, EngineError
from chainctl.events import BuildStepped, Emit


class MemoryBackend:
    """A backend in memory; any number of threads may build.

    `fails` maps chainlets to the error of their build. A chainlet in `hangs` builds until
    somebody cancels. `started` has the chainlets whose build began, in that order; `built` the plans.
    """

    def __init__(
        self,
        *,
        fails: Mapping[str, ChainctlError] | None = None,
        hangs: Iterable[str] = (),
        joins_equal_steps: bool = True,
    ) -> None:
        self._joins_equal_steps = joins_equal_steps
        self.fails = dict(fails or {})
        self.started: list[str] = []
        self.built: list[ImagePlan] = []
        self.images: set[ImageRef] = set()
        self._hangs = frozenset(hangs)
        self._began = {chainlet: threading.Event() for chainlet in self._hangs}
        self._cancelled = threading.Event()

    @property
    def joins_equal_steps(self) -> bool:
        return self._joins_equal_steps

    def existing(self, refs: Iterable[ImageRef]) -> frozenset[ImageRef]:
        return frozenset(ref for ref in refs if ref in self.images)

    def build(self, image: ImagePlan, emit: Emit) -> None:
        """Build, fail or hang. A failing build waits until every hanging one has begun."""
        self.started.append(image.chainlet)
        emit(BuildStepped(image.chainlet, f"FROM {image.base_image}"))
        if image.chainlet in self._hangs:
            self._began[image.chainlet].set()
            self._cancelled.wait()
        if self._cancelled.is_set():
            raise EngineError(f"the build of {image.chainlet} was broken off")
        if image.chainlet in self.fails:
            for event in self._began.values():
                event.wait()
            raise self.fails[image.chainlet]
        self.images.add(image.ref)
        self.built.append(image)

    def cancel(self) -> None:
        self._cancelled.set()

    @property
    def is_cancelled(self) -> bool:
        return self._cancelled.is_set()
