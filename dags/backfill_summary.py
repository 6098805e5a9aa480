"""### One mail per backfill

Reports each batch of runs that has ended: a backfill, a rerun, the dates that a DAG catches up, or
a live run that failed. The scheduler starts it with the batch's id when the batch's last run ends;
every five minutes it also looks for what a killed scheduler missed, for late dates and for mails
that could not be sent yet.

The mail is a row in `ops.outbox` before it is sent and has a fixed Message-ID. It goes to SendGrid,
or as an `.eml` file into a folder where connection `mail` has the host `file:///folder`.
"""

from nba_airflow.summary import summary_dag

dag = summary_dag(__doc__)
