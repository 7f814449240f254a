"""Which files a service is given as secrets, and how they are packed."""

from __future__ import annotations

import io
import tarfile
from dataclasses import replace

import pytest

from chainctl.adapters.docker.secrets import secret_files
from chainctl.adapters.docker.target_files import archive
from chainctl.deploy.release import SecretRef
from chainctl.errors import MissingSecretError
from tests.unit.adapters.docker.test_observe_body import SPEC


class FakeVault:
    """Knows one secret and a token."""

    def value(self, secret: SecretRef) -> bytes:
        if secret.name != "hf_key":
            raise MissingSecretError(f"There is no secret named {secret.name}")
        return b"v4lue"

    def token(self, chain: str) -> str:
        return f"t0ken of {chain}"


def test_every_secret_is_a_file_of_the_services_own() -> None:
    """Readable by its user only, in a directory that only it may enter; the token is one of them."""
    with tarfile.open(fileobj=io.BytesIO(archive(secret_files(SPEC, FakeVault())))) as tar:
        packed = [(e.name, e.type, oct(e.mode), e.uid, e.gid) for e in tar]
        token = tar.extractfile("run/secrets/.chainctl-token")
        assert token is not None
        assert token.read() == b"t0ken of tchain"
    assert packed == [
        ("run/secrets", tarfile.DIRTYPE, "0o500", 10001, 10001),
        ("run/secrets/.chainctl-token", tarfile.REGTYPE, "0o400", 10001, 10001),
        ("run/secrets/hf_key", tarfile.REGTYPE, "0o400", 10001, 10001),
    ]


def test_a_missing_secret_is_the_vaults_to_tell() -> None:
    """Its error passes through as it is."""
    spec = replace(SPEC, secrets=(SecretRef("other", "f"),))
    with pytest.raises(MissingSecretError, match="no secret named other"):
        secret_files(spec, FakeVault())


def test_files_show_no_content() -> None:
    """A repr in a traceback names path and mode only."""
    assert "v4lue" not in repr(secret_files(SPEC, FakeVault()))
