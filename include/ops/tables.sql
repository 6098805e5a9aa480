-- The operations tables, as of version 1. Every time is this server's clock_timestamp(), one clock
-- for all hosts, unless a column says otherwise.

-- How dates stand. One row per try; the newest of a (dag, endpoint, date) is how the date stands.

CREATE TABLE ops.outcomes (
    outcome_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    dag_id         text NOT NULL,
    endpoint       text NOT NULL,
    day            date NOT NULL,
    run_id         text NOT NULL,
    attempt        int  NOT NULL,
    phase          text NOT NULL CHECK (phase IN ('fetch', 'load', 'audit')),
    outcome        text NOT NULL CHECK (outcome IN (
        'failed', 'partial', 'unverified', 'halted', 'lost', 'cancelled', 'not_run', 'quota_wait',
        'not_yet', 'accepted', 'no_games', 'complete'
    )),
    error_class    text NOT NULL DEFAULT '',
    fingerprint    text NOT NULL DEFAULT '',
    message        text NOT NULL DEFAULT '',
    log_url        text NOT NULL DEFAULT '',
    requests       int  NOT NULL DEFAULT 0,
    credits        int  NOT NULL DEFAULT 0,
    rows           int  NOT NULL DEFAULT 0,
    bytes          bigint NOT NULL DEFAULT 0,
    warehouse_jobs int NOT NULL DEFAULT 0,
    bytes_billed   bigint NOT NULL DEFAULT 0,
    bucket_writes  int NOT NULL DEFAULT 0,
    bucket_reads   int NOT NULL DEFAULT 0,
    games_expected int,
    games_found    int,
    missing        text[] NOT NULL DEFAULT '{}',
    changes        text[] NOT NULL DEFAULT '{}',
    changes_total  int  NOT NULL DEFAULT 0,
    content        text NOT NULL DEFAULT '',
    seconds        jsonb NOT NULL DEFAULT '{}',
    peak_mb        int  NOT NULL DEFAULT 0,
    started_at     timestamptz NOT NULL,
    ended_at       timestamptz NOT NULL,
    recorded_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (dag_id, endpoint, day, run_id, attempt)
);
CREATE INDEX outcomes_by_day ON ops.outcomes (dag_id, day);
CREATE INDEX outcomes_by_run ON ops.outcomes (dag_id, run_id);
CREATE INDEX outcomes_by_end ON ops.outcomes (ended_at);
COMMENT ON COLUMN ops.outcomes.phase IS 'how far the try came';
COMMENT ON COLUMN ops.outcomes.bucket_writes IS 'listings included, as they are billed (class A)';
COMMENT ON COLUMN ops.outcomes.changes IS
    'what the upstream had corrected, found by a load; the first of changes_total';
COMMENT ON COLUMN ops.outcomes.seconds IS
    'at work, by wait, fetch, write, load and check; what it was put off for is not in them';
COMMENT ON COLUMN ops.outcomes.peak_mb IS 'megabytes of its process at most; 0: not measured';

COMMENT ON COLUMN ops.outcomes.content IS 'the same for the same loaded rows';

-- The dates that were done since a scheduler last looked whether others are made of them, and of
-- what those were made.

CREATE TABLE ops.touched (
    dag_id     text NOT NULL,
    day        date NOT NULL,
    touched_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (dag_id, day)
);

CREATE TABLE ops.built (
    dag_id   text NOT NULL,
    day      date NOT NULL,
    inputs   text NOT NULL,
    built_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (dag_id, day)
);
COMMENT ON COLUMN ops.built.inputs IS 'of the contents of all tables that it was made of';

-- Of each body that many dates share (a season) how its last fetch failed; no row: it did not.

CREATE TABLE ops.shared_failures (
    dag_id      text NOT NULL,
    endpoint    text NOT NULL,
    shared_by   text NOT NULL,
    failed_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    error_class text NOT NULL,
    message     text NOT NULL,
    url         text NOT NULL,
    status      int NOT NULL,
    body_line   text NOT NULL,
    retry_at    timestamptz,
    PRIMARY KEY (dag_id, endpoint, shared_by)
);

-- The runs that one mail reports, as Airflow's rows had them when the batch was closed; of an open
-- batch, when it was last looked at.

