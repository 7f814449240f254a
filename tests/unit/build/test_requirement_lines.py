"""Pip requirements files, line by line, with the place of each."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainctl.build.requirement_lines import Asked, has_credentials, read_lines, read_list

HERE = "/project/requirements.txt"


def asked(text: str, **others: str) -> list[tuple[str, str, int, bool]]:
    """What a file asks for; other files are beside it."""
    lines = read_lines(HERE, {HERE: text, **{f"/project/{name}.txt": t for name, t in others.items()}})
    assert lines.problems == ()
    return [
        (one.text, one.path.removeprefix("/project/"), one.line, one.is_constraint) for one in lines.asked
    ]


def test_comments_blank_lines_and_continued_lines() -> None:
    """A line that goes on counts where it begins; a URL's fragment is no comment."""
    text = "# head\n\nnumpy  # fast\nscipy \\\n  >=1\nx @ https://host/x.whl#sha256=ab\n"
    assert asked(text) == [
        ("numpy", "requirements.txt", 3, False),
        ("scipy >=1", "requirements.txt", 4, False),
        ("x @ https://host/x.whl#sha256=ab", "requirements.txt", 6, False),
    ]


def test_included_files_and_constraints() -> None:
    """In their order; what a constraint file includes is a constraint too; circles end."""
    found = asked(
        "-r more.txt\n-c limits.txt\na\n",
        more="-r requirements.txt\nb\n",
        limits="-r deep.txt\n",
        deep="c<1\n",
    )
    assert found == [
        ("b", "more.txt", 2, False),
        ("c<1", "deep.txt", 1, True),
        ("a", "requirements.txt", 3, False),
    ]


def test_places_become_absolute() -> None:
    """Relative to the file that they stand in; a network place stays."""
    text = "-e ./mylib\n../wheels/x-1.0-py3-none-any.whl\nlib @ file:libs/lib\ngit+https://host/r.git@v1\n"
    assert [one[0] for one in asked(text)] == [
        "file:///project/mylib",
        "file:///wheels/x-1.0-py3-none-any.whl",
        "lib @ file:///project/libs/lib",
        "git+https://host/r.git@v1",
    ]


def test_options_that_say_where_and_which() -> None:
    """Indexes, pages of links, pre-releases."""
    text = "-i https://a/simple\n--extra-index-url=https://b/simple\n-f https://c/links\n--pre\n--trusted-host x\na\n"
    lines = read_lines(HERE, {HERE: text})
    assert (lines.index_url, lines.extra_index_urls) == ("https://a/simple", ("https://b/simple",))
    assert (lines.find_links, lines.prereleases, lines.has_index) == (("https://c/links",), True, True)
    assert lines.problems == ()


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("this is bad", "CH0810"),
        ("-r absent.txt", "CH0810"),
        ("-r https://host/r.txt", "CH0810"),
        ("--global-option=x", "CH0810"),
        ("-f ./links", "CH0810"),
        ("--extra-index-url https://user:word@host/simple", "CH0809"),
        ("x @ git+https://token@host/r.git", "CH0809"),
        ("git+https://${TOKEN}@host/r.git", "CH0809"),
    ],
)
def test_lines_that_cannot_be_locked(line: str, code: str) -> None:
    """Each with its place; credentials are not repeated."""
    (problem,) = read_lines(HERE, {HERE: f"\n{line}\n"}).problems
    assert (problem.code, problem.path, problem.line) == (code, HERE, 2)
    assert "word" not in problem.message
    assert "TOKEN@" not in problem.message


def test_a_repository_with_credentials_is_told_to_leave_them_to_git() -> None:
    """A secret for indexes would not help there."""
    (problem,) = read_lines(HERE, {HERE: "x @ git+https://token@host/r.git\n"}).problems
    assert "credentials that git has on this machine" in problem.help
    (problem,) = read_lines(HERE, {HERE: "x @ https://token@host/x.whl\n"}).problems
    assert "index_credentials_secret" in problem.help


def test_a_list_in_the_chain_file() -> None:
    """Its lines all stand where the chainlet stands; options count as in a file."""
    lines = read_list(["numpy # fast", "--extra-index-url https://b/simple"], "/project/chain.py", 7, {})
    assert lines.asked == (Asked("numpy", "/project/chain.py", 7),)
    assert lines.extra_index_urls == ("https://b/simple",)


@pytest.mark.parametrize(
    ("text", "has"),
    [
        ("git+ssh://git@host/r.git", False),
        ("https://host/path@v1", False),
        ("git+ssh://git:word@host/r", True),
        ("https://me:word@host/", True),
        ("https://token@host/", True),
    ],
)
def test_what_counts_as_credentials(text: str, has: bool) -> None:
    """A user name counts, too, but for SSH."""
    assert has_credentials(text) is has


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("NumPy>=1", "numpy"), ("my_lib[x]==1", "my-lib"), ("a.b", "a-b"), ("x @ file:///x", "x"),
        ("git+https://h/r", ""), ("file:///x", ""), ("https://h/x.whl", ""), ("x;python_version>'3'", "x"),
    ],
)  # fmt: skip
def test_the_package_that_a_line_names(text: str, name: str) -> None:
    """In the canonical form, "" where only the archive knows."""
    assert Asked(text, "").name == name


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200))
def test_any_text_is_read(text: str) -> None:
    """Into requirements or problems, never an exception."""
    read_lines(HERE, {HERE: text})
