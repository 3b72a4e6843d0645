"""Packed minutes stay in their row; readings that came before the roll-ups are noted for them.

PLAIN: an hour of minutes is 2.6 KB, which PostgreSQL would move out of the row or try to compress,
and a chart would pay for either 720 times a month.

Until a pass has worked on the notes, charts of what is there come from the readings as before.
"""

from django.db import migrations

KEEP_IN_THE_ROW = """
ALTER TABLE sensors_minuterollups
    ALTER COLUMN packed SET STORAGE PLAIN,
    ALTER COLUMN flags SET STORAGE MAIN
"""
AS_BEFORE = """
ALTER TABLE sensors_minuterollups
    ALTER COLUMN packed SET STORAGE EXTENDED,
    ALTER COLUMN flags SET STORAGE EXTENDED
"""
NOTE_WHAT_IS_THERE = """
INSERT INTO sensors_rollupnote (sensor_id, since, until)
SELECT sensor_id, first_time, last_time FROM sensors_sensorprofile
WHERE first_time IS NOT NULL AND last_time IS NOT NULL
"""


class Migration(migrations.Migration):
    dependencies = [("sensors", "0005_rollups")]

    operations = [
        migrations.RunSQL(KEEP_IN_THE_ROW, AS_BEFORE),
        migrations.RunSQL(NOTE_WHAT_IS_THERE, migrations.RunSQL.noop),
    ]
