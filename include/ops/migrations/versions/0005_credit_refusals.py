"""What the upstream said of the allowance counts until a larger one is declared: a plan was
raised."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """0 in both: nothing was said."""
    op.execute("""
        ALTER TABLE ops.credit_months
            ADD COLUMN told_under      int NOT NULL DEFAULT 0,
            ADD COLUMN exhausted_under int NOT NULL DEFAULT 0;
        COMMENT ON COLUMN ops.credit_months.told_under IS 'the declared allowance when upstream_total was told';
        COMMENT ON COLUMN ops.credit_months.exhausted_under IS
            'the declared allowance when the upstream said that the month is used up';
    """)
