"""Spans of calls in; the last of them, counts and metrics of all out."""
