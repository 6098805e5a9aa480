"""The record of a backfill: a document beside two pictures, made anew from our tables."""
