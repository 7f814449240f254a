"""Tables of the documentation against the code that they describe."""

from __future__ import annotations

import enum
import inspect
import re
from pathlib import Path
from typing import Literal, get_args, get_origin

import pydantic
import pytest
from pydantic_core import PydanticUndefined

from chainctl.adapters.local.front_door import answers
from chainctl.adapters.local.front_door.answers import Refusal
from chainctl.build.differences import Circumstance
from chainctl.build.inputs import InputKind
from chainctl.cli.settings import Settings, load_settings
from chainctl.deploy.door_config import ANSWERS
from chainctl.errors import ExitCode
from chainctl.sdk import config
from chainctl.sdk.markers import depends
from tests.docs.blocks import ROOT, plain, rows_of, section_of
from tests.docs.cli_help import options_of, verbs

DOCS = ROOT / "docs"
_TYPES = {
    "str | None": "text",
    "str": "text",
    "int | None": "integer",
    "int": "integer",
    "float": "number",
    "pathlib.Path | None": "path",
    "tuple[pathlib.Path, ...]": "list of paths",
    "tuple[str, ...]": "list of texts",
    "bool": "true or false",
}
CONFIG_MODELS = [
    config.RemoteConfig,
    config.DockerImage,
    config.CustomImage,
    config.Compute,
    config.Assets,
    config.ChainletOptions,
    config.HTTPOptions,
    config.WebsocketOptions,
    config.HealthChecks,
]


def test_settings_are_all_described() -> None:
    """The table of settings has exactly the rows that the fields of Settings give."""
    page = DOCS / "settings.md"
    described = [" | ".join(row) for row in rows_of(page.read_text(encoding="utf-8"))]
    assert described == [" | ".join(setting_row(name)) for name in Settings.model_fields]


@pytest.mark.parametrize("name", Settings.model_fields)
def test_variables_set_what_they_say(name: str, tmp_path: Path) -> None:
    """The variable in a setting's row sets that setting and no other."""
    indexes = ("index_url", "extra_index_urls")
    urls = dict.fromkeys(("http_proxy", "https_proxy", "apt_mirror", *indexes), "http://127.0.0.1:1")
    values = {"target": "local", "builder": "classic", "port": "8200", "bind": "::1"}
    given = {**values, **urls, "platform": "linux/arm64", "cpu_wheels": "false", "keep_warm": "2"}.get(
        name, "7.5"
    )
    variable = plain(setting_row(name)[3])
    loaded = load_settings(tmp_path, {variable: given}, {}, tmp_path / "absent.toml")
    assert loaded.model_fields_set == {name}


def setting_row(name: str) -> list[str]:
    """Return the cells that describe a setting."""
    field = Settings.model_fields[name]
    description = (field.description or "").replace("|", "\\|")
    return [f"`{name}`", _type_words(field), _default_words(field), f"`CHAINCTL_{name.upper()}`", description]


def _type_words(field: pydantic.fields.FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(field.annotation))
    shown = field.annotation.__name__ if isinstance(field.annotation, type) else str(field.annotation)
    bounds = [
        f"{words} {getattr(bound, kind)}"
        for bound in field.metadata
        for kind, words in (("ge", "at least"), ("gt", "more than"), ("le", "at most"))
        if hasattr(bound, kind)
    ]
    return ", ".join([_TYPES[shown], *bounds])


def _default_words(field: pydantic.fields.FieldInfo) -> str:
    if field.default is None:
        return "not set"
    return "none" if field.default == () else f"`{field.default}`"


def test_exit_codes_are_all_described() -> None:
    """The table of exit codes has exactly the members of ExitCode, in their order."""
    rows = rows_of((DOCS / "exit-codes.md").read_text(encoding="utf-8"))
    assert [(int(code), plain(name)) for code, name, _ in rows] == [(c.value, c.name) for c in ExitCode]


def test_inputs_are_all_described() -> None:
    """The page on builds has exactly the kinds of inputs, in the order in which they are told."""
    section = section_of(DOCS / "rebuilds.md", "## Inputs")
    assert [plain(row[0]) for row in rows_of(section)] == [kind.value for kind in InputKind]


def test_circumstances_are_all_described() -> None:
    """And the reasons that are no difference."""
    section = section_of(DOCS / "rebuilds.md", "## What is compared")
    assert [row[0] for row in rows_of(section)] == [circumstance.value for circumstance in Circumstance]


def test_verbs_are_all_described() -> None:
    """The page of the command line has a section for each verb, in the order of the help."""
    headings = re.findall(r"^## (.+)$", (DOCS / "cli.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert headings == verbs()


@pytest.mark.parametrize("verb", verbs())
def test_options_are_all_described(verb: str) -> None:
    """A verb's section has a row for each option that its help lists, and no other."""
    section = section_of(DOCS / "cli.md", f"## {verb}")
    _, has_options, options = section.partition("| option |")
    rows = rows_of(has_options + options) if has_options else []
    described = {word for row in rows for word in re.findall(r"`(--?[a-z-]+)`", row[0])}
    assert described == options_of(verb) - {"--help", "-h"}


@pytest.mark.parametrize("verb", verbs())
def test_exit_codes_of_verbs_exist(verb: str) -> None:
    """The numbers behind "Exit codes:" are exit codes."""
    section = section_of(DOCS / "cli.md", f"## {verb}")
    for sentence in re.findall(r"Exit codes: ([^.]*)\.", section):
        assert {int(number) for number in re.findall(r"\d+", sentence)} <= {code.value for code in ExitCode}


@pytest.mark.parametrize("model", CONFIG_MODELS, ids=lambda model: model.__name__)
def test_configuration_is_all_described(model: type[pydantic.BaseModel]) -> None:
    """A configuration class has a row for each field, with its default."""
    rows = rows_of(section_of(DOCS / "chainlets.md", f"### {model.__name__}"))
    expected = [(name, _written(field.default)) for name, field in model.model_fields.items()]
    assert [(plain(row[0]), plain(row[1])) for row in rows] == expected


def test_options_of_depends_are_all_described() -> None:
    """The options of `depends` have a row each, with their defaults."""
    rows = rows_of(section_of(DOCS / "chainlets.md", "## Dependencies"))
    parameters = list(inspect.signature(depends).parameters.values())[1:]
    assert [(plain(r[0]), plain(r[1])) for r in rows] == [(p.name, repr(p.default)) for p in parameters]


def _written(value: object) -> str:
    """Return a default as somebody would write it."""
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, enum.Enum):
        return str(value)
    return f"{type(value).__name__}()" if isinstance(value, pydantic.BaseModel) else repr(value)


def test_answers_of_the_front_doors_are_all_described() -> None:
    """Every status that a front door gives by itself is in the table, with its kind."""
    rows = rows_of(section_of(DOCS / "http.md", "## Errors of the front door"))
    local = {r for r in vars(answers).values() if isinstance(r, Refusal)}
    expected = {("local", int(r.status), r.kind) for r in local}
    expected |= {("docker", status, kind) for status, kind, *_ in ANSWERS} | {("docker", 401, "unauthorized")}
    assert {(row[0], int(row[1]), plain(row[2])) for row in rows} == expected


def test_targets_of_make_are_all_described() -> None:
    """The table of make targets has each target that `make help` shows, in its order."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z-]+):.*## ", makefile, flags=re.MULTILINE)
    rows = rows_of((DOCS / "contributing.md").read_text(encoding="utf-8"))
    assert [plain(row[0]) for row in rows] == [target for target in targets if target != "help"]
