"""Fixtures every test may use are in plugins of their own; see tests/services_fixtures.py."""
