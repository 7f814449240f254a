"""An image's plan in; the session that its build needs, or None where it needs none, out."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from chainctl.adapters.docker.build_failure import RESUME_HINT, Failure
from chainctl.adapters.docker.build_secrets import BuildSecrets, needs_buildkit
from chainctl.adapters.docker.engine import Engine
from chainctl.adapters.docker.session import Session, open_session
from chainctl.adapters.docker.session_connection import SessionUnavailableError
from chainctl.adapters.docker.session_login import RegistryLogins
from chainctl.adapters.docker.session_services import session_methods
from chainctl.build.plan import ImagePlan
from chainctl.errors import EngineError
from chainctl.events import Emit, Notice

_NO_SESSION = "This engine takes no sessions ({why}), so logins for registries are used for base images only"


class BuildSessions:
    """Opens one session for each build that has secrets, or where there are logins for registries."""

    def __init__(self, engine: Engine, secrets: BuildSecrets, logins: RegistryLogins | None) -> None:
        self._engine = engine
        self._secrets = secrets
        self._logins = logins
        self._told = threading.Lock()

    @contextmanager
    def session(self, image: ImagePlan, emit: Emit) -> Iterator[Session | None]:
        """Serve a session while the build lasts.

        Raises BuildError where the engine takes none and the image has secrets, EngineError when it is lost.
        """
        with ExitStack() as stack:
            yield self._opened(stack, image, emit)

    def _opened(self, stack: ExitStack, image: ImagePlan, emit: Emit) -> Session | None:
        has_logins = self._logins is not None and self._logins.are_there
        if not image.secrets and not has_logins:
            return None
        methods = session_methods(
            self._secrets.of(image), self._logins.login if self._logins else lambda _: None
        )
        try:
            return stack.enter_context(open_session(self._engine, methods))
        except SessionUnavailableError as refusal:
            why = str(refusal)
        except EngineError as error:  # whether the engine is lost, the build will find
            if image.secrets:
                raise
            why = error.message
        if image.secrets:
            raise needs_buildkit(image, f"this engine takes no session ({why})")
        if self._told.acquire(blocking=False):
            emit(Notice(_NO_SESSION.format(why=why)))
        return None


def require_answered(session: Session, image: ImagePlan, failure: Failure | None) -> None:
    """Raise what a failed build's session failed with, where that is the cause: ours, or a lost connection."""
    if failure is None:
        return
    if session.failure is not None:
        raise session.failure
    if session.is_lost:
        raise EngineError(
            f"The engine lost the connection that gives secrets to the build of {image.chainlet}",
            hint=RESUME_HINT,
        )
