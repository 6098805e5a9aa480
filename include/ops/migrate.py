"""Brings the schema ``ops`` to the newest revision. The only module that imports alembic and
SQLAlchemy."""

from __future__ import annotations

from pathlib import Path

from include.ops.db import SCHEMA, connect

# Any constant will do, as long as every version of this package takes the same one.
_LOCK = 0x6E626F7073


def migrate(url: str) -> None:
    """Apply every missing revision in one transaction: all or nothing. Idempotent; a second caller
    waits its turn."""
    import sqlalchemy
    from alembic import command
    from alembic.config import Config

    engine = sqlalchemy.create_engine(
        "postgresql+psycopg://",
        creator=lambda: connect(url, application_name="nba migrate"),
        poolclass=sqlalchemy.NullPool,
    )
    with engine.begin() as connection:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        connection.exec_driver_sql(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        config = Config()
        config.set_main_option(
            "script_location", str(Path(__file__).parent / "migrations").replace("%", "%%")
        )
        config.set_main_option("path_separator", "os")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
