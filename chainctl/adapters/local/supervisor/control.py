"""Lines on the control socket in, answers of the chain's run out."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from pydantic import ValidationError

from chainctl.adapters.local.protocol import LINE_LIMIT, Answer, Call, Refused, Reply, Shutdown
from chainctl.adapters.local.supervisor.chain_run import ChainRun
from chainctl.errors import ChainctlError

_log = logging.getLogger("chainctl.supervisor")
_MISMATCH = Refused(
    message="The supervisor of this chain was started by another version of chainctl",
    hint="take the chain down with `chainctl down`, then push it again",
)


class Control:
    """The control socket. One request a connection; what was asked is done though the asker leaves."""

    def __init__(self, run: ChainRun) -> None:
        self.finished = asyncio.Event()
        self._run = run

    async def open(self, path: Path) -> asyncio.Server:
        path.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(self._serve, str(path), limit=LINE_LIMIT)
        path.chmod(0o600)
        return server

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            line = await reader.readline()
            if not line:
                return
            reply, is_last = await self._reply_to(line)
            writer.write(reply.model_dump_json().encode() + b"\n")
            await writer.drain()
            if is_last:
                self.finished.set()
        except (ConnectionError, ValueError):
            _log.warning("a control connection broke off")
        finally:
            writer.close()

    async def _reply_to(self, line: bytes) -> tuple[Reply, bool]:
        try:
            call = Call.model_validate_json(line)
        except ValidationError:
            return Reply(reply=_MISMATCH), False
        answer = await self._answer(call)
        return Reply(reply=answer), isinstance(call.request, Shutdown)

    async def _answer(self, call: Call) -> Answer:
        try:
            return await self._run.answer(call.request)
        except ChainctlError as error:
            return Refused(message=error.message, hint=error.hint, details=error.details)
        except Exception as error:  # noqa: BLE001 - the outer boundary of this process
            _log.exception("a request failed")
            return Refused(message=f"The supervisor failed: {error!r}")
