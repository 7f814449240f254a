"""Nothing in; the text of a program that any Python from 3.10 on runs as a stand-in out."""

from __future__ import annotations

from pathlib import Path

_ROOM = "chainctl.adapters.intercept"
_PARTS = ("mux", "http_body", "callers", "relay", "stand_in")
_START = """\
import sys, types
for name, text in {texts!r}:
    module = sys.modules[name] = types.ModuleType(name)
    exec(compile(text, name, "exec"), module.__dict__)
module.main(sys.argv[1])
"""


def stand_in_program() -> str:
    """Return what follows `python -c`: it brings its modules along, so it needs none of chainctl's there."""
    here = Path(__file__).parent
    texts = [(f"{_ROOM}.{part}", (here / f"{part}.py").read_text()) for part in _PARTS]
    return _START.format(texts=texts)
