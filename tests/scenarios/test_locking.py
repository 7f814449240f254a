"""Locks as a user meets them: written, kept, checked, refused, by the command itself."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import ROOT, Chainctl, fresh_environ
from tests.fakes.index import PASSWORD, Index, serving

CHAIN = """\
import chainctl as chains


class Leaf(chains.ChainletBase):
    remote_config = chains.RemoteConfig(
        docker_image=chains.DockerImage(pip_requirements=["alpha"])
    )

    def run_remote(self) -> int:
        return 1


@chains.mark_entrypoint
class Root(chains.ChainletBase):
    def __init__(self, leaf: Leaf = chains.depends(Leaf)) -> None:
        self._leaf = leaf

    def run_remote(self) -> int:
        return 1
"""


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    """An index on loopback, with the runtime and `alpha`."""
    (tmp_path / "index").mkdir()
    with serving(tmp_path / "index") as served:
        served.add_runtime()
        served.add("alpha", "1.0")
        yield served


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A directory with a chain file."""
    directory = tmp_path / "project"
    directory.mkdir()
    (directory / "chain.py").write_text(CHAIN)
    return directory


@pytest.fixture
def chainctl(tmp_path: Path, index: Index) -> Chainctl:
    """The command with that index, and an engine that does not answer."""
    own = {
        "CHAINCTL_INDEX_URL": index.url,
        "DOCKER_HOST": f"unix://{tmp_path}/no.sock",
        "UV_CACHE_DIR": str(tmp_path / "cache"),
        "UV_HTTP_RETRIES": "0",
    }
    return Chainctl({**fresh_environ(tmp_path), **own}, ROOT)


def with_environ(chainctl: Chainctl, **variables: str) -> Chainctl:
    return replace(chainctl, environ={**chainctl.environ, **variables})


def test_a_chain_is_locked_and_stays_so(chainctl: Chainctl, project: Path, index: Index) -> None:
    """The second time nobody is asked, also when there are newer versions."""
    file = str(project / "chain.py")
    done = chainctl("lock", file)
    assert "+ Leaf: alpha 1.0" in done.stdout
    assert done.stdout.endswith("chainctl.lock: 2 chainlets, 2 environments, 15 packages, 0 base images\n")
    written = (project / "chainctl.lock").read_bytes()
    assert str(project).encode() not in written
    index.add("alpha", "2.0")
    index.asked.clear()
    again = chainctl("lock", file, "--json")
    assert json.loads(again.stdout)["changed"] is False
    assert (index.asked, (project / "chainctl.lock").read_bytes()) == ([], written)
    upgraded = chainctl("lock", file, "--upgrade-package", "alpha")
    assert upgraded.stdout.startswith("~ Leaf: alpha 1.0 -> 2.0\n")
    refused = chainctl("lock", file, "--upgrade-package", "alfa", expect=2)
    assert "the lock has no package called alfa" in refused.stderr


def test_check_and_ci_refuse_to_change(chainctl: Chainctl, project: Path) -> None:
    """They say what is stale, and the lock stays as it was."""
    file = project / "chain.py"
    chainctl("lock", str(file))
    before = (project / "chainctl.lock").read_bytes()
    file.write_text(CHAIN.replace('["alpha"]', '["alpha", "beta"]'))
    checked = chainctl("lock", str(file), "--check", expect=4)
    assert "error[CH0808]: `Leaf` asks for other packages than were locked: beta is new" in checked.stderr
    in_ci = with_environ(chainctl, CI="true")
    rendered = in_ci("render", str(file), "-o", str(project / "out"), expect=4)
    assert "error[CH0808]" in rendered.stderr
    assert (project / "chainctl.lock").read_bytes() == before
    assert not (project / "out").exists()


def test_render_locks_what_is_missing(chainctl: Chainctl, project: Path) -> None:
    """It says so."""
    done = chainctl("render", str(project / "chain.py"), "-o", str(project / "out"))
    assert "Locked Leaf, Root in chainctl.lock" in done.stderr
    assert (project / "chainctl.lock").is_file()


def test_local_processes_lock_nothing(chainctl: Chainctl, project: Path) -> None:
    """They run in the environment of the command."""
    (project / "chain.py").write_text(CHAIN.replace('["alpha"]', "[]"))
    chainctl("plan", str(project / "chain.py"), "--target", "local")
    assert not (project / "chainctl.lock").exists()


