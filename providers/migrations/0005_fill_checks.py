from django.db import migrations

# What the domain computes from now on, for the papers that are there.
FILL = """
UPDATE providers_verificationdocument d
   SET expires_at = (d.valid_until + 1)::timestamp AT TIME ZONE coalesce(
       (SELECT b.time_zone FROM providers_branch b WHERE b.provider_id = d.provider_id
         ORDER BY NOT b.is_active, b.id LIMIT 1), 'UTC')
 WHERE d.valid_until IS NOT NULL;
UPDATE providers_provider p
   SET checked = found.papers
  FROM (SELECT provider_id, jsonb_agg(jsonb_build_object(
               'kind', kind, 'at', checked_at, 'until', valid_until, 'expires_at', expires_at) ORDER BY kind) AS papers
          FROM (SELECT DISTINCT ON (provider_id, kind) * FROM providers_verificationdocument
                 WHERE is_accepted AND checked_at IS NOT NULL
                 ORDER BY provider_id, kind, expires_at DESC NULLS FIRST, id DESC) best
         GROUP BY provider_id) found
 WHERE found.provider_id = p.id;
"""


class Migration(migrations.Migration):
    dependencies = [("providers", "0004_checks_and_badges")]
    operations = [migrations.RunSQL(FILL, migrations.RunSQL.noop)]
