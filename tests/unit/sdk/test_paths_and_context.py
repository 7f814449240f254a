"""Paths relative to a file, secrets that print nothing, and what a chainlet is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import chainctl as chains
from chainctl.sdk.context import Secrets
from chainctl.sdk.paths import AbsPath

HERE = Path(__file__).resolve().parent


def test_path_is_relative_to_the_calling_file() -> None:
    """A relative path is resolved against the file that the call stands in, wherever the command runs."""
    path = chains.make_abs_path_here("data/a.txt")
    assert path.path == HERE / "data/a.txt"
    assert (path.original, Path(path.created_in)) == ("data/a.txt", Path(__file__))
    assert str(path) == f"{HERE}/data/a.txt"
    assert Path(path) == path.path


def test_absolute_path_passes_through() -> None:
    """An absolute path is taken as it is."""
    assert chains.make_abs_path_here("/data/a.txt").path == Path("/data/a.txt")


def test_existence_is_looked_at_late(tmp_path: Path) -> None:
    """A path may name nothing until it is used; a file, or a directory that holds something, will do."""
    path = AbsPath(str(tmp_path / "data"), "chain.py", "data")
    with pytest.raises(chains.MissingDependencyError, match=r"`data` \(in chain\.py\)"):
        _ = path.abs_path
    (tmp_path / "data").mkdir()
    with pytest.raises(chains.MissingDependencyError):
        _ = path.abs_path
    (tmp_path / "data" / "a.txt").touch()
    assert path.abs_path == str(tmp_path / "data")
    assert AbsPath(str(tmp_path / "data" / "a.txt")).abs_path == str(tmp_path / "data" / "a.txt")


def test_paths_are_values() -> None:
    """Two paths to one place are equal and print as what they are."""
    assert AbsPath("/a", "x", "y") == AbsPath("/a")
    assert {AbsPath("/a"), AbsPath("/a")} == {AbsPath("/a")}
    assert AbsPath("/a") != "/a"
    assert repr(AbsPath("/a")) == "AbsPath('/a')"


def test_secrets_print_nothing() -> None:
    """Neither secrets nor a context that holds them print a value, whatever they were made of."""
    secrets = Secrets.given({"token": "hunter2"})
    context = chains.DeploymentContext(chainlet_to_service={}, secrets={"token": "hunter2"})
    assert context.secrets["token"] == "hunter2"
    for text in (repr(secrets), str(secrets), f"{secrets!r:>30}", repr(context), str(context)):
        assert "hunter2" not in text
    assert "[REDACTED]" in repr(context)


def test_a_secret_without_a_value_is_told_with_the_ways_to_give_one() -> None:
    """In a test that is the fixture's argument: the environment is for commands."""
    with pytest.raises(chains.MissingDependencyError) as raised:
        Secrets.given({}, frozenset({"token"}))["token"]
    assert '`secrets={"token": "…"}`' in str(raised.value)
    assert "`chainctl secret set token`" in str(raised.value)


def test_secrets_cannot_be_listed() -> None:
    """Secrets are asked for by name; there is no way to go through all of them."""
    secrets = Secrets.given({"token": "hunter2"})
    for listing in (list, len, dict, lambda s: list(s.items())):
        with pytest.raises(TypeError, match="ask for one by name"):
            listing(secrets)


def test_only_declared_secrets_are_visible() -> None:
    """A secret that the chainlet does not declare is refused with the line to write."""
    secrets = Secrets.given({"a": "1", "b": "2"}, frozenset(["a", "c"]))
    assert secrets["a"] == "1"
    assert "a" in secrets
    assert "b" not in secrets
    with pytest.raises(chains.MissingDependencyError, match="`b` is not declared") as caught:
        secrets["b"]
    assert 'secret_keys=["b"]' in caught.value.hint


def test_secret_without_a_value() -> None:
    """A declared secret without a value says where to put one; `get` gives the default."""
    secrets = Secrets.given({"a": "1"}, frozenset(["a", "c"]))
    with pytest.raises(chains.MissingDependencyError, match="`c` has no value") as caught:
        secrets["c"]
    assert "CHAINCTL_SECRET_c" in caught.value.hint
    assert secrets.get("a") == "1"
    assert secrets.get("c") is None
    assert secrets.get("c", "default") == "default"
    with pytest.raises(chains.MissingDependencyError, match="`b` is not declared"):
        secrets.get("b", "default")


def test_secrets_in_a_directory(tmp_path: Path) -> None:
    """One file is one secret, read when it is asked for; the files of others stay unseen."""
    secrets = Secrets.in_directory(tmp_path, frozenset(["token"]))
    assert "token" not in secrets
    (tmp_path / "token").write_text("later")
    (tmp_path / "other").write_text("hidden")
    assert secrets["token"] == "later"
    with pytest.raises(chains.MissingDependencyError, match="not declared"):
        secrets["other"]


def test_given_secrets_are_a_copy() -> None:
    """What the caller changes later does not change a chainlet's secrets."""
    values = {"a": "1"}
    secrets = Secrets.given(values)
    values["a"] = "2"
    assert secrets["a"] == "1"


def test_context_finds_services() -> None:
    """A context knows the services of the chainlet's dependencies, and no others."""
    service = chains.DeployedServiceDescriptor(name="Dep", display_name="dep", predict_url="http://a/b")
    context = chains.DeploymentContext(chainlet_to_service={"Dep": service}, secrets={})
    assert context.get_service_descriptor("Dep") is service
    assert (context.data_dir, context.environment) == (None, None)
    with pytest.raises(chains.MissingDependencyError, match="`Other`"):
        context.get_service_descriptor("Other")


def test_internal_address_comes_first() -> None:
    """A service is called at its internal address where it has one; without any it cannot be called."""
    make: Any = chains.DeployedServiceDescriptor
    both = make(name="Dep", display_name="dep", predict_url="http://out", internal_url="http://in")
    assert both.url == "http://in"
    with pytest.raises(chains.MissingDependencyError, match="`dep`"):
        _ = make(name="Dep", display_name="dep").url


def test_api_key_is_a_secret() -> None:
    """The key for services outside is the secret of that name; without it there is an error that names it."""
    context = chains.DeploymentContext(chainlet_to_service={}, secrets={"baseten_chain_api_key": "key"})
    assert context.get_baseten_api_key() == "key"
    with pytest.raises(chains.MissingDependencyError, match="baseten_chain_api_key"):
        chains.DeploymentContext(chainlet_to_service={}, secrets={}).get_baseten_api_key()
