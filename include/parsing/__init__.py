"""From bodies to rows and games: pure functions that the specs in dags/ name and the steps call."""
