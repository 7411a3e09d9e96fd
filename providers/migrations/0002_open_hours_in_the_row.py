"""Keep a resource's open hours in its row: searching asks each candidate's, and out of line they cost twice the time.

Some 430 days of one span a day take 5 kB, which PostgreSQL would compress and move to the TOAST table from 2 kB on.
"""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("providers", "0001_initial")]

    operations = [
        migrations.RunSQL(
            "ALTER TABLE providers_openhours SET (toast_tuple_target = 8160)",
            "ALTER TABLE providers_openhours RESET (toast_tuple_target)",
        )
    ]
