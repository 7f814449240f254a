"""Texts of files that import truss_chains; the same with imports of chainctl, or what forbids it."""

from __future__ import annotations

import pytest

from chainctl.graph.migrate import migrated

REWRITTEN = {
    "import truss_chains as chains\n": "import chainctl as chains\n",
    "import truss_chains  # why\n": "import chainctl as truss_chains  # why\n",
    "import os, truss_chains as tc, sys\n": "import os, chainctl as tc, sys\n",
    "from truss_chains import pydantic_numpy, streaming\n": "from chainctl import pydantic_numpy, streaming\n",
    "from truss_chains import (  # two\n    depends,\n    ChainletBase as Base,\n)\n": (
        "from chainctl import (  # two\n    depends,\n    ChainletBase as Base,\n)\n"
    ),
    "from  truss_chains . pydantic_numpy \\\n  import NumpyArrayField\n": (
        "from  chainctl.pydantic_numpy \\\n  import NumpyArrayField\n"
    ),
    "import truss_chains.streaming as s\n": "import chainctl.streaming as s\n",
    "from truss.base import truss_config\n": "from chainctl.truss import config as truss_config\n",
    "from truss import truss_config as tc\n": "from chainctl.truss import config as tc\n",
    "from truss.base.truss_config import Accelerator\n": "from chainctl.truss.config import Accelerator\n",
    "from truss_chains.public_types import ChainsUsageError\n": "from chainctl import ChainsUsageError\n",
    "from truss_chains.remote_chainlet.truss_chainlet import TrussHandle\n": (
        "from chainctl.truss.handle import TrussHandle\n"
    ),
    "try:\n\timport truss_chains as chains\nexcept ImportError:\n\tchains = None\n": (
        "try:\n\timport chainctl as chains\nexcept ImportError:\n\tchains = None\n"
    ),
    "x = 'é'; import truss_chains as c; c.push(A, 'n')\r\nimport truss_chains as d": (
        "x = 'é'; import chainctl as c; c.push(A, 'n')\r\nimport chainctl as d"
    ),
    "import truss_chains_extra, trussed\nfrom . import truss_chains\ntext = 'import truss_chains'\n": (
        "import truss_chains_extra, trussed\nfrom . import truss_chains\ntext = 'import truss_chains'\n"
    ),
}
REFUSED = {
    "import truss_chains as c\n\nx = c.WeightsSource\n": (3, "`c.WeightsSource` has no counterpart"),
    "from truss_chains import (\n    depends,\n    ModelBase,\n)\n": (3, "`ModelBase` has no counterpart"),
    "from truss_chains import *\n": (1, "does not say what is used"),
    "import truss_chains.streaming\n": (1, "binds a name of another package"),
    "from truss_chains import code_gen\n": (1, "`code_gen` has no counterpart"),
    "import truss\n": (1, "`truss` has no counterpart"),
    "from truss.base import trt_llm_config, truss_config\n": (1, "`truss.base.trt_llm_config` has no"),
    "import importlib\nimportlib.import_module('truss_chains')\n": (2, "imports by a text"),
    "import truss_chains as c\nc.push(A, 'n', remote='x')\n": (2, "`c.push` takes only the entrypoint"),
    "from truss_chains import push as p\np(A, 'n', False)\n": (2, "`p` takes only the entrypoint"),
    "def broken(:\n": (1, "this is no Python"),
}


@pytest.mark.parametrize("text", REWRITTEN)
def test_imports_are_rewritten_and_nothing_else(text: str) -> None:
    """Layout, comments and line ends stay; doing it again changes nothing."""
    result = migrated(text, "chain.py")
    assert (result.text, result.problems) == (REWRITTEN[text], ())
    assert migrated(result.text, "chain.py") == result


@pytest.mark.parametrize("text", REFUSED)
def test_what_cannot_be_rewritten_is_refused_with_its_place(text: str) -> None:
    """The text stays as it is."""
    line, message = REFUSED[text]
    result = migrated(text, "chain.py")
    assert result.text == text
    (problem,) = result.problems
    assert (problem.path, problem.line) == ("chain.py", line)
    assert message in problem.message


def test_all_problems_are_told_at_once() -> None:
    """In the order of lines, also where something could be rewritten."""
    text = "import truss_chains as c\nc.ModelBase\nfrom truss_chains import TrussChainlet, depends\n"
    result = migrated(text, "chain.py")
    assert (result.text, [p.line for p in result.problems]) == (text, [2, 3])
