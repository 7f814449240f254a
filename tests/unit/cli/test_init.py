"""Projects that `chainctl init` writes: complete, working as they are, and never over something else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from chainctl.errors import ChainctlError, UsageError
from chainctl.templates import template_root
from chainctl.workflows.init import chain_name_of, init_project, next_commands, rendered_files, template_named
from chainctl.workflows.init_templates import TEMPLATES
from tests.conftest import Chainctl

FILES = {
    ".chainctlignore",
    ".github/workflows/chain.yml",
    "README.md",
    "chain.py",
    "pyproject.toml",
    "tests/test_chain.py",
}


@pytest.fixture
def here(chainctl: Chainctl, tmp_path: Path) -> Chainctl:
    """The command, run in an empty directory."""
    return replace(chainctl, directory=tmp_path)


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_project_works_as_it_is(here: Chainctl, name: str) -> None:
    """What was written passes the check, its own tests and ruff, before anybody edits it."""
    here("init", "my app", "--template", name)
    project = here.directory / "my app"
    assert "my-app" in here("check", "my app/chain.py").stdout
    for tool in (["pytest", "-q", "-W", "error"], ["ruff", "check", "--no-cache", "."]):
        done = run_python(project, *tool)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_project_is_formatted(tmp_path: Path, name: str) -> None:
    """Templates are written as ruff would write them, however long the chain's name is."""
    for directory in ("a", "a-very-long-name-of-a-directory-for-a-chain"):
        init_project(name, tmp_path / directory)
    done = run_python(tmp_path, "ruff", "format", "--no-cache", "--check", ".")
    assert done.returncode == 0, done.stdout


def test_the_first_try_answers(here: Chainctl) -> None:
    """The command that is suggested for the default template is one that works."""
    here("init", ".")
    done = here("run-local", "chain.py", "--input", '{"names": ["Ada", "Grace"]}')
    assert done.stdout == "Hello, Ada\nHello, Grace\n"


def run_python(directory: Path, *module: str) -> subprocess.CompletedProcess[str]:
    """Run a module in a project, as its owner would."""
    environ = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    command = [sys.executable, "-m", *module]
    return subprocess.run(command, cwd=directory, env=environ, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_project_has_the_same_core(name: str) -> None:
    """Chain, test, workflow, README and ignore rules are there, and nothing is left unrendered."""
    files = rendered_files(template_named(name), "shop")
    assert set(files) >= FILES
    assert list(files) == sorted(files)
    assert '@chains.mark_entrypoint("shop")' in files["chain.py"]
    left = [path for path, text in files.items() if "{%" in text or "{{" in text.replace("${{", "")]
    assert left == []


def test_every_template_file_is_used() -> None:
    """No file of the tree is forgotten in the table."""
    root = template_root()
    sources = {source for template in TEMPLATES.values() for source in template.sources.values()}
    assert sources == {str(p.relative_to(root)) for p in (root / "init").rglob("*") if p.is_file()}


def test_the_workflow_pushes_only_when_switched_on() -> None:
    """The push waits for a repository variable, and gets its secrets from the repository."""
    text = rendered_files(template_named("pipeline"), "shop")[".github/workflows/chain.yml"]
    assert "if: github.ref == 'refs/heads/main' && vars.CHAINCTL_PUSH == 'true'" in text
    assert "      CHAINCTL_SECRET_pseudonym_key: ${{ secrets.PSEUDONYM_KEY }}\n" in text
    for command in ("run: chainctl check chain.py", "run: pytest", "run: chainctl push chain.py"):
        assert text.count(f"- {command}") == 1


def test_what_was_written_is_the_result(here: Chainctl) -> None:
    """Files on stdout, one a line; the two commands to go on with on stderr."""
    done = here("init", "shop")
    assert set(done.stdout.splitlines()) == {f"shop/{name}" for name in FILES}
    assert done.stderr.splitlines()[-2:] == [
        """  chainctl run-local shop/chain.py --input '{"names": ["Ada", "Grace"]}'""",
        "  chainctl push shop/chain.py",
    ]


def test_json_tells_the_same(here: Chainctl) -> None:
    """Programs get chain, template, files and next commands."""
    value = json.loads(here("init", "shop", "--template", "stub", "--json").stdout)
    assert (value["format_version"], value["chain"], value["template"]) == (1, "shop", "stub")
    assert set(value["files"]) == {f"shop/{name}" for name in FILES}
    assert value["next"] == ["chainctl check shop/chain.py", "chainctl push shop/chain.py"]


def test_templates_are_listed(here: Chainctl) -> None:
    """One line each; nothing is written."""
    assert [line.split()[0] for line in here("init", "--list").stdout.splitlines()] == list(TEMPLATES)
    listed = json.loads(here("init", "--list", "--json").stdout)["templates"]
    assert [template["name"] for template in listed] == list(TEMPLATES)
    assert list(here.directory.iterdir()) == []


def test_nothing_is_overwritten(here: Chainctl) -> None:
    """All files in the way are named at once, and not one file is written."""
    (here.directory / "tests").mkdir()
    for name in ("chain.py", "tests/test_chain.py"):
        (here.directory / name).write_text("mine\n")
    done = here("init", expect=2)
    assert done.stdout == ""
    assert "2 of the files to write exist already" in done.stderr
    assert "  chain.py\n  tests/test_chain.py\n" in done.stderr
    assert not (here.directory / "README.md").exists()
    assert (here.directory / "chain.py").read_text() == "mine\n"


def test_a_dangling_link_and_a_file_for_a_directory_are_in_the_way(tmp_path: Path) -> None:
    """What could not be written to, or would be written through, counts as being there."""
    (tmp_path / "README.md").symlink_to(tmp_path / "nowhere")
    (tmp_path / "tests").write_text("")
    with pytest.raises(UsageError) as caught:
        init_project("hello", tmp_path)
    assert caught.value.details == (str(tmp_path / "README.md"), str(tmp_path / "tests"))
    assert not (tmp_path / "chain.py").exists()


def test_a_directory_that_cannot_be_written_is_no_crash() -> None:
    """The system's reason is given."""
    with pytest.raises(ChainctlError, match="cannot be written"):
        init_project("hello", Path("/proc/chainctl"))


@pytest.mark.parametrize(
    ("directory", "name"),
    [("shop", "shop"), ("My Shop_2", "my-shop-2"), ("…", "chain"), ("x" * 50, "x" * 40), ("/", "chain")],
)
def test_the_name_comes_from_the_directory(directory: str, name: str) -> None:
    """It is made into what names of images and hosts allow."""
    assert chain_name_of(Path("/tmp", directory)) == name


def test_an_unknown_template_is_a_usage_error(here: Chainctl) -> None:
    """With the one that was meant, or all that there are."""
    assert "did you mean `hello`?" in here("init", "-t", "helo", expect=2).stderr
    with pytest.raises(UsageError, match="no template called zzz") as caught:
        template_named("zzz")
    assert caught.value.hint == "use one of hello, pipeline, stub."


def test_suggested_commands_survive_the_shell() -> None:
    """A path with a blank is quoted."""
    _, push = next_commands(template_named("hello"), Path("my app/chain.py"))
    assert push == "chainctl push 'my app/chain.py'"
