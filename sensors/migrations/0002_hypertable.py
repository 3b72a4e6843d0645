"""Readings become a hypertable where TimescaleDB is there; elsewhere they stay a plain table.

Alone in its file because it is raw SQL. Apache edition only: no compression, no policies.

`create_default_indexes => false`: the primary key (sensor_id, time) serves every query we make, and
a second index on time would slow down every insert.

Chunks of 7 days: bench/chunk_interval.py (100 sensors, a reading a minute, 28 days, batches of
10,000; TimescaleDB 2.19.3, 2 cores) gave

     1 day    113k rows/s   last 256 readings 6.2 ms   a day in slices  6.2 ms
     7 days    90k rows/s                     3.5 ms                    3.7 ms
    30 days   113k rows/s                     7.2 ms                   10.2 ms

in one run on a machine that was busy with other work (load 10 to 12). The rates do not tell the
three apart, and a second, shorter run ranked the queries differently: so far 7 days is a choice
between many small chunks and few large ones to drop, not a result. Measure on a quiet machine.
"""

from django.db import migrations

# Creating the extension in a server that has not preloaded its library ends the session, so the
# library's own setting is looked for first. Where the role may not create it, that is a warning
# (and a system check says that readings are a plain table), not a failed deployment.
CREATE_HYPERTABLE = """
DO $$
BEGIN
  IF current_setting('timescaledb.disable_load', true) IS NULL
     AND NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') THEN
    RETURN;
  END IF;
  BEGIN
    CREATE EXTENSION IF NOT EXISTS timescaledb;
  EXCEPTION WHEN insufficient_privilege OR undefined_file OR feature_not_supported THEN
    RAISE WARNING 'TimescaleDB is installed but not created here: %', SQLERRM;
    RETURN;
  END;
  PERFORM create_hypertable(
    'sensors_reading',
    by_range('time', INTERVAL '7 days'),
    create_default_indexes => false,
    if_not_exists => true,
    migrate_data => true
  );
END
$$
"""

# The extension stays: other schemas of the database may use it.
BACK_TO_A_PLAIN_TABLE = """
DO $$
BEGIN
  IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') THEN
    RETURN;
  END IF;
  CREATE TABLE sensors_reading_plain
    (LIKE sensors_reading INCLUDING DEFAULTS INCLUDING CONSTRAINTS);
  INSERT INTO sensors_reading_plain SELECT * FROM sensors_reading;
  DROP TABLE sensors_reading;
  ALTER TABLE sensors_reading_plain RENAME TO sensors_reading;
  ALTER TABLE sensors_reading
    ADD CONSTRAINT sensors_reading_pkey PRIMARY KEY (sensor_id, "time");
END
$$
"""


class Migration(migrations.Migration):
    dependencies = [("sensors", "0001_initial")]

    operations = [migrations.RunSQL(CREATE_HYPERTABLE, BACK_TO_A_PLAIN_TABLE)]
