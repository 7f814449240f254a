"""Edits that execute modules anew: fresh module objects beside the old ones, the live state or a new one."""

from __future__ import annotations

import asyncio
import builtins
import gc
import sys
import threading
import time
import types
import weakref
from pathlib import Path
from typing import Any

import pytest

from chainctl.calls.call_context import CallContext
from chainctl.worker.generations.refusal import Refused
from tests.unit.worker.edited import HEAD, Edited, edited
from tests.unit.worker.fabric import run

CHAIN = (
    HEAD
    + """
import dataclasses

import pydantic

import helper
from helper import told
from pkg import part


class Answer(pydantic.BaseModel):
    text: str


class C(chains.ChainletBase):
    def __init__(self) -> None:
        self.loads = helper.load()

    async def run_remote(self, text: str = "") -> Answer:
        import helper as late
        return Answer(text=f"{VERSION} {told()} {late.told()} {part.told()} {self.loads}")


VERSION = "chain-V0"
"""
)
HELPER = """
LOADED = []

def load():
    LOADED.append(1)
    return len(LOADED)

def told():
    return WORD

WORD = "helper-V0"
"""
PART = "from . import base\n\ndef told():\n    return base.WORD\n"
BASE = 'WORD = "base-V0"\n'
FILES = {"chain": CHAIN, "helper": HELPER, "pkg/__init__": "", "pkg/part": PART, "pkg/base": BASE}


def said(c: Edited, generation: int | None = None) -> str:
    answer = run(c.call(generation))
    return str(answer["text"] if isinstance(answer, dict) else answer)


def test_a_changed_module_and_its_importers_are_executed_anew(tmp_path: Path) -> None:
    """`from` imports, late imports and packages see the new module; `__init__` does not run, the state stays."""
    with edited(tmp_path, FILES) as c:
        old, part, state = c.loaded, sys.modules["pkg.part"], c.instance.__dict__
        assert said(c) == "chain-V0 helper-V0 helper-V0 base-V0 1"
        c.edit("reimport", helper=HELPER.replace("helper-V0", "helper-V1"))
        assert said(c) == "chain-V0 helper-V1 helper-V1 base-V0 1"
        assert c.loaded is not old
        assert sys.modules["pkg.part"] is part
        assert c.instance.__dict__ is state
        assert old.helper.WORD == "helper-V0"
        c.edit("reimport", pkg__base='WORD = "base-V1"\n')
        assert said(c) == "chain-V0 helper-V1 helper-V1 base-V1 1"


def test_both_generations_are_served_side_by_side(tmp_path: Path) -> None:
    """Until the old one is retired, a call's number decides, for late imports too."""
    with edited(tmp_path, FILES) as c:
        original = builtins.__import__
        old = "chain-V0 helper-V0 helper-V0 base-V0 1"
        new = "chain-V1 helper-V1 helper-V1 base-V0 1"
        files = {"chain": CHAIN.replace("V0", "V1"), "helper": HELPER.replace("V0", "V1")}
        c.prepare(5, "reimport", (), **files)
        assert [said(c), said(c, 0), said(c, 4), said(c, 5), said(c, 6)] == [old, old, old, new, new]
        c.generations.commit(5)
        assert [said(c), said(c, 0), said(c, 5)] == [new, old, new]
        c.generations.retire(5)
        assert [said(c), said(c, 0)] == [new, new]
        assert builtins.__import__ is original


def test_an_aborted_edit_leaves_nothing(tmp_path: Path) -> None:
    """Modules, the import statement and what is served are as before."""
    with edited(tmp_path, FILES) as c:
        before, original = dict(sys.modules), builtins.__import__
        for action in ("reimport", "reinit"):
            c.prepare(1, action, (), helper=HELPER.replace("V0", "V1"), added="X = 1\n")
            c.generations.abort(1)
            assert dict(sys.modules) == before
            assert builtins.__import__ is original
            assert said(c, 3) == "chain-V0 helper-V0 helper-V0 base-V0 1"