CREATE TABLE ops.batches (
    batch_id    text PRIMARY KEY,
    dag_id      text NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('backfill', 'rerun', 'catchup', 'live')),
    opened_at   timestamptz NOT NULL,
    closed_at   timestamptz,
    cancelled   boolean NOT NULL,
    reported_at timestamptz,
    said        jsonb NOT NULL DEFAULT '{}',
    recorded_at timestamptz,
    record_error text NOT NULL DEFAULT '',
    announced_at timestamptz
);
COMMENT ON COLUMN ops.batches.said IS
    'what its mail said that could not be found out again: plan, credits left, code, comparison';
COMMENT ON COLUMN ops.batches.record_error IS 'why its record could not be written, last time';
COMMENT ON COLUMN ops.batches.opened_at IS
    'when Airflow queued its first run, by the clock of whoever queued it';
CREATE INDEX batches_open ON ops.batches (batch_id) WHERE closed_at IS NULL;
CREATE INDEX batches_numbered ON ops.batches (dag_id, kind) WHERE kind IN ('rerun', 'catchup');
CREATE INDEX batches_unreported ON ops.batches (opened_at) WHERE reported_at IS NULL;
CREATE INDEX batches_unrecorded ON ops.batches (closed_at)
    WHERE recorded_at IS NULL AND kind <> 'live';

CREATE TABLE ops.batch_runs (
    batch_id   text NOT NULL REFERENCES ops.batches ON DELETE CASCADE,
    run_id     text NOT NULL,
    day        date NOT NULL,
    state      text NOT NULL,
    queued_at  timestamptz NOT NULL,
    started_at timestamptz,
    ended_at   timestamptz,
    PRIMARY KEY (batch_id, run_id)
);
COMMENT ON COLUMN ops.batch_runs.queued_at IS
    'a run that is cleared is queued anew; all times are Airflow''s';
CREATE INDEX batch_runs_by_run ON ops.batch_runs (run_id);
CREATE INDEX batches_unannounced ON ops.batches (closed_at)
    WHERE announced_at IS NULL AND kind = 'backfill';
CREATE INDEX batch_runs_by_day ON ops.batch_runs (day);
CREATE INDEX batch_runs_failed ON ops.batch_runs (ended_at) WHERE state = 'failed';

-- Of each of Airflow's backfills what was ordered, and what holds it paused.

