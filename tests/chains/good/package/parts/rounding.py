def rounded(number: float) -> float:
    return round(number, 3)