def test_new_and_removed_files(tmp_path: Path) -> None:
    """A file that an edit adds can be imported, one that it removes cannot any more."""
    with edited(tmp_path, FILES) as c:
        using = CHAIN.replace(
            "import helper\nfrom helper import told", "import helper\nfrom added import told"
        )
        c.edit("reimport", chain=using, added="def told():\n    return 'added'\n")
        assert said(c) == "chain-V0 added helper-V0 base-V0 1"
        assert c.generations.status()["edited"].keys() == {"chain.py", "added.py"}
        error = c.refused("reimport", removed=("helper.py",))
        assert (error.next, error.path, error.message) == (
            None,
            "chain.py",
            "ModuleNotFoundError: No module named 'helper'",
        )
        c.edit("reimport", removed=("added.py",), chain=CHAIN)
        assert said(c) == "chain-V0 helper-V0 helper-V0 base-V0 1"
        assert "added" not in sys.modules


SPACES = (
    HEAD
    + """
class C(chains.ChainletBase):
    async def run_remote(self, text: str = "") -> str:
        from space import word
        return word.WORD
"""
)


def test_directories_without_an_init_are_packages(tmp_path: Path) -> None:
    """An edit may bring one, and late imports see the modules in one as they were edited last."""
    with edited(tmp_path, {"chain": SPACES, "space/word": "WORD = 'V0'\n"}) as c:
        assert said(c) == "V0"
        c.edit("reimport", space__word="WORD = 'V1'\n", retire=False)
        assert [said(c, 0), said(c, 1)] == ["V0", "V1"]
        c.generations.retire(1)
        before = dict(sys.modules)
        c.prepare(2, "reimport", (), space__word="WORD = 'V2'\n", other__part="X = 1\n")
        c.generations.abort(2)
        assert dict(sys.modules) == before
        assert said(c) == "V1"
        using = SPACES.replace("from space import word", "from inner.parts import word")
        c.edit(
            "reimport",
            chain=using.replace("chainctl as chains\n", "chainctl as chains\nfrom inner.parts import word\n"),
            inner__parts__word="WORD = 'V3'\n",
        )
        assert said(c) == "V3"


def test_files_that_an_image_was_made_from_need_not_be_in_it(tmp_path: Path) -> None:
    """A chainlet with a directory of data takes edits: its image has the data elsewhere."""
    config = """
    remote_config = chains.RemoteConfig(
        docker_image=chains.DockerImage(data_dir=chains.make_abs_path_here("data"))
    )
"""
    chain = (
        HEAD
        + f"class C(chains.ChainletBase):{config}\n    def run_remote(self) -> str:\n        return WORD\n"
    )
    with edited(tmp_path, {"chain": chain + "WORD = 'V0'\n"}) as c:
        for action in ("reimport", "reinit"):
            c.edit(action, chain=chain + f"WORD = '{action}'\n")
            assert run(c.call()) == action


def test_state_of_classes_that_are_made_anew_wants_a_new_init(tmp_path: Path) -> None:
    """An instance, a class, a function or a bound method of an old module in the state would run old code."""
    for held, word in (
        ("helper.Thing()", "an instance of `Thing`"),
        ("[{'a': (helper.Thing(),)}]", "an instance of `Thing`"),
        ("helper.Thing", "the class `Thing`"),
        ("helper.load", "the function `load`"),
        ("self.run_remote", "`C"),
    ):
        chain = CHAIN.replace("self.loads = helper.load()", f"self.loads, self.held = helper.load(), {held}")
        helper = HELPER + "\nclass Thing:\n    pass\n"
        directory = tmp_path / str(abs(hash(held)))
        with edited(directory, {**FILES, "chain": chain, "helper": helper}) as c:
            error = c.refused("reimport", helper=helper.replace("V0", "V1"))
            assert error.next == "reinit"
            assert word in error.message
            c.edit("reinit", helper=helper.replace("V0", "V1"))
            assert said(c) == "chain-V0 helper-V1 helper-V1 base-V0 1"


def test_reinit_makes_a_new_object(tmp_path: Path) -> None:
    """`__init__` runs once more, with the new code; the old object goes when its generation is retired."""
    with edited(tmp_path, FILES) as c:
        old = weakref.ref(c.instance)
        counted = HELPER.replace("return len(LOADED)", "return 40 + len(LOADED)")
        c.edit("reinit", helper=counted)
        assert said(c) == "chain-V0 helper-V0 helper-V0 base-V0 41"
        gc.collect()
        assert old() is None


