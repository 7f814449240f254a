"""Edited source texts in; the same chainlet, running the new code from its next request on, out."""
