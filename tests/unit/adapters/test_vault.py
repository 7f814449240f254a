"""Secrets are looked up in a fixed order, named when they are missing, and never shown."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainctl.adapters.vault import SecretSources, Vault
from chainctl.deploy.release import SecretRef
from chainctl.errors import ExitCode, MissingSecretError, UsageError
from tests.fakes.chains import chainlet, graph_of, release_of

SECRET = "hunter2-hunter2"


def sources(
    tmp_path: Path, environ: Mapping[str, str] | None = None, *, file: str | None = None, **files: str
) -> SecretSources:
    """The three places."""
    directory = tmp_path / "secrets"
    directory.mkdir(exist_ok=True)
    for name, text in files.items():
        (directory / name).write_text(text)
    path = tmp_path / "secrets.env" if file is not None else None
    if path is not None and file is not None:
        path.write_text(file)
    return SecretSources(environ or {}, path, directory)


def vault(values: Mapping[str, str]) -> Vault:
    """A vault of environment variables, with one token a chain."""
    environ = {f"CHAINCTL_SECRET_{name}": value for name, value in values.items()}
    return Vault(SecretSources(environ, None, Path("/nowhere")), lambda chain: f"token-of-{chain}")


def test_the_environment_goes_before_the_file_before_the_directory(tmp_path: Path) -> None:
    """Each place is asked only when those before it have nothing."""
    environ = {"CHAINCTL_SECRET_A": "environ"}
    found = sources(tmp_path, environ, file="A=file\nB=file\n", A="directory", B="directory", C="directory")
    assert [found.find(name) for name in "ABCD"] == [b"environ", b"file", b"directory", None]


def test_what_a_program_gives_goes_before_all_of_them() -> None:
    """As it is, white space and quotes too; the place of it is told."""
    found = SecretSources({"CHAINCTL_SECRET_A": "environ"}, None, Path("/nowhere"), {"A": ' "a\n'})
    assert found.find("A") == b' "a\n'
    assert found.place_of("A") == "the program that runs it"


@pytest.mark.parametrize("name", ["hf-token", "hf.token", "hf_token", "HF_TOKEN"])
def test_a_variable_may_be_written_as_shells_allow(name: str, tmp_path: Path) -> None:
    """In capitals, with underscores for what a shell cannot name; the exact name wins."""
    environ = {"CHAINCTL_SECRET_HF_TOKEN": "shell"}
    assert sources(tmp_path, environ).find(name) == b"shell"
    exact = {**environ, f"CHAINCTL_SECRET_{name}": "exact"}
    assert sources(tmp_path, exact).find(name) == b"exact"


def test_the_file_is_read_line_by_line(tmp_path: Path) -> None:
    """Quotes, `export`, comments, white space, equals signs in values."""
    text = (
        "# a comment\n  # an indented one with A=wrong\n\n"
        "A=plain\nexport B=exported\nexport  C = spaced \n"
        "D='single  '\nE=\"double #no comment\"\nF=a=b=\n"
        'G="\nH=\'x"\nI=\nno equals sign\nJ=one\u2028line\r\n'
    )
    found = sources(tmp_path, file=text)
    expected = {
        "A": "plain", "B": "exported", "C": "spaced", "D": "single  ", "E": "double #no comment", "F": "a=b=",
        "G": '"', "H": "'x\"", "I": "", "J": "one\u2028line",
    }  # fmt: skip
    assert {name: found.find(name) for name in expected} == {n: v.encode() for n, v in expected.items()}
    assert found.find("no equals sign") is None


def test_a_later_line_wins(tmp_path: Path) -> None:
    """As in a shell."""
    assert sources(tmp_path, file="A=1\nA=2\n").find("A") == b"2"


def test_files_of_the_directory_are_values_byte_for_byte(tmp_path: Path) -> None:
    """Also when they are no text; a directory is no secret."""
    found = sources(tmp_path, A="value\n")
    (tmp_path / "secrets" / "KEY").write_bytes(b"\xff\x00")
    (tmp_path / "secrets" / "sub").mkdir()
    assert (found.find("A"), found.find("KEY"), found.find("sub")) == (b"value\n", b"\xff\x00", None)


def test_a_variable_may_hold_any_bytes(tmp_path: Path) -> None:
    """As the system gives them."""
    assert sources(tmp_path, {"CHAINCTL_SECRET_A": os.fsdecode(b"\xff!")}).find("A") == b"\xff!"


def test_a_secrets_file_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    """It was named by the user."""
    with pytest.raises(UsageError, match="cannot be read: No such file") as raised:
        SecretSources({}, tmp_path / "gone.env", tmp_path).find("A")
    assert raised.value.exit_code is ExitCode.USAGE


def test_a_secrets_file_that_is_no_text_is_not_shown(tmp_path: Path) -> None:
    """Neither the message nor the chain of errors has its content."""
    path = tmp_path / "secrets.env"
    path.write_bytes(SECRET.encode() + b"\xff")
    with pytest.raises(UsageError, match="no UTF-8 text") as raised:
        SecretSources({}, path, tmp_path).find("A")
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__
    assert SECRET not in str(raised.value)


def test_all_missing_secrets_come_with_their_chainlets() -> None:
    """In one error, with how to give them."""
    with pytest.raises(MissingSecretError) as raised:
        vault({"A": "1"}).fingerprints("shop", {"A": ["One"], "B": ["One", "Two"], "C": ["the front door"]})
    error = raised.value
    assert error.message == "2 secrets have no value: `B`, `C`"
    assert error.details == ("B: declared by One, Two", "C: declared by the front door")
    assert "CHAINCTL_SECRET_B" in error.hint
    with pytest.raises(MissingSecretError, match="1 secret has no value: `B`"):
        vault({}).fingerprints("shop", {"B": ["One"]})


def test_an_empty_value_is_a_value() -> None:
    """It was set on purpose."""
    assert vault({"A": ""}).value(SecretRef("A", "")) == b""
    assert vault({"A": ""}).fingerprints("shop", {"A": []})["A"]


def test_required_secrets_are_all_named_and_leave_no_token() -> None:
    """Who only builds needs the values, not their fingerprints."""

    def refuse(chain: str) -> str:
        raise AssertionError(chain)

    held = Vault(SecretSources({"CHAINCTL_SECRET_A": ""}, None, Path("/nowhere")), refuse)
    held.require({"A": ["the build of Leaf"]})
    with pytest.raises(MissingSecretError) as raised:
        held.require({"A": [], "B": ["the build of Leaf"], "C": ["the build of Root"]})
    assert raised.value.details == ("B: declared by the build of Leaf", "C: declared by the build of Root")


def test_no_token_is_made_where_there_is_no_secret() -> None:
    """Asking for nothing leaves no trace."""

    def refuse(chain: str) -> str:
        raise AssertionError(chain)

    assert Vault(SecretSources({}, None, Path("/nowhere")), refuse).fingerprints("shop", {}) == {}


VALUES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(["K", "L"]), VALUES), unique=True, max_size=6
    )
)
def test_fingerprints_differ_by_chain_name_and_value(given_values: list[tuple[str, str, str]]) -> None:
    """A rotation is a change, and equal values cannot be told from outside."""
    prints = [
        vault({name: value}).fingerprints(chain, {name: []})[name] for chain, name, value in given_values
    ]
    assert len(set(prints)) == len(prints)
    assert all(len(p) == 16 and set(p) <= set("0123456789abcdef") for p in prints)


def test_no_print_shows_a_value(tmp_path: Path) -> None:
    """Not the vault, not its places, not a release that was made with it."""
    places = sources(tmp_path, {"CHAINCTL_SECRET_KEY": SECRET}, file=f"B={SECRET}\n")
    held = Vault(places, lambda _: SECRET)
    prints = held.fingerprints("shop", {"KEY": ["Leaf"], "B": []})
    graph = graph_of({"Leaf": []}, specs=[chainlet("Leaf", config={"assets": {"secret_keys": ["KEY"]}})])
    release = release_of(graph, fingerprints=prints)
    shown = f"{held!r} {held} {places!r} {places} {prints} {release!r}"
    assert SECRET not in shown
    assert SECRET.encode().hex() not in shown
