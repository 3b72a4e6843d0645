"""Files of readings, of any size, into the store: what `manage.py ingest` does."""
