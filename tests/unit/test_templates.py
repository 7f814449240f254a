"""Templates are found, filled and nothing is left open in them."""

from __future__ import annotations

import ast
import json
import sys

import jinja2
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from chainctl.build.base import Base
from chainctl.templates import page, render, template_root, yaml_block, yaml_scalar
from tests.unit.build.dockerfile_reader import words

SHIM = {
    "truss_config": None,
    "chain": "shop",
    "chainlet": "Leaf",
    "module": "chain",
    "qualname": "Outer.Leaf",
    "debug_logs": False,
    "ping_interval_sec": None,
    "ping_timeout_sec": None,
}


def test_templates_are_in_the_checkout() -> None:
    """The root has the ones that a build needs."""
    assert {"Dockerfile.j2", "shim.py.j2"} <= {path.name for path in template_root().iterdir()}


def test_a_missing_value_is_an_error() -> None:
    """Not an empty string in a Dockerfile."""
    with pytest.raises(jinja2.UndefinedError, match="base"):
        render("Dockerfile.j2", {})


def test_an_unknown_template_is_an_error() -> None:
    """Named."""
    with pytest.raises(jinja2.TemplateNotFound, match=r"nothing\.j2"):
        render("nothing.j2", {})


def test_an_unknown_page_is_none() -> None:
    """And so is a directory."""
    assert page("errors/NOTHING.md") is None
    assert page("errors") is None


@settings(deadline=None, max_examples=50)
@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_values_of_a_shim_are_python_literals(text: str) -> None:
    """Whatever is in a name, `serve` gets it as it is."""
    tree = ast.parse(render("shim.py.j2", SHIM | {"module": text, "qualname": text}))
    literals = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    assert literals.count(text) >= 2


def test_a_rendered_text_ends_with_one_line_break() -> None:
    """As text files do."""
    text = render("shim.py.j2", SHIM)
    assert text.endswith(")\n")
    assert not text.endswith("\n\n")


@settings(deadline=None, max_examples=50)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\0"), max_size=20))
def test_a_label_is_read_back_as_it_was(text: str) -> None:
    """Quotes, dollars and backslashes are escaped for Docker."""
    values = {
        "base": Base("x"), "is_locked": False,
        "certificates": (), "apt_requirements": [], "python": "python3", "requirement_files": [],
        "build_commands": [], "build_secrets": [], "index_credentials": "", "apt_mirror": "",
        "uid": 1, "port": 2, "has_packages": False, "has_data": False,
        "data_links": [], "truss_links": [], "has_code": True, "env": [],
        "chain": text, "chainlet": "Leaf",
    }  # fmt: skip
    lines = render("Dockerfile.j2", values).split("\n")
    label = next(line for line in lines if line.startswith("LABEL "))
    assert words(label.removeprefix("LABEL ")) == [f"chainctl.chain={text}", "chainctl.chainlet=Leaf"]
    entrypoint = next(line for line in lines if line.startswith("ENTRYPOINT "))
    assert json.loads(entrypoint.removeprefix("ENTRYPOINT ")) == ["python3", "/app/shim.py"]


def test_what_installs_packages_is_python_of_the_oldest_kind() -> None:
    """It runs in the image, with the standard library alone; values are literals in it."""
    links = ("https://x.example/it's",)
    text = render("install.py.j2", {"indexes": ('https://x.example/"a"',), "find_links": links})
    tree = ast.parse(text, feature_version=(3, 9))
    literals = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    assert literals.count('https://x.example/"a"') == literals.count(links[0]) == 1
    imported = [name.name for node in tree.body if isinstance(node, ast.Import) for name in node.names]
    assert set(imported) < sys.stdlib_module_names


@given(st.one_of(st.text(st.characters(exclude_categories=["Cs"])), st.integers(), st.booleans()))
def test_a_scalar_of_yaml_is_what_it_was(value: object) -> None:
    """Whatever a text looks like: a number, a truth, a key, a comment."""
    assert yaml.safe_load(f"a:\n  - {yaml_scalar(value)}\n") == {"a": [value]}


@pytest.mark.parametrize(
    "text", ["yes", "No", "on", "null", "~", "1e3", "0x1", "2020-01-01", "", " a", "a: b"]
)
def test_a_text_is_no_other_kind_of_value(text: str) -> None:
    """YAML 1.1 takes many words for something else."""
    assert yaml.safe_load(yaml_scalar(text)) == text


@pytest.mark.parametrize("value", [None, 1.5, ["a"]])
def test_what_is_no_scalar_is_refused(value: object) -> None:
    """Instead of being written as Python says it."""
    with pytest.raises(TypeError, match="is no scalar"):
        yaml_scalar(value)


@given(st.text(st.sampled_from("ab \n\t:#'\"%é\r")))
def test_a_block_of_yaml_is_what_it_was(text: str) -> None:
    """Readable where that is possible, and always the same text."""
    assert yaml.safe_load(f"a:\n  b: {yaml_block(text, 4)}\n  c: 1\n") == {"a": {"b": text, "c": 1}}
