def fail() -> None:
    raise RuntimeError("not today")


fail()
