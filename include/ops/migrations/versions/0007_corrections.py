"""What an upstream has corrected since a date was loaded before."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """A load names up to 200 changes and counts all of them."""
    op.execute("""
        ALTER TABLE ops.outcomes
            ADD COLUMN changes text[] NOT NULL DEFAULT '{}',
            ADD COLUMN changes_total int NOT NULL DEFAULT 0;
        COMMENT ON COLUMN ops.outcomes.changes IS
            'what the upstream had corrected, found by a load; the first of changes_total';
    """)
