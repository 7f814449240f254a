import pydantic


class Box(pydantic.BaseModel):
    width: float
