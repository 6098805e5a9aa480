"""### Tables made again from raw

Makes the tables of a source again of the bodies that raw has, without any request, for the game
dates `start` to `end`, both included: after a repair of a parser, or in a new warehouse.

The UI's form starts it, or `airflow dags trigger reprocess` with these three as `--conf`. In a
shell, one date after the other: `airflow nba reprocess DAG -s S -e E`.

| Task | What |
| --- | --- |
| `dates` | checks the order and the warehouse's tables |
| `tables` | a mapped task for each date, in pool `warehouse`; red where raw has it not whole |
| `answer` | rows, what has changed in them, upstream requests (0); red where a date is |

Dates whose rows come out the same are left alone. Clear the failed tasks, and it goes on.
"""

from nba_airflow.reprocess import reprocess_dag

dag = reprocess_dag(__doc__)
