"""Which requirement an environment lacks, read off what a chainlet wrote."""

from __future__ import annotations

import pytest

from chainctl.errors import Problem
from chainctl.workflows.missing_module import missing_module
from tests.fakes.chains import ROOT, chainlet, graph_of, release_of

GRAPH = graph_of({"Front": ["Leaf"], "Leaf": []}, specs=[chainlet("Leaf", files=["chain.py", "lib/text.py"])])
RELEASE = release_of(GRAPH)
IMAGE = RELEASE.service_of("Leaf").image.replace(":", "/")
TRACEBACK = [
    "Leaf (shop-leaf-1) ended with exit code 1",
    "Traceback (most recent call last):",
    f'  File "/tmp/run/images/{IMAGE}/app/code/chain.py", line 7, in __init__',
    f'  File "/tmp/run/images/{IMAGE}/app/code/lib/text.py", line 3, in load',
    "    import yaml.reader",
    "ModuleNotFoundError: No module named 'yaml'",
]


def test_the_innermost_import_is_named_in_the_users_own_file() -> None:
    """Module, chainlet and place, and the package that usually has such a module."""
    assert missing_module(TRACEBACK, GRAPH, RELEASE) == Problem(
        "CH0602",
        "`Leaf` imports `yaml`, and its environment has nothing that provides it",
        f"{ROOT}/lib/text.py",
        3,
        note="the environment has exactly what is locked for the chainlet, as its image has",
        help='add "pyyaml" to the `pip_requirements` of `Leaf`',
    )


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [*TRACEBACK[:-1], "ValueError: no"],
        [TRACEBACK[0], TRACEBACK[-1]],
        [*TRACEBACK[:-1], "ModuleNotFoundError: No module named 'lib'"],
        [line.replace(IMAGE, "other/image/tag") for line in TRACEBACK],
    ],
    ids=["nothing", "another error", "no place", "a module of the user's own", "an unknown image"],
)
def test_other_failures_are_left_as_they_are(lines: list[str]) -> None:
    """Nobody is told to add what would not help."""
    assert missing_module(lines, GRAPH, RELEASE) is None
