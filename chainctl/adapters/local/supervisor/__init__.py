"""A run directory in, a process that owns the services and the front door of one chain out."""
