"""Has a data file beside it."""
