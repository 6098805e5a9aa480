"""What is known of the proxies' health: the addresses that failed since they last reached their
upstream."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """An address without a row is well (see include/limits/health.py)."""
    op.execute("""
        CREATE TABLE ops.address_health (
            name        text PRIMARY KEY,
            failures    int  NOT NULL,
            cooldown_until timestamptz,
            told        uuid NOT NULL
        );
        COMMENT ON COLUMN ops.address_health.cooldown_until IS 'from then on one claim, the probe, is granted';
        COMMENT ON COLUMN ops.address_health.told IS
            'the failure or probe that was written last: when it is written again, it changes nothing';
    """)
