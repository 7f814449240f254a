"""The text of a lock: everything comes back, in a stable order, and nothing foreign is taken for one."""

from __future__ import annotations

import tomllib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chainctl.build.lock import BaseFacts, Environment, Lock, LockedPackage, OtherChain
from chainctl.build.lock_text import lock_text, read_lock
from chainctl.errors import ExitCode, LockError, Problem

CHAIN = "chain.py:Root"
DIGEST = "sha256:" + "a" * 64
PACKAGE = LockedPackage("numpy", "numpy==2.1.0", ("sha256:01", "sha256:02"), via=("Root", "scipy"))
ALL = Environment("f" * 64, "3.11", "linux/amd64", (PACKAGE,))
LOCK = Lock(
    {"all": ALL},
    {"Leaf": "all", "Root": "all"},
    {"python:3.11-slim": DIGEST},
    {"python:3.11-slim": BaseFacts(is_local=True)},
    ("python:3.11-slim",),
)
TEXT = """\
# Written by `chainctl lock`, not by hand. Commit it: every image is built from what it says.
format = 1

[chains."chain.py:Root"]
base_images = [
    "python:3.11-slim",
]

[chains."chain.py:Root".chainlets]
Leaf = "all"
Root = "all"

[base_images."python:3.11-slim"]
digest = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
local = true

[environments.all]
checksum = "CHECKSUM"
inputs = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
python = "3.11"
platform = "linux/amd64"

[[environments.all.package]]
name = "numpy"
requirement = "numpy==2.1.0"
via = ["Root", "scipy"]
hashes = [
    "sha256:01",
    "sha256:02",
]
"""

words = st.text(min_size=1, max_size=12)
texts = st.lists(words, max_size=3).map(tuple)
packages = st.builds(LockedPackage, words, words, texts, st.text(max_size=9), texts, st.text(max_size=9))
environments = st.builds(
    Environment,
    words,
    words,
    words,
    st.lists(packages, max_size=3).map(tuple),
    texts,
    texts,
    st.text(max_size=5),
)
digests = st.text("0123456789abcdef", min_size=64, max_size=64).map("sha256:{}".format)
facts = st.builds(BaseFacts, st.dictionaries(words, words, max_size=2), st.text(max_size=9), st.booleans())


@st.composite
def locks(draw: st.DrawFn) -> Lock:
    """Any lock that is whole."""
    made = draw(st.dictionaries(words, environments, min_size=1, max_size=3))
    names = st.sampled_from(sorted(made))
    bases = draw(st.dictionaries(words, st.tuples(digests, facts), max_size=3))
    chainlets = st.dictionaries(words, names, max_size=3)
    images = (
        st.lists(st.sampled_from(sorted(bases)), unique=True).map(sorted).map(tuple) if bases else st.just(())
    )
    others = st.dictionaries(
        words.filter(lambda name: name != CHAIN), st.builds(OtherChain, chainlets, images), max_size=2
    )
    return Lock(
        made,
        draw(chainlets),
        {name: digest for name, (digest, _) in bases.items()},
        {name: found for name, (_, found) in bases.items() if found != BaseFacts()},
        draw(images),
        draw(others),
    )


@given(locks())
def test_everything_comes_back(lock: Lock) -> None:
    """Whatever characters names have; the text is TOML, and writing it again changes no byte."""
    text = lock_text(lock, CHAIN)
    assert tomllib.loads(text)["format"] == 1
    assert read_lock(text, CHAIN) == lock
    assert lock_text(read_lock(text, CHAIN), CHAIN) == text


@given(locks())
def test_order_of_making_does_not_matter(lock: Lock) -> None:
    """Equal locks give equal bytes."""
    turned = replace(
        lock,
        environments=dict(reversed(list(lock.environments.items()))),
        chainlets=dict(reversed(list(lock.chainlets.items()))),
        base_images=dict(reversed(list(lock.base_images.items()))),
    )
    assert lock_text(turned, CHAIN) == lock_text(lock, CHAIN)


def test_it_is_readable() -> None:
    """Chains, base images, environments; one hash a line."""
    text = lock_text(LOCK, CHAIN)
    assert text == TEXT.replace("CHECKSUM", tomllib.loads(text)["environments"]["all"]["checksum"])


def test_each_chain_of_a_directory_has_its_part() -> None:
    """Another chain reads the same file, and sees the first one as another."""
    other = read_lock(lock_text(LOCK, CHAIN), "other.py:Main")
    assert other.chainlets == {}
    assert other.others == {CHAIN: OtherChain(LOCK.chainlets, ("python:3.11-slim",))}
    assert other.environments == LOCK.environments


def refused(text: str) -> Problem:
    with pytest.raises(LockError) as caught:
        read_lock(text, CHAIN, "/project/chainctl.lock")
    assert caught.value.exit_code is ExitCode.BUILD_FAILED
    (problem,) = caught.value.problems
    assert (problem.code, problem.path) == ("CH0807", "/project/chainctl.lock")
    return problem


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (lock_text(LOCK, CHAIN).replace("2.1.0", "2.1.1"), "changed by hand"),
        (lock_text(LOCK, CHAIN).replace('    "sha256:02",\n', ""), "changed by hand"),
        (lock_text(LOCK, CHAIN).replace('Leaf = "all"', 'Leaf = "gone"'), "not whole"),
        ("<<<<<<< HEAD\nformat = 1\n", "merge conflict"),
        (lock_text(LOCK, CHAIN) + "<<<<<<< HEAD\n", "merge conflict"),
        ("format =\n", "no TOML"),
        ("", "no lock: `format`"),
        ("version = 1\nrequires-python = '>=3.11'\n[[package]]\nname = 'x'\n", "no lock"),
        ('format = 1\n[base_images.x]\ndigest = "latest"\n', "digest"),
    ],
)
def test_a_foreign_or_edited_file_is_refused(text: str, words: str) -> None:
    """With what to do."""
    problem = refused(text)
    assert words in problem.message
    assert "chainctl lock" in problem.help


def test_a_newer_format_asks_for_a_newer_chainctl() -> None:
    """It is not taken for damage."""
    assert "pip install -U chainctl" in refused("format = 2\nfuture = true\n").help


def test_requirements_text_is_what_pip_takes() -> None:
    """Hashes follow on lines that continue."""
    assert ALL.requirements_text == "numpy==2.1.0 \\\n    --hash=sha256:01 \\\n    --hash=sha256:02\n"
    marked = LockedPackage("x", "x==1", marker="sys_platform == 'linux'")
    assert marked.text == "x==1 ; sys_platform == 'linux'"
