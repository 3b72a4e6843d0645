from django.db import migrations

import sensors.fields


class Migration(migrations.Migration):
    dependencies = [("sensors", "0002_hypertable")]

    operations = [
        migrations.AlterField(
            model_name="reading",
            name="quality",
            field=sensors.fields.RealField(help_text="0 to 1."),
        ),
    ]
