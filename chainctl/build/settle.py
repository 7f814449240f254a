"""What is locked and what chainlets want in; what is missing or stale, and the lock anew, out. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from chainctl.build.lock import BaseFacts, Environment, Lock, OtherChain
from chainctl.build.wanted import Wanted
from chainctl.errors import LockError, Problem

_LOCK_IT = (
    "run `chainctl lock` and commit chainctl.lock; `--locked` (set by CI=true) forbids to change it here"
)


@dataclass(frozen=True, slots=True)
class Upgrade:
    """Which pins may change though nothing asks for it: all, or packages by name."""

    everything: bool = False
    packages: tuple[str, ...] = ()

    def covers(self, environment: Environment) -> bool:
        """Whether an environment is to be resolved again."""
        names = {_canonical(name) for name in self.packages}
        return self.everything or any(_canonical(p.name) in names for p in environment.packages)


@dataclass(frozen=True, slots=True)
class Task:
    """One environment to resolve. `before` are its former pins, kept where they still fit."""

    wanted: Wanted
    name: str
    before: Environment | None = None


@dataclass(frozen=True, slots=True)
class Pins:
    """What is known of base images: digests, and what was found in them."""

    digests: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, BaseFacts] = field(default_factory=dict)


def tasks(lock: Lock, wanted: Sequence[Wanted], upgrade: Upgrade) -> tuple[Task, ...]:
    """Return the environments that must be resolved: new ones, changed ones, those to upgrade."""
    names = environment_names(lock, wanted)
    found = []
    for one in wanted:
        known = _known(lock, one)
        if known is None or upgrade.covers(known):
            before = known or lock.environments.get(names[one.digest]) or _former(lock, one)
            found.append(Task(one, names[one.digest], before))
    return tuple(found)


def environment_names(lock: Lock, wanted: Sequence[Wanted]) -> dict[str, str]:
    """Name environments by their digests: as before where possible, else after their first chainlet."""
    taken = {name for other in lock.others.values() for name in other.chainlets.values()}
    by_inputs = {environment.inputs: name for name, environment in sorted(lock.environments.items())}
    names = {one.digest: by_inputs[one.digest] for one in wanted if one.digest in by_inputs}
    taken |= set(names.values())
    for one in wanted:
        if one.digest not in names:
            former = (lock.chainlets[chainlet] for chainlet in one.chainlets if chainlet in lock.chainlets)
            names[one.digest] = next(n for n in (*former, *_fresh(one.chainlets[0])) if n not in taken)
            taken.add(names[one.digest])
    return names


def assemble(
    lock: Lock,
    wanted: Sequence[Wanted],
    resolved: Mapping[str, Environment],
    bases: Iterable[str],
    pins: Pins,
) -> Lock:
    """Put the lock together anew; `resolved` maps digests of what was asked for to environments."""
    names = environment_names(lock, wanted)
    own = {names[one.digest]: resolved.get(one.digest) or _known(lock, one) for one in wanted}
    used = {name for other in lock.others.values() for name in other.chainlets.values()}
    kept = {name: environment for name, environment in lock.environments.items() if name in used}
    environments = {**kept, **{name: found for name, found in own.items() if found is not None}}
    mine = tuple(sorted(set(bases)))
    images = {*mine, *(image for other in lock.others.values() for image in other.base_images)}
    digests = {**lock.base_images, **pins.digests}
    facts = {**lock.base_facts, **pins.facts}
    empty = BaseFacts()
    return Lock(
        dict(sorted(environments.items())),
        {name: names[one.digest] for name, one in sorted((n, o) for o in wanted for n in o.chainlets)},
        {image: digests[image] for image in sorted(images) if image in digests},
        {i: facts[i] for i in sorted(images) if i in digests and facts.get(i, empty) != empty},
        mine,
        dict(sorted(lock.others.items())),
    )  # fmt: skip


def without_gone(lock: Lock, files: frozenset[str]) -> Lock:
    """Forget the chains whose files are not there any more."""
    others: dict[str, OtherChain] = {n: o for n, o in lock.others.items() if n.partition(":")[0] in files}
    return Lock(
        lock.environments, lock.chainlets, lock.base_images, lock.base_facts, lock.own_base_images, others
    )


def stale(lock: Lock, wanted: Sequence[Wanted], bases: Iterable[str], path: str) -> tuple[Problem, ...]:
    """Return what a lock lacks, for a command that may not change it."""
    found = [problem for one in wanted for problem in _stale(lock, one, path)]
    missing = sorted(set(bases) - set(lock.base_images))
    found += [_outdated(f"the base image {image} is not pinned", path) for image in missing]
    return tuple(found)


def require_settled(lock: Lock, wanted: Sequence[Wanted], bases: Iterable[str], path: str) -> None:
    """Raise LockError where a lock lacks something."""
    problems = stale(lock, wanted, bases, path)
    if problems:
        raise LockError(problems)


def _stale(lock: Lock, one: Wanted, path: str) -> Iterator[Problem]:
    if _known(lock, one) is not None:
        for name in one.chainlets:
            if lock.chainlets.get(name) not in _names_of(lock, one):
                yield _outdated(f"`{name}` is not in the lock", path)
        return
    for name in one.chainlets:
        former = lock.environments.get(lock.chainlets.get(name, ""))
        if former is None:
            yield _outdated(f"`{name}` is not in the lock", path)
        elif (former.python, former.platform) != (one.python, one.platform):
            was, now = (f"Python {e.python} on {e.platform}" for e in (former, one))
            yield Problem(
                "CH0806", f"`{name}` is locked for {was}, and its image has {now}", path, help=_LOCK_IT
            )
        else:
            yield _outdated(f"`{name}` asks for other packages than were locked{_changes(former, one)}", path)


def _changes(former: Environment, one: Wanted) -> str:
    """Name the packages that are asked for and not locked, where that is what differs."""
    locked = {_canonical(package.name) for package in former.packages}
    new = sorted(
        {asked.name for asked in one.asked if asked.name and not asked.is_runtime and not asked.is_constraint}
        - locked
    )
    return f": {', '.join(new)} {'is' if len(new) == 1 else 'are'} new" if new else ""


def _outdated(message: str, path: str) -> Problem:
    return Problem("CH0808", message, path, help=_LOCK_IT)


def _known(lock: Lock, one: Wanted) -> Environment | None:
    return next((lock.environments[name] for name in _names_of(lock, one)), None)


def _names_of(lock: Lock, one: Wanted) -> list[str]:
    return [
        name for name, environment in sorted(lock.environments.items()) if environment.inputs == one.digest
    ]


def _former(lock: Lock, one: Wanted) -> Environment | None:
    """What the chainlets had before, or any environment for the same Python: the pins to keep."""
    for chainlet in one.chainlets:
        if lock.chainlets.get(chainlet) in lock.environments:
            return lock.environments[lock.chainlets[chainlet]]
    same = (e for e in lock.environments.values() if (e.python, e.platform) == (one.python, one.platform))
    return next(same, None)


def _fresh(name: str) -> Iterator[str]:
    yield name
    yield from (f"{name}-{number}" for number in range(2, 10_000))


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
