-- The limiter's transactions (see include/limits/limiter.py for what they guarantee and why).

-- Books the next request of the limiter `wanted` and says how long to wait for its moment. The
-- caller declares its windows: limits[i] requests per spans[i] seconds.
--
-- Booked: request_id and the wait in seconds. Not booked: request_id is null; with `unreleased`
-- every place is taken by a request under way, so the real moment is not known yet and `moment` is
-- the earliest that it can be; otherwise `moment` is later than `patience` allows.
CREATE FUNCTION ops.limiter_admit(
    wanted text, limits int[], spans double precision[], request_timeout interval, patience interval
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

    -- A smaller limit counts at once, a larger one when nobody has declared the smaller for a whole
    -- window; windows that only others declare bind this caller too, until nobody has declared them
    -- for as long.
    INSERT INTO ops.limiter_windows AS w (name, seconds, max_requests, declared_at)
        SELECT wanted, s, n, now_ FROM unnest(spans, limits) AS d (s, n)
        ON CONFLICT (name, seconds) DO UPDATE
            SET max_requests = excluded.max_requests, declared_at = excluded.declared_at
            WHERE excluded.max_requests <= w.max_requests
               OR w.declared_at < now_ - make_interval(secs => w.seconds);
    DELETE FROM ops.limiter_windows w
        WHERE w.name = wanted AND w.declared_at < now_ - make_interval(secs => w.seconds);

    -- The moment when every window has a place, and the last admission is a gap ago.
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
        hopeful := greatest(hopeful, limiter.next_at, limiter.paused_until, now_);
        RETURN QUERY SELECT
            NULL::bigint, extract(epoch FROM hopeful - now_)::double precision, hopeful, true;
    ELSIF start_ - now_ > patience THEN
        RETURN QUERY SELECT
            NULL::bigint, extract(epoch FROM start_ - now_)::double precision, start_, false;
    ELSE
        INSERT INTO ops.limiter_requests (name, admitted_at, done_at)
            VALUES (wanted, start_, start_ + request_timeout) RETURNING request_id INTO new_id;
        -- A row locked here is being released, by somebody who may want the lock that is held here.
        DELETE FROM ops.limiter_requests WHERE request_id IN (
            SELECT r.request_id FROM ops.limiter_requests r
            WHERE r.name = wanted AND r.done_at < now_ - longest FOR UPDATE SKIP LOCKED
        );
        IF FOUND THEN
            limiter.known_since := greatest(limiter.known_since, now_ - longest);
        END IF;
        UPDATE ops.limiters l SET next_at = start_ + gap, known_since = limiter.known_since,
            waited_total = l.waited_total + extract(epoch FROM start_ - now_)
            WHERE l.name = wanted;
        RETURN QUERY SELECT
            new_id,
            extract(epoch FROM start_ - clock_timestamp())::double precision,
            start_,
            false;
    END IF;
END $$;

-- When the moment of a booked request has come. True: send now. False: the moment was taken back by
-- a pause, or has passed by more than max_late; ask again. The row is updated, not only read: so a
-- pause at the same time either waits for this or is waited for.
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

-- The response headers of a request arrived `ago`, or it has failed. `ok`: it was not refused.
CREATE FUNCTION ops.limiter_release(released_id bigint, ok boolean, ago interval) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    done ops.limiter_requests;
BEGIN
    -- A release lost in a crash only makes us slower, so it need not wait for the disk.
    PERFORM set_config('synchronous_commit', 'off', true);
    UPDATE ops.limiter_requests
        SET released = true, done_at = greatest(admitted_at, clock_timestamp() - ago)
        WHERE request_id = released_id AND NOT released RETURNING * INTO done;
    IF ok AND FOUND THEN
        UPDATE ops.limiters SET refusals = refusals - 1
            WHERE name = done.name AND refusals > 0 AND paused_until <= done.admitted_at;
    END IF;
END $$;

-- The answer was 429: pauses the limiter for everybody for `at_least`, or for longer after repeated
-- refusals; returns the moment when it goes on. Moments that are booked ahead are taken back, so
-- that whoever is not sending yet stops at once.
CREATE FUNCTION ops.limiter_slow_down(wanted text, at_least interval) RETURNS timestamptz
LANGUAGE plpgsql AS $$
DECLARE
    limiter ops.limiters;
BEGIN
    INSERT INTO ops.limiters (name) VALUES (wanted) ON CONFLICT DO NOTHING;
    SELECT * INTO limiter FROM ops.limiters WHERE name = wanted FOR UPDATE;
    -- Requests that were under way when the pause began come back with 429 too: one refusal for all
    -- of them.
    IF limiter.paused_until <= clock_timestamp() THEN
        limiter.refusals := least(limiter.refusals + 1, 6);
        at_least := greatest(at_least, make_interval(secs => least(60, 2 ^ limiter.refusals)));
    END IF;
    DELETE FROM ops.limiter_requests
        WHERE name = wanted AND NOT confirmed AND NOT released AND admitted_at > clock_timestamp();
    IF FOUND THEN
        limiter.next_at := clock_timestamp();
    END IF;
    UPDATE ops.limiters SET refusals = limiter.refusals, next_at = limiter.next_at,
        refused_total = refused_total + 1,
        paused_until = greatest(paused_until, clock_timestamp() + at_least)
        WHERE name = wanted RETURNING * INTO limiter;
    RETURN limiter.paused_until;
END $$;
