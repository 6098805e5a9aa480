-- How near the last lines before tip-off came to what players did, per bookmaker and market:
-- mean_error is how far on average, bias how much too low (more than 0) or too high, over_rate the
-- share of overs without pushes, implied_over_rate what the prices said of it, less the margin. A bet
-- counts once, however many ways its bookmaker spells the player.
SELECT
  bookmaker,
  market,
  COUNT(*) AS bets,
  AVG(ABS(actual - line)) AS mean_error,
  AVG(actual - line) AS bias,
  AVG(CASE result WHEN 'over' THEN 1.0 WHEN 'under' THEN 0.0 END) AS over_rate,
  AVG(price_under / (price_over + price_under)) AS implied_over_rate
FROM (
  SELECT
    bookmaker, market, game_id, player_key, line, actual, result,
    AVG(price_over) AS price_over,
    AVG(price_under) AS price_under
  FROM {analytics.player_prop_results}
  WHERE result IN ('over', 'under', 'push') AND market NOT LIKE '%alternate'
  GROUP BY bookmaker, market, game_id, player_key, line, actual, result
) AS bets
GROUP BY bookmaker, market
