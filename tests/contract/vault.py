"""The contract of a Vault: derive a class, give `vault`, which holds KEY=b"s3cret-value", and run it."""

from __future__ import annotations

from typing import Protocol

import pytest

from chainctl.deploy.release import SecretRef
from chainctl.deploy.target import Vault
from chainctl.errors import MissingSecretError
from chainctl.workflows.draft import Fingerprints

VALUE = b"s3cret-value"


class FullVault(Vault, Fingerprints, Protocol):
    """Both sides of a vault: values for a target, fingerprints for a release."""


class VaultContract:
    """Left open: `vault`."""

    @pytest.fixture
    def vault(self) -> FullVault:
        raise NotImplementedError

    def test_a_value_is_given_as_it_is(self, vault: FullVault) -> None:
        """Byte for byte; the fingerprint is not looked at."""
        assert vault.value(SecretRef("KEY", "any")) == VALUE

    def test_a_missing_value_is_named(self, vault: FullVault) -> None:
        """The error names the secret."""
        with pytest.raises(MissingSecretError, match="OTHER"):
            vault.value(SecretRef("OTHER", "any"))

    def test_all_missing_values_are_named_with_their_chainlets(self, vault: FullVault) -> None:
        """One error for all, so that the user can set them in one go."""
        with pytest.raises(MissingSecretError) as raised:
            vault.fingerprints("a", {"KEY": ["One"], "B": ["One", "Two"], "C": ["Two"]})
        assert raised.value.details == ("B: declared by One, Two", "C: declared by Two")
        assert "KEY" not in raised.value.message

    def test_a_token_belongs_to_its_chain(self, vault: FullVault) -> None:
        """It is stable, and another chain's is another."""
        assert vault.token("a") == vault.token("a")
        assert vault.token("a") != vault.token("b")

    def test_fingerprints_are_stable_and_differ_by_chain_and_tell_nothing(self, vault: FullVault) -> None:
        """The value is in no fingerprint and in nothing that prints."""
        first = vault.fingerprints("a", {"KEY": ["One"]})
        assert first == vault.fingerprints("a", {"KEY": ["Two"]})
        assert first != vault.fingerprints("b", {"KEY": ["One"]})
        assert VALUE.decode() not in first["KEY"]
        assert VALUE.hex() not in first["KEY"]
        assert VALUE.decode() not in f"{vault!r} {vault} {SecretRef('KEY', first['KEY'])!r}"
