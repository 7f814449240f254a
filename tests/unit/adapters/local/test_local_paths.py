"""Where the local target keeps its files, and that nobody else can get at them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from chainctl.adapters.local.paths import LocalPaths
from chainctl.adapters.local.private_directory import checked_socket, private_directory
from chainctl.errors import EngineError


def test_the_login_has_a_place_for_sockets_and_secrets() -> None:
    """Where XDG_RUNTIME_DIR is, both live there."""
    paths = LocalPaths.of(Path("/state"), xdg_runtime_dir="/login", uid=7)
    assert paths.runtime == paths.secrets == Path("/login/chainctl")


def test_without_a_login_the_places_carry_the_user(tmp_path: Path) -> None:
    """Sockets go to the temporary directory, secrets to memory where there is some."""
    memory = tmp_path / "shm"
    paths = LocalPaths.of(
        Path("/state"), xdg_runtime_dir=None, uid=7, temporary=tmp_path, shared_memory=memory
    )
    assert paths.runtime == paths.secrets == tmp_path / "chainctl-7"
    memory.mkdir()
    paths = LocalPaths.of(
        Path("/state"), xdg_runtime_dir=None, uid=7, temporary=tmp_path, shared_memory=memory
    )
    assert paths.secrets == memory / "chainctl-7"


def test_memory_is_shared_where_there_is_some(tmp_path: Path) -> None:
    """With a login too, as that has little; a place for each chain, none where nobody may write."""
    memory = tmp_path / "shm"
    for login in ("/login", None):
        without = LocalPaths.of(Path("/state"), xdg_runtime_dir=login, uid=7, shared_memory=memory)
        assert without.run("demo").shared is None
    memory.mkdir()
    for login in ("/login", None):
        paths = LocalPaths.of(Path("/state"), xdg_runtime_dir=login, uid=7, shared_memory=memory)
        one, other = paths.run("demo").shared, paths.run("other").shared
        assert one is not None
        assert (one.parent, one == other) == (memory / "chainctl-7", False)


def test_two_state_directories_do_not_share_a_chain() -> None:
    """The same chain name in two projects is two runs."""
    one = LocalPaths.of(Path("/one"), xdg_runtime_dir="/login", uid=7).run("demo")
    two = LocalPaths.of(Path("/two"), xdg_runtime_dir="/login", uid=7).run("demo")
    assert one.runtime != two.runtime
    assert one.socket_of("demo-a-12345678") != two.socket_of("demo-a-12345678")


def test_no_chain_name_leaves_the_state_directory() -> None:
    """Dots and slashes in a name do not become a path."""
    run = LocalPaths.of(Path("/one"), xdg_runtime_dir="/login", uid=7).run("../../etc")
    assert run.state.parent == Path("/one/chains")


def test_sockets_of_long_names_are_short() -> None:
    """The kernel allows 108 bytes; a service's name may have 63."""
    run = LocalPaths.of(Path("/s"), xdg_runtime_dir="/run/user/4294967295", uid=7).run("c" * 200)
    assert len(str(run.socket_of("s" * 63))) < 80
    assert len(str(run.control)) < 80


def test_a_socket_path_that_is_too_long_is_refused() -> None:
    """The error names the way out."""
    with pytest.raises(EngineError, match="too long") as caught:
        checked_socket(Path("/" + "d" * 120))
    assert "XDG_RUNTIME_DIR" in caught.value.hint


def test_a_private_directory_is_made_and_found_again(tmp_path: Path) -> None:
    """It is open to its owner only."""
    place = private_directory(tmp_path / "own")
    assert private_directory(place).stat().st_mode & 0o777 == 0o700


def test_a_directory_prepared_by_somebody_else_is_refused(tmp_path: Path) -> None:
    """A symlink, a file or an open directory at our place may be an attack."""
    (tmp_path / "target").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "target")
    (tmp_path / "file").touch()
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o755)
    for name in ("link", "file", "open"):
        with pytest.raises(EngineError, match="runtime directory"):
            private_directory(tmp_path / name)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_directory_of_another_user_is_refused(tmp_path: Path) -> None:
    """Even when its mode is right."""
    place = tmp_path / "theirs"
    place.mkdir(mode=0o700)
    os.chown(place, 12345, 12345)
    with pytest.raises(EngineError, match="belongs to another user"):
        private_directory(place)
