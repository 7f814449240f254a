"""The child interpreter of a run with fakes: as `child`, and checks the classes that stand for chainlets.

`python -m chainctl.graph.fake_child DESCRIPTOR JSON FAKES`, where FAKES is JSON too.
"""

from __future__ import annotations

import os
import sys
import warnings
from dataclasses import replace

from pydantic import TypeAdapter

from chainctl.graph.chain_file import ChainFile
from chainctl.graph.child import examine
from chainctl.graph.fakes import FakeFile, describe_fakes
from chainctl.graph.graph import Introspection


def main(arguments: list[str]) -> None:
    """Do the work of the child: import, check, answer."""
    descriptor, request, wanted = int(arguments[0]), arguments[1], arguments[2]
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    file = TypeAdapter(ChainFile).validate_json(request)
    fakes = TypeAdapter(tuple[FakeFile, ...]).validate_json(wanted)
    answer = TypeAdapter(Introspection).dump_json(examine_with_fakes(file, fakes))
    with os.fdopen(descriptor, "wb") as out:
        out.write(answer)


def examine_with_fakes(file: ChainFile, fakes: tuple[FakeFile, ...]) -> Introspection:
    """Describe a chain and what stands for its chainlets; problems of either leave no graph."""
    found = examine(file, [])
    if found.graph is None:
        return found
    sys.path += [str(fake.file.root) for fake in fakes]
    described = describe_fakes(found.graph, file, fakes)
    if described.problems:
        return Introspection(described.problems)
    return replace(found, fakes=described.specs)


if __name__ == "__main__":
    main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(0)  # threads and exit hooks of the user's code do not hold up the answer
