"""A class `Model` with `load` and `predict` in; a Worker that runs its calls, outside of any chain file, out."""
