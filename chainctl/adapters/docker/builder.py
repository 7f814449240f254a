"""ImagePlans in; images on one Docker Engine out, built by BuildKit where the engine has it."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Generator, Iterable, Mapping
from contextlib import closing
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING

from chainctl.adapters.docker.build_base import require_base
from chainctl.adapters.docker.build_context import sent_context
from chainctl.adapters.docker.build_failure import RESUME_HINT, Failure, build_failed
from chainctl.adapters.docker.build_progress import BuildProgress
from chainctl.adapters.docker.build_streams import OpenStreams
from chainctl.adapters.docker.engine import TIMEOUT, Engine
from chainctl.adapters.docker.tarball import tar_chunks
from chainctl.build.context import ImageRef
from chainctl.build.plan import ImagePlan
from chainctl.errors import EngineError
from chainctl.events import Emit, Notice

if TYPE_CHECKING:
    from docker import APIClient

CHUNK = 1 << 16
_EXECUTED = re.compile(r"did not complete successfully|executor failed running")
_REFUSAL = re.compile(r"build.?kit|(invalid|unsupported) version", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class DockerBuildBackend:
    """Builds on one engine; any number of threads may build at once, each with its own client.

    `network` is that of RUN instructions, such as "host". `use_buildkit` None means: when the
    engine has it, and the classic builder after a refusal.
    """

    engine: Engine
    _: KW_ONLY
    network: str | None = None
    build_args: Mapping[str, str] = field(default_factory=dict)
    use_buildkit: bool | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    _refused: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)
    _alone: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)
    _streams: OpenStreams = field(default_factory=OpenStreams, init=False, repr=False)

    @property
    def joins_equal_steps(self) -> bool:
        """BuildKit does."""
        return self._is_buildkit

    def existing(self, refs: Iterable[ImageRef]) -> frozenset[ImageRef]:
        """Return those images that the engine has, found with one question."""
        wanted = {str(ref): ref for ref in refs}
        if not wanted:
            return frozenset()
        with self.engine.client() as client, self.engine.errors("list its images"):
            images = client.images(filters={"reference": sorted(wanted)})
        tags = {tag for image in images for tag in image.get("RepoTags") or ()}
        return frozenset(ref for name, ref in wanted.items() if name in tags)

    def build(self, image: ImagePlan, emit: Emit) -> None:
        """Build one image and tag it with its name; an interrupted build leaves no tag.

        Raises BuildError when an instruction fails, EngineError when the engine is lost.
        """
        with self.engine.client() as client:
            require_base(self.engine, client, image, emit)
            failure = self._run(client, image, emit, is_buildkit=self._is_buildkit)
            if failure and self._falls_back(failure):
                self._tell_fallback(emit)
                failure = self._run(client, image, emit, is_buildkit=False)
            elif failure and _is_silent(failure):
                failure = self._told_again(client, image, emit)
        if failure:
            raise build_failed(image, failure)

    def _told_again(self, client: APIClient, image: ImagePlan, emit: Emit) -> Failure | None:
        """Build once more, alone, to hear what failed.

        BuildKit runs equal steps of builds that go on side by side once, and may tell only one of
        them which step it was and what it wrote.
        """
        with self._alone:
            return self._run(client, image, emit, is_buildkit=True)

    def cancel(self) -> None:
        """Cut off the builds of other threads, running or to come: they raise EngineError soon."""
        self._streams.cut()

    @property
    def _is_buildkit(self) -> bool:
        if self.use_buildkit is not None:
            return self.use_buildkit
        return self.engine.ping.has_buildkit and not self._refused.locked()

    def _falls_back(self, failure: Failure) -> bool:
        is_refusal = not failure.step and bool(_REFUSAL.search(failure.reason))
        return is_refusal and self.use_buildkit is None

    def _tell_fallback(self, emit: Emit) -> None:
        """Say so in the first thread that comes: the lock is taken once and never given back."""
        if self._refused.acquire(blocking=False):
            emit(Notice("The engine refuses to build with BuildKit; its classic builder is used"))

    def _run(self, client: APIClient, image: ImagePlan, emit: Emit, *, is_buildkit: bool) -> Failure | None:
        progress = BuildProgress(image.chainlet)
        with closing(self._lines(client, image, is_buildkit=is_buildkit)) as lines:
            for line in lines:
                for event in progress.feed(line):
                    emit(event)
        if not progress.image_id and not progress.failure:
            lost = f"The engine was lost before the image of {image.chainlet} was built"
            raise EngineError(lost, hint=RESUME_HINT)
        return progress.failure

    def _lines(self, client: APIClient, image: ImagePlan, *, is_buildkit: bool) -> Generator[bytes]:
        """Yield the lines of the build's stream; closing it makes the engine give the build up."""
        doing = f"build the image of {image.chainlet}"
        with self.engine.errors(doing, hint=RESUME_HINT):
            response = client.post(
                f"{client.base_url}/v{client.api_version}/build",
                data=tar_chunks(sent_context(image.context, is_buildkit=is_buildkit), image.chainlet),
                params=self._params(image, is_buildkit=is_buildkit),
                headers={"Content-Type": "application/x-tar"},
                stream=True,
                timeout=(TIMEOUT, None),
            )
            with self._streams.reading(response):
                yield from filter(None, response.iter_lines(CHUNK))

    def _params(self, image: ImagePlan, *, is_buildkit: bool) -> dict[str, str]:
        """Return the query of POST /build: all that it is told beside the context."""
        network = {"networkmode": self.network} if self.network else {}
        return {
            "t": str(image.ref),
            "version": "2" if is_buildkit else "1",
            "rm": "1",
            "forcerm": "1",
            "buildargs": json.dumps(dict(self.build_args), sort_keys=True),
            "labels": json.dumps({**self.labels, **dict(image.labels)}, sort_keys=True),
            **network,
            **({"platform": image.platform} if image.platform else {}),
        }


def _is_silent(failure: Failure) -> bool:
    """Say whether a command failed and nothing was told of it."""
    return not failure.step and bool(_EXECUTED.search(failure.reason))
