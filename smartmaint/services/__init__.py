"""The servers smartmaint needs, started without Docker and without an installed database.

What the environment names (DATABASE_URL, REDIS_URL, MLFLOW_TRACKING_URI) is used as it is; what it
does not name is started from wheels, for this checkout only. Nothing here reads Django's settings.
"""
