"""One task per endpoint: a row per try, with the phase that it came to."""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """``task`` becomes ``phase``, and a try has one row."""
    op.execute("""
        ALTER TABLE ops.outcomes RENAME COLUMN task TO phase;
        ALTER TABLE ops.outcomes DROP CONSTRAINT outcomes_dag_id_endpoint_day_run_id_task_attempt_key;
        ALTER TABLE ops.outcomes ADD UNIQUE (dag_id, endpoint, day, run_id, attempt);
    """)
