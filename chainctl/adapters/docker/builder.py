"""ImagePlans in; images on one Docker Engine out, built by BuildKit where the engine has it."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import closing
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING

from chainctl.adapters.docker.build_base import require_base
from chainctl.adapters.docker.build_context import sent_context
from chainctl.adapters.docker.build_failure import RESUME_HINT, Failure, build_failed
from chainctl.adapters.docker.build_lines import bounded_lines
from chainctl.adapters.docker.build_progress import BuildProgress
from chainctl.adapters.docker.build_secrets import BuildSecrets, needs_buildkit
from chainctl.adapters.docker.build_session import BuildSessions, require_answered
from chainctl.adapters.docker.build_streams import OpenStreams
from chainctl.adapters.docker.engine import TIMEOUT, Engine
from chainctl.adapters.docker.session_login import RegistryLogins
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
    engine has it, and the classic builder after a refusal. `secrets` gives the value of a secret that
    an image declares. `proxies` are build arguments that end up in no image; a password in one of
    their URLs is kept out of what builds say. `logins` are those for registries.
    """

    engine: Engine
    _: KW_ONLY
    network: str | None = None
    build_args: Mapping[str, str] = field(default_factory=dict)
    use_buildkit: bool | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    secrets: Callable[[str], bytes] | None = field(default=None, repr=False)
    proxies: Mapping[str, str] = field(default_factory=dict, repr=False)
    logins: RegistryLogins | None = field(default=None, repr=False)
    _given: BuildSecrets = field(init=False, repr=False)
    _sessions: BuildSessions = field(init=False, repr=False)
    _refused: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)
    _alone: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)
    _streams: OpenStreams = field(default_factory=OpenStreams, init=False, repr=False)

    def __post_init__(self) -> None:
        """Make what builds share: it remembers what was given to any of them."""
        given = BuildSecrets(self.secrets)
        for url in self.proxies.values():
            given.hide_url(url)
        object.__setattr__(self, "_given", given)
        object.__setattr__(self, "_sessions", BuildSessions(self.engine, given, self.logins))

    @property
    def joins_equal_steps(self) -> bool:
        """BuildKit does."""
        return self._is_buildkit

    def existing(self, refs: Iterable[ImageRef]) -> frozenset[ImageRef]:
        """Return those images that the engine has.

        Each is asked for by its name: a list takes the engine time for every image that it has of others.
        """
        with self.engine.client() as client, self.engine.errors("find its images"):
            return frozenset(ref for ref in refs if _has_image(client, ref))

    def build(self, image: ImagePlan, emit: Emit) -> None:
        """Build one image and tag it with its name; an interrupted build leaves no tag.

        Raises BuildError when an instruction fails, EngineError when the engine is lost.
        """
        if image.secrets and not self._is_buildkit:
            why = "the classic builder was chosen" if self.use_buildkit is False else "this engine has none"
            raise needs_buildkit(image, why)
        with self.engine.client() as client:
            require_base(self.engine, client, image, emit)
            failure = self._run(client, image, emit, is_buildkit=self._is_buildkit)
            if failure and self._falls_back(failure):
                if image.secrets:
                    raise needs_buildkit(image, "this engine refuses to build with it")
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
        if not is_buildkit:
            return self._follow(client, image, emit, {"version": "1"})
        with self._sessions.session(image, emit) as session:
            query = {"version": "2", **({"session": session.id} if session else {})}
            failure = self._follow(client, image, emit, query)
            if session:
                require_answered(session, image, failure)
            return failure

    def _follow(
        self, client: APIClient, image: ImagePlan, emit: Emit, query: Mapping[str, str]
    ) -> Failure | None:
        progress = BuildProgress(image.chainlet, self._given.clean)
        with closing(self._lines(client, image, query)) as lines:
            for line in lines:
                for event in progress.feed(line):
                    emit(event)
        if not progress.image_id and not progress.failure:
            lost = f"The engine was lost before the image of {image.chainlet} was built"
            raise EngineError(lost, hint=RESUME_HINT)
        return progress.failure

    def _lines(self, client: APIClient, image: ImagePlan, query: Mapping[str, str]) -> Generator[bytes]:
        """Yield the lines of the build's stream; closing it makes the engine give the build up."""
        doing = f"build the image of {image.chainlet}"
        with self.engine.errors(doing, hint=RESUME_HINT):
            context = sent_context(image.context, is_buildkit=query["version"] == "2")
            response = client.post(
                f"{client.base_url}/v{client.api_version}/build",
                data=tar_chunks(context, image.chainlet),
                params={**self._params(image), **query},
                headers={"Content-Type": "application/x-tar"},
                stream=True,
                timeout=(TIMEOUT, None),
            )
            with self._streams.reading(response):
                yield from bounded_lines(response.iter_content(CHUNK))

    def _params(self, image: ImagePlan) -> dict[str, str]:
        """Return the query of POST /build: all that it is told beside the context."""
        network = {"networkmode": self.network} if self.network else {}
        return {
            "t": str(image.ref),
            "rm": "1",
            "forcerm": "1",
            "buildargs": json.dumps({**self.build_args, **self.proxies}, sort_keys=True),
            "labels": json.dumps({**self.labels, **dict(image.labels)}, sort_keys=True),
            **network,
            **({"platform": image.platform} if image.platform else {}),
        }


def _has_image(client: APIClient, ref: ImageRef) -> bool:
    from docker.errors import NotFound

    try:
        client.inspect_image(str(ref))  # type: ignore[no-untyped-call]  # so in types-docker
    except NotFound:
        return False
    return True


def _is_silent(failure: Failure) -> bool:
    """Say whether a command failed and nothing was told of it."""
    return not failure.step and bool(_EXECUTED.search(failure.reason))
