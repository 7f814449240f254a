"""A chain with two Truss directories as members, both of which call their module `model`."""

import asyncio

import truss_chains as chains
from truss_chains.remote_chainlet.truss_chainlet import TrussHandle


class Whole(chains.TrussChainlet):
    truss_dir = "../whole"


class Streaming(chains.TrussChainlet):
    truss_dir = "../stream"


@chains.mark_entrypoint("members")
class Front(chains.ChainletBase):
    remote_config = chains.RemoteConfig(compute=chains.Compute(cpu_count=1, memory="256Mi"))

    def __init__(
        self, whole: TrussHandle = chains.depends(Whole), streaming: TrussHandle = chains.depends(Streaming)
    ) -> None:
        self._whole = whole
        self._streaming = streaming

    async def run_remote(self, name: str) -> list[str]:
        whole, streamed, text = await asyncio.gather(
            self._whole.run_remote({"name": name}),
            self._streaming.run_remote({"text": name, "stream": True}),
            self._streaming.run_remote({"text": name}),
        )
        return [whole["text"], streamed, text["text"]]
