"""Prints and log records of user code in; one line of JSON each, with the ids of its call, out."""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from typing import Any, Optional, TextIO

from chainctl.server.log_stream import LineStream
from chainctl.wire.log_line import LogEvent, format_event, shortened
from chainctl.worker.redaction import RedactingFormatter, redact

CurrentCall = Callable[[], Optional[tuple[str, str]]]
"""Returns (request_id, trace_id) of the call being run, None outside of calls."""

TEXT_FORMAT = "%(levelname)s %(name)s: %(message)s"
FORMAT_VARIABLE = "CHAINCTL_LOG_FORMAT"


def install(
    chainlet: str,
    service: str,
    current: CurrentCall,
    *,
    level: int = logging.INFO,
    environ: Mapping[str, str] = os.environ,
) -> LogLines:
    """Take over the root logger, sys.stdout, sys.stderr and uncaught exceptions of this process.

    With CHAINCTL_LOG_FORMAT=text nothing but the root logger is set up, as text.
    """
    lines = LogLines(chainlet, service, current)
    if environ.get(FORMAT_VARIABLE, "").strip().lower() == "text":
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(RedactingFormatter(logging.Formatter(TEXT_FORMAT)))
        logging.basicConfig(level=level, handlers=[handler])
    else:
        lines.take_over(level)
    return lines


class LogLines:
    """Makes the lines. `restore` gives back what was taken over."""

    def __init__(self, chainlet: str, service: str, current: CurrentCall) -> None:
        self._names = (chainlet, service)
        self._current = current
        self._undo: list[Callable[[], None]] = []
        self._streams: tuple[LineStream, ...] = ()

    def take_over(self, level: int) -> None:
        """Begin. What was printed before and not flushed comes out first."""
        root = logging.getLogger()
        before = (sys.stdout, sys.stderr, sys.excepthook, threading.excepthook, root.handlers[:], root.level)
        self._undo.append(lambda: self._put_back(*before))
        sys.stdout.flush()
        sys.stderr.flush()
        out = LineStream(sys.stdout, lambda text: self.printed("stdout", text))
        err = LineStream(sys.stderr, lambda text: self.printed("stderr", text))
        self._streams = (out, err)
        sys.stdout, sys.stderr = out, err
        root.handlers[:] = [_JsonHandler(self, err)]
        root.setLevel(level)
        sys.excepthook = _log_uncaught
        threading.excepthook = _log_uncaught_in_thread
        logging.captureWarnings(True)
        atexit.register(self.flush)

    def flush(self) -> None:
        """Write lines that were begun and never ended."""
        for stream in self._streams:
            stream.finish()

    def restore(self) -> None:
        """Give everything back. For tests, and for whoever ends without exiting."""
        self.flush()
        while self._undo:
            self._undo.pop()()

    def printed(self, stream: str, message: str) -> bytes:
        """Return the line of something printed."""
        return format_event(self._event("INFO", message, stream=stream))

    def logged(self, record: logging.LogRecord, message: str) -> bytes:
        """Return the line of a log record."""
        time = datetime.fromtimestamp(record.created, timezone.utc)
        return format_event(self._event(record.levelname, shortened(message), time, logger=record.name))

    def _event(self, level: str, message: str, time: Optional[datetime] = None, **more: str) -> LogEvent:
        request_id, trace_id = self._current() or ("", "")
        chainlet, service = self._names
        return LogEvent(
            time=_iso(time or datetime.now(timezone.utc)),
            level=level,
            chainlet=chainlet,
            message=redact(message),
            service=service,
            request_id=request_id,
            trace_id=trace_id,
            **more,
        )

    def _put_back(
        self,
        out: TextIO,
        err: TextIO,
        hook: Callable[..., Any],
        thread_hook: Callable[..., Any],
        handlers: list[logging.Handler],
        level: int,
    ) -> None:
        atexit.unregister(self.flush)
        sys.stdout, sys.stderr, sys.excepthook, threading.excepthook = out, err, hook, thread_hook
        logging.captureWarnings(False)
        root = logging.getLogger()
        root.handlers[:] = handlers
        root.setLevel(level)


class _JsonHandler(logging.Handler):
    """Writes records to the real stderr. A record that cannot be formatted is told there, and goes."""

    def __init__(self, lines: LogLines, stream: LineStream) -> None:
        super().__init__()
        self._lines = lines
        self._stream = stream

    def emit(self, record: logging.LogRecord) -> None:
        try:
            self._stream.put(self._lines.logged(record, self.format(record)))
        except Exception:  # noqa: BLE001  # a user's own arguments are formatted here
            self.handleError(record)


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    logging.getLogger("chainctl.server").critical("uncaught exception", exc_info=(kind, error, trace))


def _log_uncaught_in_thread(args: threading.ExceptHookArgs) -> None:
    if args.exc_value is None or args.exc_type is SystemExit:
        return
    name = args.thread.name if args.thread else "?"
    logging.getLogger("chainctl.server").error(
        "uncaught exception in thread %s", name, exc_info=(args.exc_type, args.exc_value, args.exc_traceback)
    )


def _iso(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
