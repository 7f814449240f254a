import chainctl as chains


class Upper(chains.ChainletBase):
    async def run_remote(self, text: str) -> str:
        return text.upper()


@chains.mark_entrypoint("talk")
class Talk(chains.ChainletBase):
    remote_config = chains.RemoteConfig(
        options=chains.ChainletOptions(
            transport=chains.WebsocketOptions(ping_interval_seconds=5, ping_timeout_seconds=2.5)
        )
    )

    def __init__(
        self,
        upper: Upper = chains.depends(Upper, retries=2, idempotent=True, hedge_after_sec=1, circuit_breaker=True),
    ) -> None:
        self._upper = upper

    async def run_remote(self, websocket: chains.WebSocketProtocol) -> None:
        async for text in websocket.iter_text():
            await websocket.send_text(await self._upper.run_remote(text))
