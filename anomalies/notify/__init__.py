"""Telling people of episodes: an outbox, grouped, delivered at least once, recognisably."""
