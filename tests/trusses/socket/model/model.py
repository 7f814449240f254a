"""A model that is called by websocket."""


class Model:
    async def websocket(self, websocket):
        await websocket.send_text(f"hello {await websocket.receive_text()}")
