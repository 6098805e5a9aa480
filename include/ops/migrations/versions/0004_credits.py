"""The credit ledger: a balance per account and month, the reservations under way, and every booking
that was made."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """The sum of a month's entries is its billed + open_live + open_backfill."""
    op.execute("""
        CREATE TABLE ops.credit_months (
            account          text NOT NULL,
            month            date NOT NULL,
            billed           int NOT NULL DEFAULT 0,
            open_live        int NOT NULL DEFAULT 0,
            open_backfill    int NOT NULL DEFAULT 0,
            spent_live       int NOT NULL DEFAULT 0,
            spent_backfill   int NOT NULL DEFAULT 0,
            backfill_since   date,
            upstream_total   int,
            last_reservation bigint NOT NULL DEFAULT 0,
            settled_through  bigint NOT NULL DEFAULT 0,
            PRIMARY KEY (account, month)
        );
        COMMENT ON COLUMN ops.credit_months.billed IS 'what the upstream itself says was used';
        COMMENT ON COLUMN ops.credit_months.settled_through IS
            'the newest reservation when the last bill came in: a later one''s bill includes all that were settled';

        CREATE TABLE ops.credit_reservations (
            reservation_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            account        text NOT NULL,
            month          date NOT NULL,
            purpose        text NOT NULL CHECK (purpose IN ('live', 'backfill')),
            amount         int  NOT NULL,
            reserved_at    timestamptz NOT NULL,
            settled        boolean NOT NULL DEFAULT false
        );
        COMMENT ON TABLE ops.credit_reservations IS 'counted as spent until a bill that must include them comes in';
        CREATE INDEX credit_reservations_open ON ops.credit_reservations (account, month, reserved_at);

        CREATE TABLE ops.credit_entries (
            entry_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            at             timestamptz NOT NULL,
            account        text NOT NULL,
            month          date NOT NULL,
            kind           text NOT NULL CHECK (kind IN ('reserve', 'settle', 'refund', 'adjust')),
            purpose        text NOT NULL,
            reservation_id bigint NOT NULL,
            amount         int NOT NULL
        );
        CREATE INDEX credit_entries_month ON ops.credit_entries (account, month);
    """)
