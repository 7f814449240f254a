"""What a method uses is followed by names, through the modules of its chainlet."""

from __future__ import annotations

import ast

from chainctl.watch.uses import used_by

HELPERS = """\
import functools

def load(path):
    return Net(read(path))

def read(path):
    return open(path).read()

def clean(text):
    return text.strip()

def registered(f):
    return wrap(f)

def wrap(f):
    return f

@registered
def later(x):
    return clean(x)

class Net(Base):
    def __init__(self, data):
        self.data = data

    def forward(self, x):
        return clean(x)

    def __call__(self, x):
        return self.forward(x)

class Base:
    def __init_subclass__(cls):
        prepare()

def prepare():
    pass

def named():
    pass
"""
CHAIN = """\
from helpers import load, clean

class Model:
    def __init__(self):
        self.net = load("weights")
        self.mode = getattr(self, "named")

    def run_remote(self, text):
        return self.net(clean(text))
"""


def used(chain: str = CHAIN) -> set[str]:
    trees = {"chain.py": ast.parse(chain), "helpers.py": ast.parse(HELPERS)}
    return {name for _, name in used_by(trees, [("chain.py", "Model.__init__")])}


def test_names_are_followed_to_their_definitions() -> None:
    """Classes by what makes their objects, their bases too; texts that are names count as mentioned."""
    assert used() == {
        "Model.__init__", "load", "Net", "Net.__init__", "read", "Base", "Base.__init_subclass__", "prepare",
        "named", "registered", "wrap",
    }  # fmt: skip


def test_an_object_that_is_called_uses_its_call() -> None:
    """Where `__init__` calls something that is no function of these modules, it may be any of its objects."""
    warm = CHAIN.replace('self.mode = getattr(self, "named")', "self.net(1)")
    assert {"Net.__call__", "Net.forward", "clean"} <= used(warm)


def test_a_method_that_is_called_is_used() -> None:
    """By its name, of whichever class."""
    warm = CHAIN.replace('self.mode = getattr(self, "named")', "self.net.forward(1)")
    assert {"Net.forward", "clean"} <= used(warm)
    assert "Net.__call__" not in used(warm)
