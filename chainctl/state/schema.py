"""The version of the tables that this chainctl writes and reads; whoever finds a newer one refuses it."""

SCHEMA_VERSION = 1
