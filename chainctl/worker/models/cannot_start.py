"""Why a model cannot start, where that is no fault of its code: for its log, without a traceback."""

from __future__ import annotations

from chainctl.errors import ChainctlError


class CannotStartError(ChainctlError):
    """What a model needs before it is created cannot be had: a file of its, or the server that it is."""

    @property
    def text(self) -> str:
        """All of it, as its log shows it."""
        return "\n".join([str(self), *self.details])
