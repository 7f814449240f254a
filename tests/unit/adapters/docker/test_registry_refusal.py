"""What engines say of registries, and the one sentence that a user is told."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from chainctl.adapters.docker.registry_credentials import credentials_for
from chainctl.adapters.docker.registry_refusal import is_silent, registry_refusal
from chainctl.errors import ExitCode, RegistryError

HOST = "registry.test:5000"


@pytest.mark.parametrize(
    ("said", "message", "hint"),
    [
        ('Get "https://registry.test:5000/v2/": dial tcp 10.0.0.1:5000: connect: connection refused',
         f"The registry {HOST} does not answer", "`registry`"),
        ("dial tcp: lookup registry.test: no such host", f"The registry {HOST} does not answer", "`registry`"),
        ("http: server gave HTTP response to HTTPS client",
         f"The registry {HOST} speaks no TLS, and the engine wants it", "insecure-registries"),
        ("x509: certificate signed by unknown authority",
         f"The engine does not trust the certificate of the registry {HOST}", f"certs.d/{HOST}/ca.crt"),
        ("no basic auth credentials", f"The registry {HOST} wants credentials", f"docker login {HOST}"),
        ("unauthorized: authentication required", f"The registry {HOST} wants credentials", f"docker login {HOST}"),
        ("denied: requested access to the resource is denied",
         f"The registry {HOST} does not let you push r/x", "another prefix"),
        ("blob upload invalid", f"The registry {HOST} did not take r/x: blob upload invalid", "push again"),
    ],
)  # fmt: skip
def test_refusals_are_told_apart(said: str, message: str, hint: str) -> None:
    """Each with what to do next; what the engine said is the evidence."""
    error = registry_refusal(HOST, "r/x", said, has_credentials=False)
    assert error.message == message
    assert hint in error.hint
    assert error.exit_code is ExitCode.BUILD_FAILED


def test_a_login_that_is_refused_is_told_as_such() -> None:
    """There was one; it is the wrong one."""
    error = registry_refusal(HOST, "r/x", "unauthorized: authentication required", has_credentials=True)
    assert error.message == f"The registry {HOST} refuses your credentials"


def test_credentials_in_addresses_are_left_out() -> None:
    """A proxy's address may hold some."""
    said = 'proxyconnect: Get "http://me:secret@proxy/": connection refused'
    error = registry_refusal(HOST, "r/x", said, has_credentials=False)
    assert "secret" not in "".join(error.details)
    assert is_silent(said)


def config_of(directory: Path, value: object) -> Path:
    (directory / "config.json").write_text(value if isinstance(value, str) else json.dumps(value))
    return directory


def test_a_login_is_found(tmp_path: Path) -> None:
    """Under the registry's host; no other registry gets it."""
    auth = base64.b64encode(b"ada:secret").decode()
    config = config_of(tmp_path, {"auths": {HOST: {"auth": auth}}})
    found = credentials_for(config, HOST)
    assert (found["username"], found["password"]) == ("ada", "secret")
    assert credentials_for(config, "other.test") == {}


def test_no_config_is_no_login(tmp_path: Path) -> None:
    """A registry on loopback mostly wants none."""
    assert credentials_for(tmp_path, HOST) == {}
    assert credentials_for(config_of(tmp_path, {}), HOST) == {}


@pytest.mark.parametrize(
    "value",
    [
        {"auths": {HOST: {"auth": "c2VjcmV0"}}},
        {"auths": {HOST: {"auth": "%%secret"}}},
        {"auths": {HOST: "secret"}},
        {"auths": ["secret"]},
        ["secret"],
        {"credHelpers": {HOST: "secret-that-is-not-installed"}},
        {"credsStore": "that-is-not-installed"},
    ],
)
def test_a_config_that_can_not_be_used_is_told(tmp_path: Path, value: object) -> None:
    """Without a traceback, and without what is in it."""
    with pytest.raises(RegistryError) as caught:
        credentials_for(config_of(tmp_path, value), HOST)
    assert "secret" not in str(caught.value)
    assert f"docker login {HOST}" in caught.value.hint
    assert caught.value.__cause__ is None
