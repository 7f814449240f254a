"""Where images are published: what names a registry, and what images are called there."""

from __future__ import annotations

import pytest

from chainctl.build.context import ImageRef, platform_tag
from chainctl.build.registry import RegistryAddress
from chainctl.errors import UsageError


@pytest.mark.parametrize(
    ("text", "host", "prefix"),
    [
        ("ghcr.io/ada", "ghcr.io", "ada"),
        ("ghcr.io/ada/models/", "ghcr.io", "ada/models"),
        ("127.0.0.1:5000", "127.0.0.1:5000", ""),
        ("localhost/x", "localhost", "x"),
        ("registry:5000/a-b/c_d", "registry:5000", "a-b/c_d"),
        ("[::1]:5000/x", "[::1]:5000", "x"),
    ],
)
def test_a_registry_is_read(text: str, host: str, prefix: str) -> None:
    """A host, with a port or not, and what names begin with, if anything."""
    address = RegistryAddress.parse(text)
    assert address == RegistryAddress(host, prefix)
    assert str(address) == text.rstrip("/")


@pytest.mark.parametrize(
    "text", ["", "ada", "ada/models", "https://ghcr.io/ada", "GHCR.io/x", "ghcr.io/Ada", "g.io/a b"]
)
def test_what_names_no_registry_is_refused(text: str) -> None:
    """A name without dot or port would be somebody's on Docker Hub."""
    with pytest.raises(UsageError) as caught:
        RegistryAddress.parse(text)
    assert "HOST/PREFIX" in caught.value.hint


def test_credentials_do_not_belong_there_and_are_not_repeated() -> None:
    """They would end up in records and logs."""
    with pytest.raises(UsageError) as caught:
        RegistryAddress.parse("ada:secret@ghcr.io/models")
    assert "secret" not in str(caught.value)
    assert "docker login" in caught.value.hint


def test_images_keep_their_names_behind_the_prefix() -> None:
    """Chain and chainlet follow."""
    ref = ImageRef("hello/sayhello", "abc")
    assert RegistryAddress("ghcr.io", "ada").repository_of(ref) == "ghcr.io/ada/hello/sayhello"
    assert RegistryAddress("ghcr.io").repository_of(ref) == "ghcr.io/hello/sayhello"


def test_a_tag_names_a_foreign_platform() -> None:
    """The engine's own is not named."""
    assert platform_tag("abc", "") == "abc"
    assert platform_tag("abc", "linux/arm64") == "abc-arm64"
    assert platform_tag("abc", "linux/arm/v7") == "abc-arm-v7"
