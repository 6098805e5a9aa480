"""Judgements on a date: the games in its bodies, its rows against raw, how it stands, its gaps."""
