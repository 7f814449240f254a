"""A chain's name and arguments in; its answer on stdout out."""

from __future__ import annotations

import codecs
import json
import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from chainctl.cli.console import Console
from chainctl.cli.surroundings import secret_sources, settings_for
from chainctl.cli.tracing import TracedCall
from chainctl.cli.wiring import world_of
from chainctl.errors import CallFailedError, UsageError
from chainctl.workflows.call import Answer, call


def call_chain(
    chain: str,
    data: str | None,
    *,
    target: str | None,
    timeout_sec: float,
    insecure: bool,
    with_trace: bool,
    as_json: bool,
) -> None:
    """Find the chain's URL, call it, print. Raises CallFailedError, UsageError."""
    body = request_body(data)
    world = world_of(chain, settings_for(target=target), Console().line)
    settings = world.settings
    observed = world.target.observe(chain)
    door = observed.front_door
    if door is None:
        raise CallFailedError(f"{chain} has no front door", hint="push it again.")
    key = api_key(secret_sources(settings).find(settings.api_key_secret or ""))
    entry = observed.service(door.route or "")
    traced = TracedCall(world.target, chain, entry.chainlet if entry else chain) if with_trace else None
    with traced or nullcontext():
        answer = call(
            door.url,
            body,
            chain=chain,
            api_key=key,
            timeout_sec=timeout_sec,
            insecure=insecure,
            traceparent=traced.traceparent if traced else "",
            connect=lambda: world.target.connect(chain),
        )
        _print(answer, as_json=as_json)


def _print(answer: Answer, *, as_json: bool) -> None:
    if answer.is_json:
        sys.stdout.write(answer_text(answer.read(), as_json=as_json))
        return
    for chunk in answer.chunks:
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()


def request_body(data: str | None) -> bytes:
    """Read the JSON to send: given, from a file (@FILE), or from stdin (-). Raises UsageError.

    It is an object, unless a model of Truss takes it, which has one input.
    """
    if data is None:
        raw = b"{}" if sys.stdin is None or sys.stdin.isatty() else sys.stdin.buffer.read() or b"{}"
    elif data == "-":
        raw = sys.stdin.buffer.read()
    elif data.startswith("@"):
        raw = _file_bytes(Path(data[1:]))
    else:
        raw = os.fsencode(data)
    body = raw.removeprefix(codecs.BOM_UTF8)
    try:
        json.loads(body.decode())
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"the arguments are no JSON: {error}", hint="""quote them: '{"name": "value"}'."""
        ) from None
    return body


def answer_text(body: bytes, *, as_json: bool) -> str:
    """Show an answer: a string as it is, other JSON indented, anything else as text."""
    text = body.decode(errors="replace")
    try:
        value: Any = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if as_json:
        return text + "\n"
    shown = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    return shown + "\n"


def _file_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error


def api_key(secret: bytes | None) -> str | None:
    """Return the key to call with: the one in CHAINCTL_API_KEY, or else the chain's own."""
    given = os.environ.get("CHAINCTL_API_KEY")
    return given or (secret.decode().strip() if secret else None)
