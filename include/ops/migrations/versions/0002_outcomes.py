"""Outcomes of dates, the batches they belong to, and the mails that report them."""

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """One row per try of a step; the newest of a (dag, endpoint, date) is how the date stands."""
    op.execute("""
        CREATE TABLE ops.outcomes (
            outcome_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            dag_id         text NOT NULL,
            endpoint       text NOT NULL,
            day            date NOT NULL,
            run_id         text NOT NULL,
            task           text NOT NULL,
            attempt        int  NOT NULL,
            outcome        text NOT NULL,
            error_class    text NOT NULL DEFAULT '',
            fingerprint    text NOT NULL DEFAULT '',
            message        text NOT NULL DEFAULT '',
            log_url        text NOT NULL DEFAULT '',
            requests       int  NOT NULL DEFAULT 0,
            credits        int  NOT NULL DEFAULT 0,
            rows           int  NOT NULL DEFAULT 0,
            bytes          bigint NOT NULL DEFAULT 0,
            games_expected int,
            games_found    int,
            missing        text[] NOT NULL DEFAULT '{}',
            started_at     timestamptz NOT NULL,
            ended_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
            UNIQUE (dag_id, endpoint, day, run_id, task, attempt)
        );
        CREATE INDEX outcomes_by_run ON ops.outcomes (dag_id, run_id);
        COMMENT ON COLUMN ops.outcomes.outcome IS
            'complete, no_games: from an audit only; fetched, loaded: a step that went well; all else: not done';

        CREATE TABLE ops.batches (
            batch_id    text PRIMARY KEY,
            dag_id      text NOT NULL,
            kind        text NOT NULL CHECK (kind IN ('backfill', 'rerun', 'catchup')),
            backfill_id int,
            generation  int  NOT NULL DEFAULT 0,
            plan        jsonb NOT NULL DEFAULT '{}',
            opened_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
            closed_at   timestamptz,
            cancelled   boolean NOT NULL DEFAULT false,
            reported_at timestamptz
        );
        CREATE UNIQUE INDEX batches_generation ON ops.batches (dag_id, backfill_id, generation);
        CREATE INDEX batches_unreported ON ops.batches (dag_id) WHERE reported_at IS NULL;

        CREATE TABLE ops.batch_runs (
            batch_id   text NOT NULL REFERENCES ops.batches ON DELETE CASCADE,
            run_id     text NOT NULL,
            day        date NOT NULL,
            state      text NOT NULL DEFAULT 'queued',
            started_at timestamptz,
            ended_at   timestamptz,
            PRIMARY KEY (batch_id, run_id)
        );

        CREATE TABLE ops.outbox (
            mail_id     text PRIMARY KEY,
            message_id  text NOT NULL UNIQUE,
            subject     text NOT NULL,
            content     bytea NOT NULL,
            created_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
            state       text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sent', 'failed')),
            attempts    int NOT NULL DEFAULT 0,
            next_try_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            sent_at     timestamptz,
            receipt     text NOT NULL DEFAULT '',
            last_error  text NOT NULL DEFAULT ''
        );
        CREATE INDEX outbox_pending ON ops.outbox (next_try_at) WHERE state = 'pending';
    """)
