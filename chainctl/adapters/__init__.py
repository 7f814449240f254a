"""Implementations of the protocols: Docker, local processes, files. Only here is the world touched."""
