"""A model that sees requests and makes responses itself; what its imports need, a Truss server brings along."""

import fastapi
from fastapi.responses import JSONResponse, StreamingResponse


class Model:
    async def predict(self, inputs, request: fastapi.Request):
        if inputs.get("status"):
            raise fastapi.HTTPException(status_code=inputs["status"], detail="as asked")
        if inputs.get("stream"):
            return StreamingResponse(self._events(), media_type="text/event-stream")
        return JSONResponse({"agent": request.headers["x-agent"]}, headers={"x-model": "web"})

    async def chat_completions(self, inputs):
        return {"choices": [{"message": {"content": inputs["messages"][-1]["content"]}}]}

    async def _events(self):
        for number in range(3):
            yield f"data: {number}\n\n"
