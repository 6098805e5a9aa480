"""### One mail per backfill

Reports each batch of runs that has ended: a backfill, or a rerun of some of its dates. The
scheduler starts it with the batch's id when the batch's last run ends; every five minutes it also
looks for what a killed scheduler missed and for mails that could not be sent yet.

The mail is a row in `ops.outbox` before it is sent and has a fixed Message-ID. Without a SendGrid
key in connection `mail` it is written as an `.eml` file into the folder that the connection names.
"""

from nba_airflow.summary import summary_dag

dag = summary_dag(__doc__)
