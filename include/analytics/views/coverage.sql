-- How each date stands in each table: a row for every date that any table has and every table that
-- any date has; outcome 'not_run' where the one was never made for the other.
SELECT
  days.game_date,
  tables.table_name,
  COALESCE(status.outcome, 'not_run') AS outcome,
  status.games_expected,
  COALESCE(status.games_found, 0) AS games_found,
  status.games_found / NULLIF(status.games_expected, 0) AS share,
  status.missing,
  status.as_of
FROM (SELECT DISTINCT game_date FROM {raw.date_status}) AS days
CROSS JOIN (SELECT DISTINCT table_name FROM {raw.date_status}) AS tables
LEFT JOIN {raw.date_status} AS status
  ON status.game_date = days.game_date AND status.table_name = tables.table_name
