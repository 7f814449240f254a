"""What can go wrong, as one family of errors; each class carries the exit code of the command that meets it.

The message says what and where in one sentence, the hint names the next command, the details are
the evidence. Nothing here prints or exits: the command line does, at its one boundary.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar


class ExitCode(enum.IntEnum):
    """Exit codes of every verb, as documented in docs/exit-codes.md."""

    OK = 0
    FAILURE = 1
    USAGE = 2
    CHAIN_PROBLEMS = 3
    BUILD_FAILED = 4
    DEPLOY_FAILED = 5
    ENGINE_UNREACHABLE = 6
    CALL_FAILED = 7
    LOCK_HELD = 9
    CHANGES = 10
    BUG = 70
    INTERRUPTED = 130


@dataclass(frozen=True)
class Problem:
    """One thing wrong in the user's files.

    `line` and the columns count from 1; 0 means unknown. `end_column` is exclusive.
    `severity` is "error" or "warning"; a warning never stops a command.
    """

    code: str
    message: str
    path: str = ""
    line: int = 0
    column: int = 0
    end_column: int = 0
    note: str = ""
    help: str = ""
    severity: str = "error"

    @property
    def is_error(self) -> bool:
        return self.severity == "error"

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}: " if self.path else ""
        return f"{where}{self.severity}[{self.code}]: {self.message}"


class ChainctlError(Exception):
    """Anything chainctl reports on purpose. Subclasses set the exit code."""

    exit_code: ClassVar[ExitCode] = ExitCode.FAILURE

    def __init__(self, message: str, *, hint: str = "", details: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = tuple(details)

    def __str__(self) -> str:
        hint = f"\nhint: {self.hint}" if self.hint else ""
        return self.message + hint


class UsageError(ChainctlError):
    """The command line or a settings file asks for something that does not exist."""

    exit_code = ExitCode.USAGE


class MissingSecretError(UsageError):
    """A chainlet declares a secret for which no value was found."""


class ChainDefinitionError(ChainctlError):
    """The chain file has problems: all of them, found in one go."""

    exit_code = ExitCode.CHAIN_PROBLEMS

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        errors = sum(p.is_error for p in self.problems)
        super().__init__(
            f"{errors} problem{'s' if errors != 1 else ''} in the chain",
            details=[str(p) for p in self.problems],
        )


class LockError(ChainDefinitionError):
    """What images install can not be pinned, or the pins are not to be trusted; nothing was changed."""

    exit_code = ExitCode.BUILD_FAILED

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(problems)
        self.message = "the chain cannot be locked"
        self.args = (self.message,)


class BuildError(ChainctlError):
    """An image could not be built. `step` is the instruction, the details its last lines."""

    exit_code = ExitCode.BUILD_FAILED

    def __init__(
        self, chainlet: str, step: str, tail: Sequence[str], *, reason: str = "", hint: str = ""
    ) -> None:
        self.chainlet = chainlet
        self.step = step
        at = f" at `{step}`" if step else ""
        why = f": {reason}" if reason else ""
        super().__init__(f"The image of {chainlet} failed to build{at}{why}", hint=hint, details=tail)


class RegistryError(ChainctlError):
    """A registry does not answer or does not take an image; nothing that runs was touched."""

    exit_code = ExitCode.BUILD_FAILED


class DeployError(ChainctlError):
    """A release could not be brought up; what served before still serves."""

    exit_code = ExitCode.DEPLOY_FAILED


class CanaryError(ChainctlError):
    """A new release did worse than the old one with a part of its traffic; the old one has all of it again."""


class JobsFailedError(ChainctlError):
    """A trigger of a component raised; the details are what it raised."""


class StalePlanError(DeployError):
    """What a push was planned from is not so any more; nothing was touched."""


class EngineError(ChainctlError):
    """The engine that runs containers, or the local supervisor, does not answer."""

    exit_code = ExitCode.ENGINE_UNREACHABLE


class CallFailedError(ChainctlError):
    """A chain answered a call with an error, or could not be reached."""

    exit_code = ExitCode.CALL_FAILED


class LockHeldError(ChainctlError):
    """Another chainctl is changing the same chain right now."""

    exit_code = ExitCode.LOCK_HELD


class LockLostError(ChainctlError):
    """The lock of this command went to another one, because this one stood still for too long."""

    exit_code = ExitCode.LOCK_HELD


class StateError(ChainctlError):
    """What is recorded can not be read or written, is damaged, or is of a newer chainctl."""


class ChainsUsageError(ChainctlError, TypeError):
    """User code uses the SDK in a way that cannot work."""


class ComponentError(ChainctlError):
    """A component cannot be declared, stored or loaded. `code` names the page that explains it."""

    exit_code = ExitCode.CHAIN_PROBLEMS

    def __init__(self, message: str, *, code: str = "", hint: str = "", details: Sequence[str] = ()) -> None:
        super().__init__(message, hint=hint, details=details)
        self.code = code


class NotFoundError(ComponentError, KeyError):
    """No component of this name, version or revision is in the state."""

    exit_code = ExitCode.USAGE

    def __str__(self) -> str:
        return ComponentError.__str__(self)


class InUseError(ComponentError):
    """A component is not removed while others refer to it."""

    exit_code = ExitCode.USAGE


class CleanupError(ComponentError):
    """The `cleanup` of a component raised; it stays in the state."""

    exit_code = ExitCode.FAILURE


class DefinitionError(ComponentError, TypeError):
    """A class of components, or one of its triggers, is declared in a way that cannot work."""


class EncodeError(ComponentError, TypeError):
    """A component holds what cannot be stored; the message names the place in it."""


class DecodeError(ComponentError, ValueError):
    """What was stored of a component cannot be made into objects here."""


class MissingDependencyError(ChainctlError, TypeError):
    """Something a chainlet asks for at run time was not given: a secret, a service, a file."""


class ChainsRuntimeError(ChainctlError):
    """User code does at run time what only the framework may do, such as creating chainlets."""


class GenericRemoteException(ChainctlError):
    """A remote chainlet failed with an error whose class is not importable on the caller's side."""
