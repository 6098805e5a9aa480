"""The limiter: its declarations, its requests, and the one transaction that admits (see
include/limits/limiter.py)."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Every time is this server's clock_timestamp(): one clock for all hosts."""
    op.execute("""
        CREATE TABLE ops.limiters (
            name         text PRIMARY KEY,
            next_at      timestamptz NOT NULL DEFAULT '-infinity',
            paused_until timestamptz NOT NULL DEFAULT '-infinity',
            strikes      int         NOT NULL DEFAULT 0,
            known_since  timestamptz NOT NULL DEFAULT '-infinity'
        );
        COMMENT ON COLUMN ops.limiters.known_since IS 'requests that were done earlier have been deleted';

        CREATE TABLE ops.limiter_windows (
            name         text NOT NULL REFERENCES ops.limiters ON DELETE CASCADE,
            seconds      double precision NOT NULL CHECK (seconds > 0),
            max_requests int NOT NULL CHECK (max_requests > 0),
            declared_at  timestamptz NOT NULL,
            PRIMARY KEY (name, seconds)
        );

        CREATE TABLE ops.limiter_requests (
            request_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            name        text NOT NULL,
            admitted_at timestamptz NOT NULL,
            done_at     timestamptz NOT NULL,
            released    boolean NOT NULL DEFAULT false
        ) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
        COMMENT ON COLUMN ops.limiter_requests.done_at IS
            'it has reached the upstream by then: arrival of its response headers; unknown: admitted_at + hold';
        CREATE INDEX limiter_requests_done ON ops.limiter_requests (name, done_at);

        CREATE FUNCTION ops.limiter_admit(
            wanted text, limits int[], spans double precision[], hold interval, patience interval
        ) RETURNS TABLE (request_id bigint, wait double precision, moment timestamptz, unreleased boolean)
        LANGUAGE plpgsql AS $$
        #variable_conflict use_column
        DECLARE
            limiter  ops.limiters;
            declared ops.limiter_windows;
            nth      ops.limiter_requests;
            span     interval;
            longest  interval := '0';
            gap      interval := '0';
            now_     timestamptz;
            start_   timestamptz;
            hopeful  timestamptz := '-infinity';
            blocked  boolean := false;
            new_id   bigint;
        BEGIN
            INSERT INTO ops.limiters (name) VALUES (wanted) ON CONFLICT DO NOTHING;
            SELECT * INTO limiter FROM ops.limiters l WHERE l.name = wanted FOR UPDATE;
            now_ := clock_timestamp();

            -- A smaller limit counts at once, a larger one when nobody has declared the smaller for a whole window;
            -- windows that only others declare bind this caller too, until nobody has declared them for as long.
            INSERT INTO ops.limiter_windows AS w (name, seconds, max_requests, declared_at)
                SELECT wanted, s, n, now_ FROM unnest(spans, limits) AS d (s, n)
                ON CONFLICT (name, seconds) DO UPDATE
                    SET max_requests = excluded.max_requests, declared_at = excluded.declared_at
                    WHERE excluded.max_requests <= w.max_requests
                       OR w.declared_at < now_ - make_interval(secs => w.seconds);
            DELETE FROM ops.limiter_windows w
                WHERE w.name = wanted AND w.declared_at < now_ - make_interval(secs => w.seconds);

            start_ := greatest(now_, limiter.next_at, limiter.paused_until);
            FOR declared IN SELECT * FROM ops.limiter_windows w WHERE w.name = wanted LOOP
                -- The guard covers clocks that do not run equally fast (NTP slews by up to 0.05 %).
                span := make_interval(secs => declared.seconds * 1.001 + 0.005);
                longest := greatest(longest, span);
                gap := greatest(gap, make_interval(secs => declared.seconds / declared.max_requests));
                start_ := greatest(start_, limiter.known_since + span);
                -- With fewer than max_requests requests younger than the window there is room for one more.
                SELECT * INTO nth FROM ops.limiter_requests r WHERE r.name = wanted
                    ORDER BY r.done_at DESC OFFSET declared.max_requests - 1 LIMIT 1;
                IF FOUND THEN
                    start_ := greatest(start_, nth.done_at + span);
                    hopeful := greatest(
                        hopeful, span + CASE WHEN nth.released THEN nth.done_at ELSE nth.admitted_at END
                    );
                    blocked := blocked OR (NOT nth.released AND nth.done_at > now_);
                END IF;
            END LOOP;

            IF blocked THEN
                -- Every place is taken by a request under way, so the real moment is not known yet.
                hopeful := greatest(hopeful, limiter.next_at, limiter.paused_until, now_);
                RETURN QUERY SELECT NULL::bigint, extract(epoch FROM hopeful - now_)::double precision, hopeful, true;
            ELSIF start_ - now_ > patience THEN
                RETURN QUERY SELECT NULL::bigint, extract(epoch FROM start_ - now_)::double precision, start_, false;
            ELSE
                INSERT INTO ops.limiter_requests (name, admitted_at, done_at)
                    VALUES (wanted, start_, start_ + hold) RETURNING request_id INTO new_id;
                -- A row locked here is being released, by somebody who may want the lock that is held here.
                DELETE FROM ops.limiter_requests WHERE request_id IN (
                    SELECT r.request_id FROM ops.limiter_requests r
                    WHERE r.name = wanted AND r.done_at < now_ - longest FOR UPDATE SKIP LOCKED
                );
                IF FOUND THEN
                    limiter.known_since := greatest(limiter.known_since, now_ - longest);
                END IF;
                UPDATE ops.limiters l SET next_at = start_ + gap, known_since = limiter.known_since
                    WHERE l.name = wanted;
                RETURN QUERY SELECT
                    new_id, extract(epoch FROM start_ - clock_timestamp())::double precision, start_, false;
            END IF;
        END $$;

        CREATE FUNCTION ops.limiter_release(released_id bigint, ok boolean) RETURNS void
        LANGUAGE plpgsql AS $$
        DECLARE
            done ops.limiter_requests;
        BEGIN
            -- A release lost in a crash only makes us slower, so it need not wait for the disk.
            PERFORM set_config('synchronous_commit', 'off', true);
            UPDATE ops.limiter_requests SET released = true, done_at = clock_timestamp()
                WHERE request_id = released_id AND NOT released RETURNING * INTO done;
            IF ok AND FOUND THEN
                UPDATE ops.limiters SET strikes = strikes - 1
                    WHERE name = done.name AND strikes > 0 AND paused_until <= done.admitted_at;
            END IF;
        END $$;

        CREATE FUNCTION ops.limiter_slow_down(wanted text, at_least interval) RETURNS timestamptz
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
            UPDATE ops.limiters SET strikes = limiter.strikes,
                paused_until = greatest(paused_until, clock_timestamp() + at_least)
                WHERE name = wanted RETURNING * INTO limiter;
            RETURN limiter.paused_until;
        END $$;
    """)