def test_another_init_is_not_reimported(tmp_path: Path) -> None:
    """The state was made by the old one."""
    with edited(tmp_path, FILES) as c:
        error = c.refused("reimport", chain=CHAIN.replace("helper.load()", "helper.load() + 1"))
        assert (error.next, error.message) == ("reinit", "`C.__init__` changed")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    async def run_remote", "    def run_remote"),
        ("    def __init__", '    remote_config = chains.RemoteConfig(name="D")\n\n    def __init__'),
    ],
)  # fmt: skip
def test_other_declarations_want_a_restart(tmp_path: Path, old: str, new: str) -> None:
    """What the server was told when it started stays as it is."""
    with edited(tmp_path, FILES) as c:
        assert c.refused("reimport", chain=CHAIN.replace(old, new)).next == "restart"


def test_failures_of_user_code_leave_the_old_code_serving(tmp_path: Path) -> None:
    """They are the user's, and say where, with the line as the edit has it."""
    with edited(tmp_path, FILES) as c:
        modules = dict(sys.modules)
        error = c.refused("reimport", helper=HELPER + "\nraise KeyError('gone')\n")
        line = len(HELPER.splitlines()) + 2
        assert (error.next, error.path, error.line, error.message) == (
            None,
            "helper.py",
            line,
            "KeyError: 'gone'",
        )
        assert list(error.traceback)[-2:] == [
            f'  File "helper.py", line {line}, in <module>',
            "    raise KeyError('gone')",
        ]
        error = c.refused("reinit", helper=HELPER.replace("return len(LOADED)", "return 1 / 0"))
        assert (error.next, error.path, error.message) == (
            None,
            "helper.py",
            "ZeroDivisionError: division by zero",
        )
        error = c.refused("reinit", helper=HELPER.replace("return len(LOADED)", "raise SystemExit(3)"))
        assert (error.next, error.message) == (None, "SystemExit: 3")
        error = c.refused("reimport", helper="import missing_module\n")
        assert (error.path, error.message) == (
            "helper.py",
            "ModuleNotFoundError: No module named 'missing_module'",
        )
        assert dict(sys.modules) == modules
        assert said(c) == "chain-V0 helper-V0 helper-V0 base-V0 1"
        c.edit("reimport", helper=HELPER.replace("V0", "V1"))
        assert said(c) == "chain-V0 helper-V1 helper-V1 base-V0 1"


@pytest.mark.parametrize(
    "endless", ["while True:\n    pass\n", "def load():\n    while True:\n        pass\n"]
)
def test_what_does_not_end_is_given_up(tmp_path: Path, endless: str) -> None:
    """An endless loop in a module or in `__init__` is ended; the old code serves, and the next edit is taken."""
    with edited(tmp_path, FILES) as c:
        modules = dict(sys.modules)
        with pytest.raises(Refused, match=r"was given up: it did not end within 0\.1 s") as refused:
            c.generations.prepare(1, "reinit", {"helper.py": HELPER + endless}, seconds=0.1)
        assert refused.value.next is None
        until(lambda: not at_work(c))
        assert dict(sys.modules) == modules
        assert said(c) == "chain-V0 helper-V0 helper-V0 base-V0 1"
        c.edit("reimport", helper=HELPER.replace("V0", "V1"))
        assert said(c) == "chain-V0 helper-V1 helper-V1 base-V0 1"


def test_what_is_given_up_and_runs_on_wants_a_restart(tmp_path: Path) -> None:
    """Code in a library cannot be ended: it might still do anything, so that nothing is loaded beside it."""
    waiting = HELPER.replace("return len(LOADED)", "import threading\n    builtins.test_gate.wait()")
    gate = builtins.test_gate = threading.Event()  # type: ignore[attr-defined]  # the chain has no other way to it
    try:
        with edited(tmp_path, FILES) as c:
            with pytest.raises(Refused, match="given up"):
                c.generations.prepare(1, "reinit", {"helper.py": "import builtins\n" + waiting}, seconds=0.1)
            error = c.refused("reinit", helper=HELPER)
            assert error.next == "restart"
            gate.set()
            until(lambda: not at_work(c))
            c.edit("reinit", helper=HELPER.replace("V0", "V1"))
            assert said(c) == "chain-V0 helper-V1 helper-V1 base-V0 1"
    finally:
        del builtins.test_gate  # type: ignore[attr-defined]