def test_a_conflict_shows_both_lines(chainctl: Chainctl, project: Path) -> None:
    """The user's with its source, ours as ours; no lock is written."""
    file = project / "chain.py"
    file.write_text(CHAIN.replace('["alpha"]', '["pydantic<2"]'))
    done = chainctl("lock", str(file), expect=4)
    assert "error[CH0801]: `Leaf`: `pydantic<2` and `pydantic<3,>=2.9` cannot be" in done.stderr.replace(
        "`pydantic>=2.9,<3`", "`pydantic<3,>=2.9`"
    )
    assert "chain.py:6" in done.stderr
    assert "chainctl asks for `pydantic>=2.9,<3`, for its runtime in the image" in done.stderr
    assert not (project / "chainctl.lock").exists()


def test_a_damaged_lock_is_refused(chainctl: Chainctl, project: Path) -> None:
    """Edited by hand, or half merged; with the way out."""
    file, lock = project / "chain.py", project / "chainctl.lock"
    chainctl("lock", str(file))
    lock.write_text(lock.read_text().replace("alpha==1.0", "alpha==1.1"))
    done = chainctl("lock", str(file), expect=4)
    assert "error[CH0807]: the lock was changed by hand: `environments.Leaf`" in done.stderr
    assert "alpha==1.1" in lock.read_text()


def test_a_private_index_takes_its_credentials_from_a_secret(
    chainctl: Chainctl, project: Path, index: Index
) -> None:
    """Without a value, with a wrong one, with the right one, which ends up nowhere."""
    file = str(project / "chain.py")
    private = with_environ(
        chainctl, CHAINCTL_INDEX_URL=index.private_url, CHAINCTL_INDEX_CREDENTIALS_SECRET="netrc"
    )
    assert "the secret `netrc`" in private("lock", file, expect=2).stderr
    no_netrc = with_environ(private, CHAINCTL_SECRET_netrc="reader:wrong-word")
    refused = no_netrc("lock", file, expect=2)
    assert "the secret `netrc` with the credentials of the package indexes is no netrc text" in refused.stderr
    assert "wrong-word" not in refused.stderr
    wrong = with_environ(private, CHAINCTL_SECRET_netrc="machine 127.0.0.1 login reader password wrong-word")
    refused = wrong("lock", file, expect=4)
    assert "error[CH0805]" in refused.stderr
    assert "wrong-word" not in refused.stderr
    right = with_environ(private, CHAINCTL_SECRET_netrc=index.netrc)
    done = right("lock", file)
    assert PASSWORD not in done.stdout + done.stderr + (project / "chainctl.lock").read_text()


def test_an_index_that_is_down_leaves_the_lock(chainctl: Chainctl, project: Path, index: Index) -> None:
    """What is locked needs no index."""
    file = project / "chain.py"
    chainctl("lock", str(file))
    before = (project / "chainctl.lock").read_bytes()
    down = with_environ(chainctl, CHAINCTL_INDEX_URL=index.broken_url)
    assert "error[CH0804]" in down("lock", str(file), expect=4).stderr
    assert (project / "chainctl.lock").read_bytes() == before


def test_a_broken_off_lock_leaves_no_file(chainctl: Chainctl, project: Path) -> None:
    """A directory that cannot be written to is an error, and leaves nothing behind."""
    (project / "chainctl.lock").mkdir()
    done = chainctl("lock", str(project / "chain.py"), expect=1)
    assert "chainctl.lock" in done.stderr
    assert sorted(path.name for path in project.iterdir() if path.name != "__pycache__") == [
        "chain.py",
        "chainctl.lock",
    ]


def test_uv_takes_what_is_locked(chainctl: Chainctl, project: Path, index: Index, tmp_path: Path) -> None:
    """An environment's requirements install with hashes checked."""
    from chainctl.adapters.lock_file import LockFile
    from chainctl.adapters.uv.compile import uv_program

    chainctl("lock", str(project / "chain.py"))
    lock = LockFile.beside(project / "chain.py", "Root").read()
    (tmp_path / "locked.txt").write_text(lock.environment_of("Leaf").requirements_text)
    command = [
        uv_program(), "pip", "install", "--target", str(tmp_path / "installed"), "--require-hashes", "--no-deps",
        "--default-index", index.url, "-r", str(tmp_path / "locked.txt"),
    ]  # fmt: skip
    subprocess.run(command, check=True, env=dict(chainctl.environ), capture_output=True)
    assert (tmp_path / "installed" / "alpha").is_dir()
