"""`chainctl check chain.py`: everything that is wrong with a chain, at once."""

from __future__ import annotations

from chainctl.cli.options import FileArgument, JsonOption


def check(file: FileArgument, as_json: JsonOption = False) -> None:
    """Check a chain file: types, dependencies, configuration, requirements. Builds nothing."""
    from chainctl.cli.console import Console
    from chainctl.cli.loading import load_graph
    from chainctl.cli.output import print_result
    from chainctl.errors import ChainDefinitionError

    try:
        graph = load_graph(file)
    except ChainDefinitionError as error:
        if as_json:
            print_result("", {"ok": False, "problems": problems_json(error.problems)}, as_json=True)
        raise
    Console().problems(graph.warnings)
    chainlets = _counted(len(graph.chainlets), "chainlet", "chainlets")
    dependencies = _counted(len(graph.edges), "dependency", "dependencies")
    what = f"{chainlets}, {dependencies}, entrypoint {graph.entrypoint}"
    value = {"ok": True, "chain": graph.chain, "problems": problems_json(graph.warnings)}
    print_result(f"{graph.chain}: {what}", value, as_json=as_json)


def problems_json(problems: object) -> object:
    """Problems as JSON values."""
    from pydantic import TypeAdapter

    from chainctl.errors import Problem

    return TypeAdapter(tuple[Problem, ...]).dump_python(problems, mode="json")  # type: ignore[arg-type]  # a tuple of them


def _counted(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"