CREATE TABLE ops.backfills (
    backfill_id int PRIMARY KEY,
    dag_id      text NOT NULL,
    batch_id    text NOT NULL,
    stage       text NOT NULL CHECK (stage IN ('whole', 'canary', 'ramp', 'repair')),
    started_by  text NOT NULL,
    reason      text NOT NULL DEFAULT '',
    options     jsonb NOT NULL DEFAULT '{}',
    plan        jsonb,
    fingerprint text NOT NULL DEFAULT '',
    noticed_at  timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON COLUMN ops.backfills.backfill_id IS 'Airflow''s';
COMMENT ON COLUMN ops.backfills.batch_id IS
    'the batch that it reports in: of the first backfill of its order';
COMMENT ON COLUMN ops.backfills.plan IS
    'of its whole order, with what the stages before have measured; null: it was begun elsewhere, and is not planned yet';
COMMENT ON COLUMN ops.backfills.fingerprint IS 'of the code and the configuration it began with';
CREATE INDEX backfills_by_batch ON ops.backfills (batch_id);
CREATE INDEX backfills_by_dag ON ops.backfills (dag_id, noticed_at);

-- The backfills that an order makes one after the other, each after a clean one, in one batch.

CREATE TABLE ops.stages (
    batch_id    text NOT NULL,
    number      int  NOT NULL,
    stage       text NOT NULL CHECK (stage IN ('whole', 'canary', 'ramp', 'repair')),
    days        date[] NOT NULL,
    cleared     text[] NOT NULL DEFAULT '{}',
    state       text NOT NULL DEFAULT 'to come' CHECK (state IN ('to come', 'begun', 'left out')),
    why         text NOT NULL DEFAULT '',
    noticed_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (batch_id, number)
);
COMMENT ON COLUMN ops.stages.days IS 'those that get a run';
COMMENT ON COLUMN ops.stages.cleared IS 'the runs that run again';
COMMENT ON COLUMN ops.stages.why IS 'of a stage that was left out';
CREATE INDEX stages_to_come ON ops.stages (batch_id) WHERE state = 'to come';

CREATE TABLE ops.holds (
    backfill_id int NOT NULL,
    kind        text NOT NULL CHECK (kind IN ('quiet hours', 'breaker', 'preflight')),
    why         text NOT NULL,
    since       timestamptz NOT NULL DEFAULT clock_timestamp(),
    over_at     timestamptz,
    PRIMARY KEY (backfill_id, kind)
);
COMMENT ON COLUMN ops.holds.over_at IS
    'when its cause was over: a pause that Airflow''s row has got since is a person''s';
COMMENT ON TABLE ops.holds IS
    'why we keep a backfill paused; one without a row that is paused was paused by a person';

-- What has held a backfill and does so no more, whoever has ended it.

CREATE TABLE ops.past_holds (
    backfill_id int NOT NULL,
    kind        text NOT NULL,
    why         text NOT NULL,
    since       timestamptz NOT NULL,
    until       timestamptz NOT NULL
);
CREATE INDEX past_holds_by_backfill ON ops.past_holds (backfill_id);

CREATE FUNCTION ops.keep_hold() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ops.past_holds (backfill_id, kind, why, since, until)
        VALUES (OLD.backfill_id, OLD.kind, OLD.why, OLD.since,
            coalesce(OLD.over_at, clock_timestamp()));
    RETURN NULL;
END
$$;
CREATE TRIGGER keep_hold AFTER DELETE ON ops.holds
    FOR EACH ROW EXECUTE FUNCTION ops.keep_hold();

-- Of each backfill whose breaker has ever opened how it stands. Times are by the clock of Airflow's
-- scheduler, with whose runs they are compared.

CREATE TABLE ops.breakers (
    backfill_id     int PRIMARY KEY,
    dag_id          text NOT NULL,
    state           text NOT NULL CHECK (state IN ('closed', 'open', 'half open')),
    flag            text NOT NULL,
    why             text NOT NULL,
    opened_at       timestamptz NOT NULL,
    probe_at        timestamptz NOT NULL,
    probing_since   timestamptz,
    failed_probes   int NOT NULL DEFAULT 0,
    counted_since   timestamptz,
    max_active_runs int,
    told_at         timestamptz
);
COMMENT ON COLUMN ops.breakers.probe_at IS 'one date is started then; if it is good, all go on';
COMMENT ON COLUMN ops.breakers.counted_since IS 'dates that ended before do not count any more';
COMMENT ON COLUMN ops.breakers.max_active_runs IS
    'what the backfill had before the breaker changed it; null: it has it';
COMMENT ON COLUMN ops.breakers.told_at IS 'when the mail of its opening was put into the outbox';

-- Which dates have games, as the newest schedule in raw says, for the quiet hours of these days.

CREATE TABLE ops.game_days (
    day      date PRIMARY KEY,
    games    int NOT NULL,
    noted_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- When Airflow's rows were last looked at for the ends of runs: one row.

CREATE TABLE ops.looks (
    one       boolean PRIMARY KEY DEFAULT true CHECK (one),
    looked_at timestamptz NOT NULL
);
COMMENT ON COLUMN ops.looks.looked_at IS
    'what had ended then is in a batch or needs none; by the clock of who looked';

-- Mails, and what alerts of live runs were about.

CREATE TABLE ops.outbox (
    mail_id     text PRIMARY KEY,
    message_id  text NOT NULL UNIQUE,
    subject     text NOT NULL,
    content     bytea NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    state       text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sent', 'failed')),
    attempts    int NOT NULL DEFAULT 0,
    next_try_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    receipt     text NOT NULL DEFAULT '',
    last_error  text NOT NULL DEFAULT '',
    about       text[] NOT NULL DEFAULT '{}'
);
COMMENT ON COLUMN ops.outbox.about IS
    'the DAGs that it tells of: who may read all of them may read it';
CREATE INDEX outbox_by_time ON ops.outbox (created_at);
CREATE INDEX outbox_unsent ON ops.outbox (created_at) WHERE state <> 'sent';

CREATE TABLE ops.alerts (
    dag_id      text NOT NULL,
    fingerprint text NOT NULL,
    sent_at     timestamptz NOT NULL,
    withheld    int NOT NULL DEFAULT 0,
    PRIMARY KEY (dag_id, fingerprint)
);
COMMENT ON COLUMN ops.alerts.withheld IS 'live failures alike since sent_at that sent no mail';

-- What the team was told of each backfill by a notifier: 0 its begin, 10 its end.

CREATE TABLE ops.announcements (
    batch_id   text NOT NULL,
    notifier   text NOT NULL,
    part       int NOT NULL CHECK (part BETWEEN 0 AND 10),
    state      text NOT NULL DEFAULT 'sending' CHECK (state IN ('sending', 'sent', 'failed')),
    tries      int NOT NULL DEFAULT 1,
    last_error text NOT NULL DEFAULT '',
    begun_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (batch_id, notifier, part)
);
COMMENT ON COLUMN ops.announcements.state IS
    'sending: it may have arrived, so it is not told again; failed: the notifier has said so';

-- Live dates that were not done by the time that their source declares.

CREATE TABLE ops.late_dates (
    dag_id      text NOT NULL,
    day         date NOT NULL,
    state       text NOT NULL,
    noticed_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    reported_at timestamptz,
    PRIMARY KEY (dag_id, day)
);
COMMENT ON COLUMN ops.late_dates.state IS 'of its run, Airflow''s; not made: it has none';

-- The limiter: its declarations and its requests. The functions on them are in limiter.sql.

CREATE TABLE ops.limiters (
    name         text PRIMARY KEY,
    next_at      timestamptz NOT NULL DEFAULT '-infinity',
    paused_until timestamptz NOT NULL DEFAULT '-infinity',
    refusals     int         NOT NULL DEFAULT 0,
    known_since  timestamptz NOT NULL DEFAULT '-infinity',
    refused_total bigint     NOT NULL DEFAULT 0,
    waited_total double precision NOT NULL DEFAULT 0
);
COMMENT ON COLUMN ops.limiters.refusals IS 'in a row, each doubles the pause; a success takes one back';
COMMENT ON COLUMN ops.limiters.refused_total IS 'answers of 429 so far';
COMMENT ON COLUMN ops.limiters.waited_total IS 'seconds for which requests had to wait so far';
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
    confirmed   boolean NOT NULL DEFAULT false,
    released    boolean NOT NULL DEFAULT false
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
COMMENT ON COLUMN ops.limiter_requests.done_at IS
    'it has reached the upstream by then: arrival of its response headers; unknown: admitted_at + request_timeout';
COMMENT ON COLUMN ops.limiter_requests.confirmed IS 'its moment had come, so it is being sent';
CREATE INDEX limiter_requests_done ON ops.limiter_requests (name, done_at);

-- The proxies that failed since they last reached their upstream; one without a row is well.

CREATE TABLE ops.address_health (
    name           text PRIMARY KEY,
    failures       int  NOT NULL,
    cooldown_until timestamptz,
    told           uuid NOT NULL
);
COMMENT ON COLUMN ops.address_health.cooldown_until IS
    'from then on one claim, the probe, is granted';
COMMENT ON COLUMN ops.address_health.told IS
    'the failure or probe that was written last: when it is written again, it changes nothing';

-- The credit ledger: a balance per account and month, and the reservations under way.

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
    told_under       int NOT NULL DEFAULT 0,
    exhausted_under  int NOT NULL DEFAULT 0,
    last_reservation bigint NOT NULL DEFAULT 0,
    settled_through  bigint NOT NULL DEFAULT 0,
    key_hash         text NOT NULL DEFAULT '',
    PRIMARY KEY (account, month)
);
COMMENT ON COLUMN ops.credit_months.billed IS 'what the upstream itself says was used';
COMMENT ON COLUMN ops.credit_months.told_under IS
    'the declared allowance when upstream_total was told; 0: it was not';
COMMENT ON COLUMN ops.credit_months.exhausted_under IS
    'the declared allowance when the upstream said that the month is used up; 0: it did not';
COMMENT ON COLUMN ops.credit_months.key_hash IS
    'of the key that billed, upstream_total and exhausted_under are of; empty: of whichever';
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
COMMENT ON TABLE ops.credit_reservations IS
    'counted as spent until a bill that must include them comes in';
CREATE INDEX credit_reservations_open ON ops.credit_reservations (account, month, reserved_at);
