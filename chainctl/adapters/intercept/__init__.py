"""A chainlet that runs on the developer's machine in; requests of a running chain led to it, and back, out."""
