"""HTTP requests in, a Worker's answers out: the front of one running chainlet, as an ASGI app."""
