"""The child interpreter: a ChainFile as JSON in its arguments in; an Introspection as JSON out.

`python -m chainctl.graph.child DESCRIPTOR JSON` imports the user's file and writes the answer to
the file descriptor. Whatever the user's code prints goes to stderr.
"""

from __future__ import annotations

import os
import sys
import warnings
from dataclasses import replace

from pydantic import TypeAdapter

from chainctl.errors import Problem
from chainctl.graph.chain_file import ChainFile
from chainctl.graph.components import component_text
from chainctl.graph.graph import Introspection
from chainctl.graph.import_file import import_chain
from chainctl.graph.introspect import introspect
from chainctl.graph.placeholders import PlaceholderFinder
from chainctl.truss import alias


def main(arguments: list[str]) -> None:
    """Do the work of the child: import, check, answer."""
    descriptor, request = int(arguments[0]), arguments[1]
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    file = TypeAdapter(ChainFile).validate_json(request)
    answer = TypeAdapter(Introspection).dump_json(examine(file, arguments[2:]))
    with os.fdopen(descriptor, "wb") as out:
        out.write(answer)


def examine(file: ChainFile, extra_paths: list[str]) -> Introspection:
    """Import a chain file, with placeholders for what is missing, and describe it."""
    sys.path[:0] = [str(file.root), str(file.path.parent), *extra_paths]
    alias.install()
    never = frozenset(sys.stdlib_module_names) | {"chainctl"} | alias.ROOTS
    sys.meta_path.append(PlaceholderFinder(never))
    if file.is_truss:
        from chainctl.graph.truss_model import introspect_truss

        return introspect_truss(file)
    module = import_chain(file)
    if isinstance(module, Problem):
        return Introspection((module,))
    found = introspect(module, file)
    if found.graph is None:
        return found
    components = component_text(module, file)
    if isinstance(components, Problem):
        return Introspection((components,))
    return Introspection(found.problems, replace(found.graph, component_text=components))


if __name__ == "__main__":
    main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(0)  # threads and exit hooks of the user's code do not hold up the answer
