"""What `import chainctl as chains` gives, and what the files that run in a container may import."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import chainctl

PACKAGE = Path(chainctl.__file__).parent
ROOMS = ("sdk", "wire", "telemetry", "segments", "truss", "calls", "worker", "server")
CONTAINER_FILES = sorted(
    [
        PACKAGE / name
        for name in ("errors.py", "version.py", "__init__.py", "pydantic_numpy.py", "streaming.py")
    ]
    + [p for room in ROOMS for p in (PACKAGE / room).rglob("*.py")]
)
CONTAINER_PACKAGES = {
    *("greenlet", "httptools", "msgpack", "prometheus_client", "pydantic", "pydantic_core"),
    *("typing_extensions", "uvicorn", "uvloop"),
}
CONTAINER_ROOMS = ("errors", "version", "pydantic_numpy", "streaming", *ROOMS)


@pytest.mark.parametrize("name", [n for n in chainctl.__all__ if n != "push"])
def test_public_name_exists(name: str) -> None:
    """Each public name can be used, and comes from where it is said to live."""
    assert getattr(chainctl, name) is not None
    assert name in dir(chainctl)


def test_public_names_are_listed_once_and_sorted() -> None:
    """The list is what type checkers see: sorted, without repetition, each with a home."""
    assert list(chainctl.__all__) == sorted(set(chainctl.__all__))
    assert set(chainctl.__all__) - {"__version__"} == set(chainctl._HOMES)


def test_unknown_name_is_an_attribute_error() -> None:
    """A name that is not there says so, and `hasattr` works."""
    with pytest.raises(AttributeError, match="no attribute 'dependz'"):
        _ = chainctl.dependz
    assert not hasattr(chainctl, "dependz")


def test_names_of_the_older_api() -> None:
    """A file that imports these names from the older package finds them here."""
    older = (
        "Assets BasetenImage ChainletBase ChainletOptions Compute CustomImage DeployedServiceDescriptor"
        " DeploymentContext DockerImage Environment GenericRemoteException RPCOptions RemoteConfig"
        " RemoteErrorDetail StubBase depends depends_context make_abs_path_here mark_entrypoint push run_local"
    )
    assert set(older.split()) <= set(chainctl.__all__)


def test_import_is_light() -> None:
    """Importing the package loads nothing but its version: names are loaded when they are used."""
    code = "import sys; import chainctl; print(sorted(m for m in sys.modules if m.startswith('chainctl')))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "['chainctl', 'chainctl.version']"


_CHOSEN = {"pydantic_numpy.py": frozenset(["numpy"]), "forwarded_websocket.py": frozenset(["websockets"])}
"""What only some images have, by the file that only they need."""


@pytest.mark.parametrize("path", CONTAINER_FILES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_container_side_is_closed(path: Path) -> None:
    """What is copied into images imports the standard library, itself, and what images install."""
    allowed = sys.stdlib_module_names | CONTAINER_PACKAGES | _CHOSEN.get(path.name, frozenset())
    outside = [name for name in _imports(path) if not _is_allowed(name, allowed)]
    assert outside == []


def _is_allowed(name: str, allowed: frozenset[str]) -> bool:
    root, _, rest = name.partition(".")
    return root in allowed or (root == "chainctl" and rest.split(".")[0] in CONTAINER_ROOMS)


def _imports(path: Path) -> Iterator[str]:
    """All imported modules, except those that only type checkers see and those of a function."""
    waiting: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0
            yield node.module or ""
        elif not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)):
            waiting += ast.iter_child_nodes(node)


def test_python_310_can_parse_the_container_side() -> None:
    """Images may have Python 3.10, so the files that run in them use no newer syntax."""
    for path in CONTAINER_FILES:
        ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 10))