def at_work(c: Edited) -> bool:
    under_way = c.generations._under_way
    return under_way is not None and under_way.is_at_work


def until(holds: Any, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        threading.Event().wait(0.001)


def test_a_swap_after_a_reimport_and_the_other_way_round(tmp_path: Path) -> None:
    """Each action goes on from what the last one left."""
    with edited(tmp_path, FILES) as c:
        one = HELPER.replace("V0", "V1")
        c.edit("reimport", helper=one)
        two = one.replace("return WORD", "return WORD + '-two'")
        c.edit("swap", helper=two)
        assert said(c) == "chain-V0 helper-V1-two helper-V1-two base-V0 1"
        c.edit("reimport", retire=False, helper=two.replace("V1", "V3"))
        assert said(c) == "chain-V0 helper-V3-two helper-V3-two base-V0 1"
        four = two.replace("V1", "V3").replace("two", "four")
        c.edit("swap", retire=False, helper=four)
        texts = [said(c, number) for number in (2, 3, 4)]
        assert [text.split()[1] for text in texts] == ["helper-V1-two", "helper-V3-two", "helper-V3-four"]
        c.generations.retire(4)
        assert said(c) == "chain-V0 helper-V3-four helper-V3-four base-V0 1"


def test_twenty_reimports_leave_no_old_module(tmp_path: Path) -> None:
    """Modules and classes of retired generations are gone."""
    with edited(tmp_path, FILES) as c:
        modules: list[weakref.ref[types.ModuleType]] = []
        classes: list[weakref.ref[type]] = []
        for version in range(1, 21):
            c.edit(
                "reimport",
                helper=HELPER.replace("V0", f"V{version}"),
                chain=CHAIN.replace("V0", f"V{version}"),
            )
            modules.append(weakref.ref(sys.modules["helper"]))
            classes.append(weakref.ref(c.loaded.C))
        assert said(c) == "chain-V20 helper-V20 helper-V20 base-V0 1"
        gc.collect()
        assert sum(ref() is not None for ref in modules) == 1
        assert sum(ref() is not None for ref in classes) == 1


SLOW = (
    HEAD
    + """
import builtins

class C(chains.ChainletBase):
    def __init__(self) -> None:
        gate = getattr(builtins, "test_gate", None)
        if gate is not None:
            gate.wait()

    async def run_remote(self) -> str:
        return "V0"
"""
)


def test_the_old_object_serves_while_the_new_one_is_made(tmp_path: Path) -> None:
    """Calls are answered all the time, none fails, and the new object serves from its commit on."""

    async def work(c: Edited, gate: threading.Event) -> None:
        answers: list[str] = []
        is_over = False

        async def calling() -> None:
            while not is_over:
                answers.append(await c.call())
                await asyncio.sleep(0)

        caller = asyncio.create_task(calling())
        making = asyncio.create_task(asyncio.to_thread(c.edit, "reinit", chain=SLOW.replace("V0", "V1")))
        while len(answers) < 200:
            await asyncio.sleep(0)
        assert set(answers) == {"V0"}
        gate.set()
        await making
        count = len(answers)
        while len(answers) < count + 50:
            await asyncio.sleep(0)
        is_over = True
        await caller
        assert set(answers) == {"V0", "V1"}
        assert answers == sorted(answers)

    gate = threading.Event()
    with edited(tmp_path, {"chain": SLOW}) as c:
        builtins.test_gate = gate  # type: ignore[attr-defined]  # the chain has no other way to it
        try:
            run(work(c, gate))
        finally:
            gate.set()
            del builtins.test_gate  # type: ignore[attr-defined]


def test_a_retired_generation_stays_until_its_last_call_ended(tmp_path: Path) -> None:
    """What is under way is said, and the object is kept for it."""

    async def work(c: Edited) -> None:
        flight = c.worker.servings.enter(CallContext(generation=0))
        c.edit("reimport", retire=False, helper=HELPER.replace("V0", "V1"))
        assert c.generations.retire(1) == {0: 1}
        assert len(c.worker.servings.all) == 2
        flight.land()
        while len(c.worker.servings.all) == 2:
            await asyncio.sleep(0)

    with edited(tmp_path, FILES) as c:
        run(work(c))
