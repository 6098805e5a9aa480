-- Hit rate per player, market and line: a row each; a game counts once, however many bookmakers
-- offered the line. Pushes and voids are in no rate.
SELECT
  player_key,
  market,
  line,
  COUNT(DISTINCT game_id) AS games,
  COUNT(DISTINCT CASE WHEN result IN ('over', 'yes') THEN game_id END) AS hits,
  COUNT(DISTINCT CASE WHEN result = 'push' THEN game_id END) AS pushes,
  COUNT(DISTINCT CASE WHEN result IN ('over', 'yes') THEN game_id END)
    / NULLIF(COUNT(DISTINCT CASE WHEN result <> 'push' THEN game_id END), 0) AS hit_rate,
  MIN(game_date) AS first_date,
  MAX(game_date) AS last_date
FROM {analytics.player_prop_results}
WHERE result IN ('over', 'under', 'push', 'yes', 'no')
GROUP BY player_key, market, line
