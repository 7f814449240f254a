"""A chainlet's class in, its answers out: boots user code, runs calls, stubs the chainlets it calls."""
