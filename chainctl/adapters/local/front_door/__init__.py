"""Connections of callers in, their requests passed on to the routed service and its answers out."""
