"""A pause takes back the moments that are booked ahead, so a 429 stops at once whoever is not
sending yet."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """A waiting request is confirmed when its moment has come; a pause deletes those that are not
    confirmed."""
    op.execute("""
        ALTER TABLE ops.limiter_requests ADD COLUMN confirmed boolean NOT NULL DEFAULT false;

        -- True: send now. False: the moment was taken back or has passed by more than max_late; ask again.
        -- The row is updated, not only read: so a pause at the same time either waits for this or is waited for.
        CREATE FUNCTION ops.limiter_confirm(booked_id bigint, max_late interval) RETURNS boolean
        LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM set_config('synchronous_commit', 'off', true);
            UPDATE ops.limiter_requests SET confirmed = true
                WHERE request_id = booked_id AND clock_timestamp() <= admitted_at + max_late;
            IF FOUND THEN
                RETURN true;
            END IF;
            DELETE FROM ops.limiter_requests WHERE request_id = booked_id;
            RETURN false;
        END $$;

        CREATE OR REPLACE FUNCTION ops.limiter_slow_down(wanted text, at_least interval) RETURNS timestamptz
        LANGUAGE plpgsql AS $$
        DECLARE
            limiter ops.limiters;
        BEGIN
            INSERT INTO ops.limiters (name) VALUES (wanted) ON CONFLICT DO NOTHING;
            SELECT * INTO limiter FROM ops.limiters WHERE name = wanted FOR UPDATE;
            -- Requests that were under way when the pause began come back with 429 too: one strike for all of them.
            IF limiter.paused_until <= clock_timestamp() THEN
                limiter.strikes := least(limiter.strikes + 1, 6);
                at_least := greatest(at_least, make_interval(secs => least(60, 2 ^ limiter.strikes)));
            END IF;
            DELETE FROM ops.limiter_requests
                WHERE name = wanted AND NOT confirmed AND NOT released AND admitted_at > clock_timestamp();
            IF FOUND THEN
                limiter.next_at := clock_timestamp();
            END IF;
            UPDATE ops.limiters SET strikes = limiter.strikes, next_at = limiter.next_at,
                paused_until = greatest(paused_until, clock_timestamp() + at_least)
                WHERE name = wanted RETURNING * INTO limiter;
            RETURN limiter.paused_until;
        END $$;
    """)
