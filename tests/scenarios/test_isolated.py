"""`run-local --fidelity isolated`: what is not asked for fails here, as it does when deployed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import Chainctl
from tests.scenarios.local_run import asked, free_port, local_run

CHAIN = """\
import chainctl as chains


class Camel(chains.ChainletBase):
    remote_config = chains.RemoteConfig(
        docker_image=chains.DockerImage(pip_requirements=["inflection==0.5.1"])
    )

    def __init__(self) -> None:
        import inflection

        self._camelize = inflection.camelize

    async def run_remote(self, text: str) -> str:
        return self._camelize(text)


@chains.mark_entrypoint
class Front(chains.ChainletBase):
    def __init__(self, camel: Camel = chains.depends(Camel)) -> None:
        self._camel = camel

    async def run_remote(self, text: str) -> str:
        return await self._camel.run_remote(text)
"""
INPUT = ("--fidelity", "isolated", "--input", '{"text": "a_word"}')


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    """A chain of which one chainlet requires a package that is not installed here."""
    (tmp_path / "project").mkdir()
    file = tmp_path / "project" / "chain.py"
    file.write_text(CHAIN)
    return file


def test_each_chainlet_has_the_packages_that_it_asks_for(chainctl: Chainctl, chain: Path) -> None:
    """The package is not installed in this environment; its environment is made once, from a lock beside the file."""
    with pytest.raises(ImportError):
        __import__("inflection")
    done = chainctl("run-local", str(chain), *INPUT)
    assert done.stdout == "AWord\n"
    lock = (chain.parent / "chainctl.lock").read_text()
    assert 'requirement = "inflection==0.5.1"' in lock
    environments = Path(chainctl.environ["XDG_STATE_HOME"], "chainctl", "environments")
    made = {path: path.stat().st_mtime_ns for path in environments.glob("*/.chainctl-whole")}
    assert len(made) == 2
    offline = replace(chainctl, environ={**chainctl.environ, "UV_OFFLINE": "1"})
    assert offline("run-local", str(chain), *INPUT).stdout == "AWord\n"
    assert {path: path.stat().st_mtime_ns for path in environments.glob("*/.chainctl-whole")} == made
    assert (chain.parent / "chainctl.lock").read_text() == lock


def test_a_missing_requirement_is_named_where_it_is_imported(chainctl: Chainctl, chain: Path) -> None:
    """Module, chainlet, line, and what to add; exit code 3."""
    chain.write_text(CHAIN.replace('["inflection==0.5.1"]', "[]"))
    done = chainctl("run-local", str(chain), *INPUT, expect=3)
    assert "error[CH0602]: `Camel` imports `inflection`, and its environment has nothing" in done.stderr
    assert "chain.py:10" in done.stderr
    assert 'add "inflection" to the `pip_requirements` of `Camel`' in done.stderr


def test_a_requirement_that_a_call_misses_is_named_too(chainctl: Chainctl, chain: Path) -> None:
    """An import in `run_remote` fails when it is called."""
    text = CHAIN.replace('["inflection==0.5.1"]', "[]").replace(
        "        import inflection\n\n        self._camelize = inflection.camelize",
        "        self._camelize = lambda text: __import__('inflection').camelize(text)",
    )
    chain.write_text(text)
    done = chainctl("run-local", str(chain), *INPUT, expect=3)
    assert "error[CH0602]: `Camel` imports `inflection`" in done.stderr


def test_another_chainlets_requirement_is_not_shared(chainctl: Chainctl, chain: Path) -> None:
    """What one chainlet asks for is not there for another one, though both run on this machine."""
    text = CHAIN.replace("return await self._camel", "import inflection\n        return await self._camel")
    chain.write_text(text)
    done = chainctl("run-local", str(chain), *INPUT, expect=3)
    assert "error[CH0602]: `Front` imports `inflection`" in done.stderr


def test_a_python_that_is_not_here_is_named(chainctl: Chainctl, chain: Path) -> None:
    """The base image's Python is looked for on this machine; none is downloaded. Exit code 4."""
    text = CHAIN.replace("DockerImage(", "DockerImage(base_image=chains.BasetenImage.PY314, ")
    chain.write_text(text)
    nowhere = replace(
        chainctl,
        environ={**chainctl.environ, "PATH": "/usr/bin:/bin", "UV_PYTHON_INSTALL_DIR": "/nonexistent"},
    )
    done = nowhere("run-local", str(chain), *INPUT, expect=4)
    assert "error[CH0814]: the environment of Camel needs Python 3.14" in done.stderr
    assert "uv python install 3.14" in done.stderr


def test_a_fake_needs_none_of_the_requirements(chainctl: Chainctl, chain: Path) -> None:
    """What stands for a chainlet has an environment of its own; the lock stays that of the chain."""
    (chain.parent / "fakes.py").write_text(
        "class Quiet:\n    async def run_remote(self, text: str) -> str:\n        return '...'\n"
    )
    done = chainctl("run-local", str(chain), *INPUT, "--replace", f"Camel={chain.parent}/fakes.py:Quiet")
    assert done.stdout == "...\n"
    assert "inflection" in (chain.parent / "chainctl.lock").read_text()
    environments = Path(chainctl.environ["XDG_STATE_HOME"], "chainctl", "environments")
    assert not list(environments.rglob("inflection"))


def test_an_edit_of_the_requirements_makes_another_environment(chainctl: Chainctl, chain: Path) -> None:
    """With `--reload`, a requirement that was forgotten is added while the chain serves."""
    chain.write_text(CHAIN.replace("import inflection\n\n        self._camelize = inflection.camelize",
                                   "self._camelize = str.upper").replace('["inflection==0.5.1"]', "[]"))  # fmt: skip
    port = str(free_port())
    with local_run(chainctl, str(chain), "--fidelity", "isolated", "--reload", "--port", port) as run:
        url = run.url()
        assert asked(url, text="a_word") == "A_WORD"
        chain.write_text(CHAIN)
        run.await_said("The chain serves what was edited.")
        assert asked(url, text="a_word") == "AWord"
