"""What uv says when it fails, and the problem that it becomes."""

from __future__ import annotations

import pytest

from chainctl.adapters.uv.failure import failure_problems
from chainctl.build.requirement_lines import Asked
from chainctl.build.wanted import Wanted

UNREACHABLE = """\
error: Failed to fetch: `https://{host}/simple/torch/`
  cause: dns error
"""


@pytest.mark.parametrize(
    ("host", "backend", "help"),
    [
        ("download.pytorch.org/whl", "cpu", "set `cpu_wheels = false` to take torch from your index;"),
        ("download.pytorch.org/whl", "", "set `index_url` to a mirror;"),
        ("pypi.example", "cpu", "set `index_url` to a mirror;"),
    ],
)
def test_what_helps_depends_on_who_chose_the_index(host: str, backend: str, help: str) -> None:
    """A mirror does not help where the setting `cpu_wheels` asks another host."""
    wanted = Wanted(
        ("Top",), (Asked("torch", "/p/chain.py", 7),), "3.11", "linux/amd64", "x", torch_backend=backend
    )
    (problem,) = failure_problems(wanted, UNREACHABLE.format(host=host), lambda one: one.line, "/p")
    assert problem.code == "CH0804"
    assert help in problem.help
