"""The golden path from end to end on running services: what `manage.py demo` does."""
