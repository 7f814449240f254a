"""New texts of modules whose functions' bodies alone differ in; the live functions running them, in place, out."""

from __future__ import annotations

import types
from dataclasses import dataclass, field
from typing import Optional

from chainctl.worker.generations.code_tree import CodeTree, Successor, is_bodies_only, successors
from chainctl.worker.generations.functions import live_functions
from chainctl.worker.generations.refusal import Refused
from chainctl.worker.generations.sources import Sources, Texts
from chainctl.worker.generations.versions import Committed, Versions

_NESTED = 0x10
Codes = dict[types.CodeType, Successor]


@dataclass
class Swap:
    """What a swap has done so far: functions that choose, and those that only get other lines when it is committed."""

    versions: list[Versions] = field(default_factory=list)
    lines: list[tuple[types.FunctionType, types.CodeType]] = field(default_factory=list)
    version_lines: list[tuple[Versions, types.CodeType]] = field(default_factory=list)
    nested: dict[types.CodeType, types.CodeType] = field(default_factory=dict)

    def commit(self) -> None:
        """Let tracebacks of what did not change show the right lines."""
        for function, code in self.lines:
            function.__code__ = code
        for versions, code in self.version_lines:
            versions.relabel(code)


class Swapper:
    """Swaps functions; knows those that have more than one code just now."""

    def __init__(self, committed: Committed) -> None:
        self._committed = committed
        self._choosing: dict[int, Versions] = {}
        self._nested: dict[types.CodeType, types.CodeType] = {}

    def prepare(self, number: int, texts: Texts, before: Sources, unswappable: dict[int, str]) -> Swap:
        """Give each changed function the new code from a generation on.

        Raises Refused or SyntaxError; nothing is done then.

        `unswappable` names functions, by their `id`, whose effect is there already, such as `__init__`.
        """
        codes = _codes(texts, before)
        swap, found = Swap(), self._found({before.filename(path) for path in texts})
        changes: list[tuple[types.FunctionType, types.CodeType]] = []
        for function in found:
            known = self._choosing.get(id(function))
            code = function.__code__ if known is None else known.newest
            successor = codes.get(code)
            if successor is None:
                continue
            if successor.code is None:
                raise _refused(successor, before.path_of(code.co_filename))
            if not successor.is_same:
                if id(function) in unswappable:
                    raise Refused(f"`{unswappable[id(function)]}` changed, and it has run already", "reinit")
                changes.append((function, successor.code))
            elif successor.code != code and known is not None:
                swap.version_lines.append((known, successor.code))
            elif successor.code != code:
                swap.lines.append((function, successor.code))
        self._refuse_missing(codes, changes)
        for function, code in changes:
            versions = self._choosing.setdefault(id(function), Versions(function, self._committed))
            versions.add(number, code)
            swap.versions.append(versions)
        swap.nested = {c: s.code for c, s in codes.items() if c.co_flags & _NESTED and s.code is not None}
        return swap

    def abort(self, number: int, swap: Swap) -> None:
        """Take a generation out of all functions again."""
        for versions in swap.versions:
            versions.drop(number)
        self._forget_settled()

    def committed(self, swap: Swap) -> None:
        """Remember what becomes of functions that older code may still make."""
        swap.commit()
        self._nested.update(swap.nested)

    def retire(self, before: int) -> None:
        """Let functions that need not choose any more run their code directly."""
        for versions in self._choosing.values():
            versions.drop_before(before)
        self._forget_settled()
        if self._nested and not self._choosing:
            self._renew_made_by_old_code()

    def _renew_made_by_old_code(self) -> None:
        """Give functions that were made in a call of an older generation, and are still there, the new code."""
        nested, self._nested = self._nested, {}
        for function in live_functions({code.co_filename for code in nested}):
            code = function.__code__
            seen = {code}
            while (newer := nested.get(code)) is not None and newer not in seen:
                seen.add(newer)
                code = newer
            if code is not function.__code__ and code.co_freevars == function.__code__.co_freevars:
                function.__code__ = code

    def _forget_settled(self) -> None:
        self._choosing = {key: v for key, v in self._choosing.items() if not v.is_settled}

    def _found(self, filenames: set[str]) -> list[types.FunctionType]:
        """The live functions of files, those that choose among them, without the codes that they choose from."""
        own = {id(copy) for versions in self._choosing.values() for copy in versions.copies}
        choosing = [v.function for v in self._choosing.values() if v.newest.co_filename in filenames]
        return [*choosing, *(f for f in live_functions(filenames) if id(f) not in own)]

    def _refuse_missing(self, codes: Codes, changes: list[tuple[types.FunctionType, types.CodeType]]) -> None:
        """What changed and is in no live function may still be in use in a way that is not seen here."""
        reached = {id(code) for _, code in changes}
        for old, successor in codes.items():
            is_function = old.co_flags & 0x02 and not old.co_flags & _NESTED  # CO_NEWLOCALS: no class body
            if not is_function or successor.is_same or old.co_name.startswith("<"):
                continue
            if successor.code is not None and id(successor.code) not in reached:
                raise Refused(
                    f"`{successor.name}` (line {successor.line}) was not found among the live functions",
                    "reimport",
                )


def _codes(texts: Texts, before: Sources) -> Codes:
    """What becomes of each code object of all the modules."""
    found: Codes = {}
    for path, text in texts.items():
        old = before.text(path)
        if text is None or old is None:
            raise Refused(f"`{path}` is a new file, or there no more", "reimport", path)
        new_tree = CodeTree(text, before.filename(path))
        old_tree = CodeTree(old, before.filename(path))
        if not is_bodies_only(old_tree, new_tree):
            raise Refused(f"`{path}` differs in more than the bodies of functions", "reimport", path)
        found.update(successors(old_tree, new_tree))
    return found


def _refused(successor: Successor, path: Optional[str]) -> Refused:
    where = f"`{successor.name}` (line {successor.line})"
    return Refused(f"{where} cannot go on with its new code: {successor.obstacle}", "reimport", path)
