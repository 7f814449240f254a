"""The tables of the state, as SQLAlchemy Core knows them. Importing this takes a fifth of a second.

Data are TEXT, not a database's own JSON: the same bytes on every database, and no character is refused.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()


def _names() -> list[Column[str]]:
    return [Column(name, Text, nullable=False) for name in ("namespace", "component", "identifier")]


meta = Table("meta", metadata, Column("key", Text, primary_key=True), Column("value", Text, nullable=False))

revision = Table(
    "revision",
    metadata,
    Column("id", Integer, primary_key=True),
    *_names(),
    Column("version", Integer, nullable=False),
    Column("rev", Integer, nullable=False),
    Column("uuid", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Column("breaking", Text, nullable=False),
    Column("data", Text, nullable=False),
    Column("node", Text, nullable=False),
    Column("is_created", Boolean, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("user", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("source_revision", Text, nullable=False),
    Column("tool_version", Text, nullable=False),
    UniqueConstraint("namespace", "component", "identifier", "rev"),
)

head = Table(
    "head",
    metadata,
    *(Column(name, Text, primary_key=True) for name in ("namespace", "component", "identifier")),
    Column("revision_id", Integer, ForeignKey("revision.id"), nullable=False),
    Column("status", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("owner", Text, nullable=False),
)

job = Table(
    "job",
    metadata,
    Column("revision_id", Integer, ForeignKey("revision.id"), primary_key=True),
    Column("method", Text, primary_key=True),
    Column("place", Integer, nullable=False),
    Column("depends_on", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("result", Text),
    Column("error", Text),
    Column("started_at", Float),
    Column("ended_at", Float),
)

edge = Table(
    "edge",
    metadata,
    Column("namespace", Text, primary_key=True),
    Column("component", Text, primary_key=True),
    Column("identifier", Text, primary_key=True),
    Column("child_component", Text, primary_key=True),
    Column("child_identifier", Text, primary_key=True),
    Index("edge_child", "namespace", "child_component", "child_identifier"),
)

artifact_ref = Table(
    "artifact_ref",
    metadata,
    Column("revision_id", Integer, ForeignKey("revision.id"), primary_key=True),
    Column("sha256", Text, primary_key=True, index=True),
)

variable = Table(
    "variable",
    metadata,
    *(
        Column(name, Text, primary_key=True)
        for name in ("namespace", "chain", "environment", "chainlet", "name")
    ),
    Column("value", Text, nullable=False),
)

lock = Table(
    "lock",
    metadata,
    Column("namespace", Text, primary_key=True),
    Column("scope", Text, primary_key=True),
    Column("token", Text, nullable=False),
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("process_started", Text, nullable=False),
    Column("user", Text, nullable=False),
    Column("acquired_at", Float, nullable=False),
    Column("heartbeat", Float, nullable=False),
)
