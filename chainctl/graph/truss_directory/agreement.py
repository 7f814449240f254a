"""A configuration whose values were read in; what is wrong with how they go together out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from chainctl.calls.address import SERVICE_PORT
from chainctl.graph.truss_directory.findings import START, Findings, Place
from chainctl.graph.truss_directory.keys import WEBSOCKET
from chainctl.graph.truss_directory.kinds import is_empty
from chainctl.graph.truss_directory.nodes import Listing, Node, Scalar, Table


def check_agreement(tree: Table, config: Mapping[str, Any], found: Findings) -> None:
    """Note what contradicts itself. Values that were not accepted are passed over."""
    _check_image(tree, config, found)
    _check_transport(tree, config["runtime"], found)
    _check_server(tree, found)
    _check_caches(tree, config, found)
    _check_external_data(tree, config, found)


def place_of(tree: Node, *steps: str | int) -> Place:
    """Where a key, or an item of a list, stands; of one that is not there, what it would stand in."""
    return _walk(tree, steps)[0]


def _value(tree: Node, *steps: str | int) -> Node | None:
    """The node of a key, or of an item of a list; None where it is not there."""
    _, node, is_there = _walk(tree, steps)
    return node if is_there else None


def _says(tree: Node, *steps: str | int) -> bool:
    """Say whether a key is written with a value, of whatever kind."""
    node = _value(tree, *steps)
    return node is not None and not is_empty(node)


def _walk(tree: Node, steps: Sequence[str | int]) -> tuple[Place, Node, bool]:
    """Follow keys and positions as far as they lead, and say whether that is to the end."""
    place, node = START, tree
    for step in steps:
        if isinstance(node, Table) and isinstance(step, str) and (entry := node.entry(step)) is not None:
            place, node = entry.key.place, entry.node
        elif isinstance(node, Listing) and isinstance(step, int) and step < len(node.items):
            place, node = node.items[step].place, node.items[step]
        else:
            return place, node, False
    return place, node, True


def lines_of(tree: Table) -> dict[str, int]:
    """The line of each key at the top, and of those in a section as `section.key`."""
    return dict(_lines(tree, ""))


def _lines(tree: Table, prefix: str) -> Iterator[tuple[str, int]]:
    for entry in tree.entries:
        yield f"{prefix}{entry.key.text}", entry.key.place.line
        if isinstance(entry.node, Table) and not prefix:
            yield from _lines(entry.node, f"{entry.key.text}.")


def _check_image(tree: Table, config: Mapping[str, Any], found: Findings) -> None:
    if config["requirements"] and config["requirements_file"]:
        found.add(
            place_of(tree, "requirements_file"),
            "`requirements` and `requirements_file` are both written",
            help="move what `requirements` lists into the file",
        )
    if isinstance(_value(tree, "base_image"), Table) and not _says(tree, "base_image", "image"):
        found.add(
            place_of(tree, "base_image"),
            "`base_image` names no image",
            help="write `image: repository:tag` in it, or take `base_image` out for the image of `python_version`",
        )
    if config["base_image"] is None and config["python_version"] == "py39":
        found.add(
            place_of(tree, "python_version"),
            "the runtime in the image does not support Python 3.9",
            help="write `python_version: py310` or a newer one",
            code="CH0509",
        )


def _check_transport(tree: Table, runtime: Mapping[str, Any], found: Findings) -> None:
    transport = runtime["transport"]
    kind = transport["kind"]
    if kind == "grpc":
        found.add(
            place_of(tree, "runtime", "transport", "kind"),
            "`runtime.transport.kind` is grpc, and calls are HTTP or websocket here",
            help="leave it out, and serve the model's answers by `predict`",
        )
    is_websocket = kind == WEBSOCKET or bool(runtime["is_websocket_endpoint"])
    for name in ("ping_interval_seconds", "ping_timeout_seconds"):
        if transport[name] is not None and not is_websocket:
            found.add(
                place_of(tree, "runtime", "transport", name),
                f"`runtime.transport.{name}` is of websockets, and the transport is {kind}",
                help=f"write `kind: {WEBSOCKET}` beside it, or take it out",
            )


def _check_server(tree: Table, found: Findings) -> None:
    is_section = isinstance(_value(tree, "docker_server"), Table)
    if is_section and not _says(tree, "docker_server", "start_command"):
        found.add(
            place_of(tree, "docker_server"),
            "`docker_server` has no `start_command`",
            help="write the command that starts the server of the image; its own entrypoint is not run",
        )
    port = _value(tree, "docker_server", "server_port")
    if isinstance(port, Scalar) and port.value == SERVICE_PORT:
        found.add(
            port.place,
            f"`docker_server.server_port` is {SERVICE_PORT}, where the service itself listens",
            help="let the server listen elsewhere, as its `start_command` can say, and write that port",
        )


def _check_caches(tree: Table, config: Mapping[str, Any], found: Findings) -> None:
    folders: dict[str, int] = {}
    for index, cache in enumerate(config["model_cache"]):
        folder = cache["volume_folder"]
        place = place_of(tree, "model_cache", index)
        if not cache["use_volume"]:
            continue
        if not _says(tree, "model_cache", index, "volume_folder"):
            found.add(
                place,
                f"`model_cache[{index}]` has `use_volume` and no `volume_folder`",
                help="write `volume_folder: NAME`: its files are in /app/model_cache/NAME",
            )
        elif folder and folder in folders:
            message = f"`model_cache[{index}]` and `model_cache[{folders[folder]}]` have one `volume_folder`"
            found.add(place, f"{message}: {folder}", help="give each its own")
        folders.setdefault(folder, index)


def _check_external_data(tree: Table, config: Mapping[str, Any], found: Findings) -> None:
    paths: dict[str, int] = {}
    for index, item in enumerate(config["external_data"] or ()):
        path = item["local_data_path"]
        if path and path in paths:
            message = f"`external_data[{index}]` and `external_data[{paths[path]}]` are for one file"
            found.add(
                place_of(tree, "external_data", index), f"{message}: {path}", help="give each its own path"
            )
        paths.setdefault(path, index)
