"""One verb a file: its arguments in, one workflow called, its result printed."""
