"""README, pages and examples: what their blocks say is what the code does."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

import chainctl as sdk
from chainctl.cli.settings import Settings
from chainctl.cli.target_tables import named_targets
from chainctl.graph.chain_file import ChainFile
from chainctl.graph.load import load
from chainctl.truss import chains as truss_chains
from tests.docs.blocks import (
    PAGES,
    ROOT,
    Block,
    all_blocks,
    chainctl_calls,
    exchanges_of,
    prose_of,
)
from tests.docs.cli_help import options_of, verbs

Run = Callable[..., "CompletedProcess[str]"]


def of_blocks(blocks: list[Block]) -> pytest.MarkDecorator:
    """Run a test once for each block."""
    return pytest.mark.parametrize("block", blocks, ids=lambda block: block.place)


@of_blocks(all_blocks("python"))
def test_python_compiles_and_uses_names_that_exist(block: Block) -> None:
    """Every Python block compiles, and every name of the SDK in it exists."""
    tree = ast.parse(block.text, block.place)
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "chains"
    }
    used -= {"run_remote", "url"}  # of a variable
    theirs = truss_chains.__all__ if "import truss_chains" in block.text else ()
    assert used <= {*sdk.__all__, *theirs, "push"}


@of_blocks(all_blocks("python", "chain"))
def test_chains_have_no_problems(block: Block, tmp_path: Path) -> None:
    """Every block that is a whole chain file loads in the child interpreter, without a warning."""
    file = tmp_path / "documented_chain.py"
    file.write_text(block.text, encoding="utf-8")
    assert load(ChainFile.parse(str(file)), environ=os.environ).warnings == ()


@of_blocks(all_blocks("python", "run"))
def test_scripts_run(block: Block, tmp_path: Path) -> None:
    """Every block that is a script ends without an error."""
    file = tmp_path / "documented_script.py"
    file.write_text(block.text, encoding="utf-8")
    done = subprocess.run([sys.executable, str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@of_blocks(all_blocks("console", "run"))
def test_consoles_print_what_they_say(block: Block, chainctl: Run) -> None:
    """Every command of a console block ends with 0 and prints the lines below it."""
    for exchange in exchanges_of(block):
        name, *arguments = shlex.split(exchange.command)
        assert name == "chainctl"
        printed = chainctl(*arguments).stdout.rstrip("\n").split("\n")
        assert [_matches(*pair) for pair in zip(exchange.output, printed, strict=True)]


def _matches(said: str, printed: str) -> bool:
    pattern = ".*".join(re.escape(part) for part in said.split("..."))
    assert said == printed or re.fullmatch(pattern, printed), f"{printed!r} is not {said!r}"
    return True


@of_blocks([*all_blocks("sh"), *all_blocks("console")])
def test_commands_exist(block: Block) -> None:
    """Every chainctl that a shell block calls has a verb and options that the help lists."""
    is_console = block.language == "console"
    script = "\n".join(s.command for s in exchanges_of(block)) if is_console else block.text
    for words in chainctl_calls(script):
        verb = next((word for word in words if not word.startswith("-")), "")
        assert verb in ("", *verbs()), f"{block.place}: there is no verb {verb}"
        words = words[: words.index("--")] if "--" in words else words  # what follows is another program's
        used = {word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)}
        assert used <= options_of(verb), f"{block.place}: {verb} has no {used - options_of(verb)}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_in_prose_exist(page: Path) -> None:
    """Every `chainctl VERB …` in running text has a verb and options that exist."""
    for code in re.findall(r"`([^`\n]+)`", prose_of(page)):
        if not code.startswith("chainctl "):
            continue
        verb, *words = code.split()[1:]
        assert verb in verbs() or verb.isupper() or verb.startswith("-"), f"{page.name}: {code}"
        used = {word for word in words if word.startswith("--")}
        assert not used or used <= options_of(verb), f"{page.name}: {code}"


@of_blocks(all_blocks("json"))
def test_json_parses(block: Block) -> None:
    """Every JSON block is JSON."""
    json.loads(block.text)


@of_blocks(all_blocks("toml"))
def test_toml_holds_valid_settings(block: Block) -> None:
    """Every TOML block is TOML, and what it sets is known and valid."""
    data = tomllib.loads(block.text)
    values = data["tool"]["chainctl"] if block.mark == "pyproject" else data
    assert block.mark in ("settings", "pyproject", "lock")
    if block.mark == "lock":
        return
    environments = values.pop("environments", {})
    targets = named_targets([("block", values)])
    values.pop("targets", None)
    for table in (values, *environments.values(), *(target.values for target in targets.values())):
        given = {name: value for name, value in table.items() if name != "env"}
        assert Settings.model_validate(given).model_dump(exclude_unset=True).keys() == given.keys()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link leads to a file or directory, and to a heading of it where it names one."""
    for target in re.findall(r"\]\(([^)\s]+)\)", prose_of(page)):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{page.name} links to {target}"
        assert not anchor or anchor in _anchors(there), f"{page.name} links to {target}"


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", prose_of(page), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_prose_is_plain(page: Path) -> None:
    """Pages have no exclamation marks and no characters beyond letters, typography and arrows."""
    text = re.sub(r"`[^`\n]*`", "", prose_of(page))
    assert "!" not in text
    assert not re.search(r"[\U0001F000-\U0001FFFF\u2600-\u27BF]", text)
    assert max(map(len, prose_of(page).splitlines())) <= 250


def test_readme_links_every_page() -> None:
    """The README leads to every page of the documentation."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(f"docs/{page.name}" in readme for page in (ROOT / "docs").glob("*.md"))
