"""The places where secret values are kept in; values at the moment of need, and their fingerprints, out."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from chainctl.deploy.release import SecretRef
from chainctl.errors import MissingSecretError, UsageError

_PREFIX = "CHAINCTL_SECRET_"


class SecretSources:
    """Looks a secret up: environment variable `CHAINCTL_SECRET_NAME`, secrets file, directory of files.

    In the secrets file a line is `NAME=value`; in the directory each file is one secret. What a program has
    `given` wins over all of them.
    """

    def __init__(
        self,
        environ: Mapping[str, str],
        file: Path | None,
        directory: Path,
        given: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._given = given
        self._environ = environ
        self._file = file
        self._directory = directory

    def find(self, name: str) -> bytes | None:
        """Return a secret's value, None where no place has it. Raises UsageError for an unreadable file."""
        if name in self._given:
            return self._given[name].encode("utf-8", "surrogateescape")
        variable = self._variable(name)
        if variable is not None:
            return self._environ[variable].encode("utf-8", "surrogateescape")
        in_file = _lines(self._file).get(name) if self._file else None
        if in_file is not None:
            return in_file.encode()
        path = self._directory / name
        return path.read_bytes() if path.is_file() else None

    def place_of(self, name: str) -> str | None:
        """Say where a secret's value comes from, None where no place has it. Raises as `find` does."""
        if name in self._given:
            return "the program that runs it"
        variable = self._variable(name)
        if variable is not None:
            return f"the environment variable {variable}"
        if self._file and name in _lines(self._file):
            return f"the file {self._file}"
        return f"the directory {self._directory}" if (self._directory / name).is_file() else None

    def in_file(self) -> list[str]:
        """Names that the secrets file has, sorted. Raises UsageError for an unreadable file."""
        return sorted(_lines(self._file)) if self._file else []

    def _variable(self, name: str) -> str | None:
        candidates = (_PREFIX + name, _PREFIX + name.upper().replace("-", "_").replace(".", "_"))
        return next((variable for variable in candidates if variable in self._environ), None)


class Vault:
    """Gives values to a target and fingerprints to a release; keyed by the chain's own token."""

    def __init__(self, sources: SecretSources, token_of: Callable[[str], str]) -> None:
        self._sources = sources
        self._token_of = token_of

    def value(self, secret: SecretRef) -> bytes:
        return self.value_of(secret.name)

    def value_of(self, name: str) -> bytes:
        """Return a secret's value, read now. Raises MissingSecretError."""
        found = self._sources.find(name)
        if found is None:
            raise MissingSecretError(f"secret `{name}` has no value here", hint=_hint(name))
        return found

    def token(self, chain: str) -> str:
        return self._token_of(chain)

    def fingerprints(self, chain: str, wanted: Mapping[str, Iterable[str]]) -> dict[str, str]:
        """Fingerprint all wanted secrets (name → the chainlets that declare it).

        Raises MissingSecretError naming all that have no value, before anything is built.
        """
        values = self._values(wanted)
        return {name: self._fingerprint(chain, name, value) for name, value in values.items()}

    def require(self, wanted: Mapping[str, Iterable[str]]) -> None:
        """Raise MissingSecretError naming all wanted secrets (name → who declares them) without a value."""
        self._values(wanted)

    def _values(self, wanted: Mapping[str, Iterable[str]]) -> dict[str, bytes]:
        found = {name: self._sources.find(name) for name in wanted}
        missing = [name for name, value in found.items() if value is None]
        if missing:
            raise _missing(missing, wanted)
        return {name: value for name, value in found.items() if value is not None}

    def fingerprint(self, chain: str, name: str) -> str | None:
        """Fingerprint one secret, None where it has no value."""
        value = self._sources.find(name)
        return None if value is None else self._fingerprint(chain, name, value)

    def _fingerprint(self, chain: str, name: str, value: bytes) -> str:
        key = self._token_of(chain).encode()
        return hmac.new(key, name.encode() + b"\0" + value, hashlib.sha256).hexdigest()[:16]


def _missing(names: list[str], wanted: Mapping[str, Iterable[str]]) -> MissingSecretError:
    lines = [f"{name}: declared by {', '.join(wanted[name])}" for name in names]
    shown = ", ".join(f"`{name}`" for name in names)
    what = "secret has" if len(names) == 1 else "secrets have"
    return MissingSecretError(f"{len(names)} {what} no value: {shown}", hint=_hint(names[0]), details=lines)


def _hint(name: str) -> str:
    return (
        f"save it with `chainctl secret set {name}`, set the environment variable `{_PREFIX}{name}`, or put"
        f" `{name}=…` into a file and give `--secrets FILE`."
    )


def _lines(file: Path) -> dict[str, str]:
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise UsageError(f"the secrets file {file} cannot be read: {why}") from None
    lines = (line.strip() for line in text.split("\n"))
    pairs = (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))
    return {name.removeprefix("export ").strip(): _unquoted(value.strip()) for name, _, value in pairs}


def _unquoted(value: str) -> str:
    quoted = len(value) > 1 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if quoted else value
