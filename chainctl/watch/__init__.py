"""Edits of a chain's files in; what each means, and the smallest safe action for each chainlet, out. Pure."""
