"""The DAG `backfill_summary`: turns ended batches into mails, and sends what is in the outbox."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import DAG, BaseOperator, CronTriggerTimetable
from airflow.sdk.exceptions import AirflowFailException

from include.errors import Problem
from include.failpoints import reach_failpoint
from nba_airflow import connections
from nba_airflow.dag_page import shown
from nba_airflow.priority import MAIL

if TYPE_CHECKING:
    import psycopg
    from airflow.sdk import Context

    from include.ops.batches import Batch

MAX_REPORT = timedelta(minutes=10)
"""A season's mail takes seconds, and one that hangs holds up all others: the DAG has one run at a
time."""


class SummaryOperator(BaseOperator):
    """Reports every batch that is due, sends every mail that is due and writes every record that is
    due, whichever run of the DAG it is."""

    ui_color = "#ede9fe"

    def execute(self, context: Context) -> None:
        from include.ops.db import connect
        from nba_airflow.announce import announce_due
        from nba_airflow.records import write_due

        with connect(connections.ops_url()) as connection:
            # Mails first, then what else is due every five minutes.
            unreported = self._report_due(connection)
            unreported += self._try(connection, "late dates", self._tell_late)
            unreported += self._try(connection, "halted backfills", self._tell_halted)
            self._try(connection, "today's games", self._note_games)
            try:
                self._send_due(connection)
            finally:
                write_due(connection)
                self._try(connection, "announcements", announce_due)
        if unreported:
            raise RuntimeError(
                f"not reported, and tried again in five minutes: {', '.join(unreported)}; see above"
            )

    def _report_due(self, connection: psycopg.Connection[Any]) -> list[str]:
        """Puts the mails of closed batches into the outbox; the ids of those for which it failed,
        which hold up no other's mail."""
        from include.ops import batches

        failed = []
        for batch in batches.due(connection):
            try:
                self._report(connection, batch)
            except Exception:  # whatever is wrong with one
                connection.rollback()
                self.log.exception("batch %s cannot be reported", batch.batch_id)
                failed.append(batch.batch_id)
        return failed

    def _report(self, connection: psycopg.Connection[Any], batch: Batch) -> None:
        """Puts the batch's mail into the outbox, in one transaction with the note that it is
        reported; an alert like one of the last hours is left out."""
        from include.guards.record.chapters import note_said
        from include.mail import alerts
        from include.mail.batch_report import read_report
        from include.mail.message import make_message, make_message_id, to_bytes
        from include.ops import batches, outbox
        from nba_airflow.plan_vs_actual import add_plan_vs_actual
        from nba_airflow.warned import read_warnings

        report = read_report(connection, batch, self._endpoints(batch.dag_id))
        if batch.kind == "live" and alerts.withhold(connection, report):
            batches.reported(connection, batch.batch_id)
            self.log.info(
                "live run failed like one that was reported lately: no mail (%s)", batch.batch_id
            )
            return
        report = add_plan_vs_actual(connection, report)
        warned = read_warnings(connection, batch.batch_id, batches.runs(connection, batch.batch_id))
        report = replace(report, warnings=warned)
        message = make_message(report)
        row = outbox.Mail(
            mail_id=batch.batch_id,
            message_id=make_message_id(report),
            subject=str(message["Subject"]),
            content=to_bytes(message),
        )
        reach_failpoint("before outbox")
        outbox.put(connection, row, [batch.dag_id])
        if batch.kind == "live":
            alerts.note_sent(connection, report)
        batches.reported(connection, batch.batch_id, note_said(report))
        reach_failpoint("after outbox")
        self.log.info("batch %s: %s", batch.batch_id, row.subject)

    def _tell_late(self, connection: psycopg.Connection[Any]) -> None:
        """Puts a mail of the live dates that are not done in time into the outbox, in one
        transaction with the note that they are told."""
        from include.mail.late import make_late_mail
        from include.ops import late_dates, outbox

        if late := late_dates.untold(connection):
            mail = make_late_mail(late)
            outbox.put(connection, mail, {each.dag_id for each in late})
            late_dates.told(connection, late)
            self.log.info("%s", mail.subject)
        connection.commit()

    def _endpoints(self, dag_id: str) -> Sequence[str]:
        """Those of the DAG's spec; none where it cannot be read: the mail goes out all the same."""
        from nba_airflow.specs import endpoint_names

        try:
            return endpoint_names(dag_id)
        except Exception:  # whatever a file in dags/ raises
            self.log.exception("the specs cannot be read: %s is judged by what it said", dag_id)
            return []

    def _tell_halted(self, connection: psycopg.Connection[Any]) -> None:
        """Puts the mail of each breaker that has opened into the outbox, at once and beside the
        batch's one, in one transaction with the note that it is told."""
        from include.mail.halted import read_halted
        from include.mail.message import make_message, make_message_id, to_bytes
        from include.ops import breakers, outbox

        for breaker in breakers.read_untold(connection):
            report = read_halted(connection, breaker, self._endpoints(breaker.dag_id))
            if report is None:
                continue
            message, message_id = make_message(report), make_message_id(report)
            row = outbox.Mail(
                mail_id=f"halted:{message_id}",
                message_id=message_id,
                subject=str(message["Subject"]),
                content=to_bytes(message),
            )
            outbox.put(connection, row, [breaker.dag_id])
            breakers.note_told(connection, breaker.backfill_id)
            self.log.info("%s", row.subject)
        connection.commit()

    def _note_games(self, connection: psycopg.Connection[Any]) -> None:
        """Notes which of these days have games, for the quiet hours."""
        from include.ops.game_days import count_games, note_games

        store = connections.stores().raw
        note_games(connection, lambda day: count_games(store, day), datetime.now(UTC))

    def _try(
        self,
        connection: psycopg.Connection[Any],
        what: str,
        act: Callable[[psycopg.Connection[Any]], None],
    ) -> list[str]:
        """What could not be done, which holds up no batch's mail."""
        try:
            act(connection)
        except Exception:  # whatever is wrong with it
            connection.rollback()
            self.log.exception("%s: left to the next run", what)
            return [what]
        return []

    def _send_due(self, connection: psycopg.Connection[Any]) -> None:
        """Sends what is in the outbox, one attempt each, from and to whom connection `mail` names
        now. Raises AirflowFailException where a mail
        was not accepted."""
        from include.mail.delivery import deliver, read_target
        from include.mail.envelope import address, read_envelope
        from include.mail.message import from_bytes
        from include.ops import outbox

        problems = []
        while mail := outbox.claim(connection):
            try:
                found = connections.connection(connections.MAIL)
                reach_failpoint("before send")
                message = address(from_bytes(mail.content), read_envelope(found.extra_dejson))
                target = read_target(found.host or "", found.password or "")
                receipt = deliver(message, target)
            except Problem as problem:
                outbox.not_sent(connection, mail, str(problem), again=problem.retry_at is not None)
                problems.append(problem)
            else:
                reach_failpoint("after send")
                outbox.sent(connection, mail.mail_id, receipt.where)
                self.log.info("mail %s: %s", mail.message_id, receipt.where)
        if problems:
            raise AirflowFailException(
                f"{len(problems)} mails not sent, kept in ops.outbox: {problems[0]}"
            )


def summary_dag(doc: str | None) -> DAG:
    """The DAG; its run of every five minutes finds what nobody was told of."""
    with DAG(
        dag_id="backfill_summary",
        schedule=CronTriggerTimetable("*/5 * * * *", timezone="UTC"),
        start_date=datetime(2026, 1, 1, tzinfo=UTC),
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=False,
        **shown("backfill_summary", doc),
        tags=["mail"],
        default_args={"owner": "data-platform", "retries": 3, "retry_delay": timedelta(seconds=60)},
    ) as dag:
        SummaryOperator(
            task_id="report",
            do_xcom_push=False,
            priority_weight=MAIL,
            weight_rule="absolute",
            execution_timeout=MAX_REPORT,
        )
    return dag
