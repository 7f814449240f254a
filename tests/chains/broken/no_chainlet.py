# expect: CH0106 line 1
def run_remote(name: str) -> str:
    return name
