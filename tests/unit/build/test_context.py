"""A context's digest names exactly what is in it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chainctl.build.context import BuildContext, ContextFile, ImageRef

PATHS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20)
FILES = st.builds(
    lambda path, text, is_executable: replace(ContextFile.of_text(path, text), is_executable=is_executable),
    PATHS, st.text(st.characters(exclude_categories=["Cs"]), max_size=20), st.booleans(),
)  # fmt: skip
CONTEXTS = st.lists(FILES, max_size=6, unique_by=lambda file: file.path)


@settings(deadline=None)
@given(CONTEXTS, st.randoms(use_true_random=False))
def test_the_order_of_files_does_not_matter(files: list[ContextFile], random: object) -> None:
    """Files are sorted, so a digest is the same whoever found them first."""
    shuffled = list(files)
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    assert BuildContext.of(shuffled).digest == BuildContext.of(files).digest


@settings(deadline=None)
@given(CONTEXTS, CONTEXTS)
def test_equal_digests_mean_equal_contents(first: list[ContextFile], second: list[ContextFile]) -> None:
    """Path, mode and content of each file are all in it, and no two lists run into each other."""
    one, two = BuildContext.of(first), BuildContext.of(second)
    assert (one.digest == two.digest) == (one.files == two.files)


@settings(deadline=None)
@given(CONTEXTS.filter(bool), st.data())
def test_one_change_is_another_digest(files: list[ContextFile], data: st.DataObject) -> None:
    """A path, a mode, a byte, a file more or less."""
    index = data.draw(st.integers(0, len(files) - 1))
    file = files[index]
    changes = [
        [*files[:index], *files[index + 1 :]],
        [*files, ContextFile.of_text("/".join(f.path for f in files) + "+", "")],
        [*files[:index], replace(file, is_executable=not file.is_executable), *files[index + 1 :]],
        [*files[:index], replace(file, path=file.path + "x" * 40), *files[index + 1 :]],
        [*files[:index], replace(file, sha256="0" * 64), *files[index + 1 :]],
    ]
    digests = {BuildContext.of(changed).digest for changed in [files, *changes]}
    assert len(digests) == len(changes) + 1


def test_where_a_file_was_read_from_is_not_in_the_digest() -> None:
    """Two checkouts of one project give one image."""
    one = ContextFile("a.py", "0" * 64, Path("/here/a.py"))
    two = ContextFile("a.py", "0" * 64, Path("/there/a.py"))
    assert BuildContext.of([one]).digest == BuildContext.of([two]).digest


def test_a_name_that_is_no_unicode_has_a_digest() -> None:
    """File names are bytes; such a one must not end the command with a traceback."""
    name = os.fsdecode(b"data/\xff.bin")
    assert BuildContext.of([ContextFile(name, "0" * 64, b"")]).digest


def test_texts_are_found_by_path() -> None:
    """Only what was rendered here can be asked for."""
    context = BuildContext.of([ContextFile.of_text("a", "text"), ContextFile("b", "0" * 64, Path("/b"))])
    assert context.text_of("a") == "text"
    for missing in ("b", "c"):
        with pytest.raises(KeyError):
            context.text_of(missing)


def test_modes_are_two() -> None:
    """Only the executable bit of the user's files counts: a umask is no part of an image."""
    assert ContextFile.of_text("a", "").mode == 0o644
    assert replace(ContextFile.of_text("a", ""), is_executable=True).mode == 0o755


def test_an_image_prints_as_engines_write_it() -> None:
    """Repository and tag."""
    assert str(ImageRef("shop/leaf", "0123")) == "shop/leaf:0123"
