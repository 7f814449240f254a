"""A websocket as the entrypoint, with another chainlet behind it; both ways to iterate and to ask."""

import truss_chains as chains
from truss.base import truss_config


class Upper(chains.ChainletBase):
    async def run_remote(self, text: str) -> str:
        return text.upper()


@chains.mark_entrypoint
class Front(chains.ChainletBase):
    remote_config = chains.RemoteConfig(
        options=chains.ChainletOptions(transport=truss_config.WebsocketOptions(ping_interval_seconds=30.0))
    )

    def __init__(self, upper=chains.depends(Upper)) -> None:
        self._upper = upper

    async def run_remote(self, websocket: chains.WebSocketProtocol) -> None:
        first = await websocket.receive_json()
        await websocket.send_json({"echo": first, "open": bool(websocket.is_connected())})
        async for text in await websocket.iter_text():
            await websocket.send_text(await self._upper.run_remote(text))
            if text == "last":
                return
