"""Batches of one live run, which alert at once, and what an alert was about."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Backfill id 0 is the stream of scheduled runs that catch up: Airflow's own ids begin with
    1."""
    op.execute("""
        ALTER TABLE ops.batches DROP CONSTRAINT batches_kind_check;
        ALTER TABLE ops.batches ADD CONSTRAINT batches_kind_check
            CHECK (kind IN ('backfill', 'rerun', 'catchup', 'live'));
        CREATE TABLE ops.alerts (
            dag_id      text NOT NULL,
            fingerprint text NOT NULL,
            sent_at     timestamptz NOT NULL,
            withheld    int NOT NULL DEFAULT 0,
            PRIMARY KEY (dag_id, fingerprint)
        );
        COMMENT ON COLUMN ops.alerts.withheld IS 'live failures of this kind since sent_at that sent no mail';
    """)
