"""Python values in, bytes that cross a process border out, and back. Formats only, no input or output."""
