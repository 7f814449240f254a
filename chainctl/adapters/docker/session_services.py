"""What BuildKit may ask of a session in; the functions that answer out: health, secrets, credentials.

The methods are those of moby/buildkit's session/secrets/secrets.proto and session/auth/auth.proto.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from chainctl.adapters.docker.session_wire import bytes_field, text_field

HEALTH = "/grpc.health.v1.Health/Check"
GET_SECRET = "/moby.buildkit.secrets.v1.Secrets/GetSecret"  # a method
CREDENTIALS = "/moby.filesync.v1.Auth/Credentials"
_SERVING = b"\x08\x01"


class Status(enum.IntEnum):
    """The statuses of gRPC that a session answers with."""

    OK = 0
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    NOT_FOUND = 5
    RESOURCE_EXHAUSTED = 8
    UNIMPLEMENTED = 12


class SessionRefusal(Exception):  # it says no, it is no error
    """A question that is answered with a status other than OK. The reason goes to the engine."""

    def __init__(self, status: Status, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Login:
    """A registry's user and password; without a user the password is a token. It never prints them."""

    user: str
    password: str

    def __repr__(self) -> str:
        return "Login([REDACTED])"


Method = Callable[[bytes], bytes]
SecretOf = Callable[[str], bytes | None]
LoginOf = Callable[[str], Login | None]


def session_methods(secret_of: SecretOf, login_of: LoginOf) -> Mapping[str, Method]:
    """Return what a session answers, by the path of the method."""

    def health(_: bytes) -> bytes:
        return _SERVING

    def secret(message: bytes) -> bytes:
        name = text_field(message, 1)
        value = secret_of(name)
        if value is None:
            raise SessionRefusal(Status.NOT_FOUND, f"this build may not see a secret called {name}")
        return bytes_field(1, value)

    def credentials(message: bytes) -> bytes:
        login = login_of(text_field(message, 1)) or Login("", "")
        return bytes_field(1, login.user.encode()) + bytes_field(2, login.password.encode())

    return {HEALTH: health, GET_SECRET: secret, CREDENTIALS: credentials}
