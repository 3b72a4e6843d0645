"""Maintenance windows and silences: what they hide is written down, and reported when they end."""
