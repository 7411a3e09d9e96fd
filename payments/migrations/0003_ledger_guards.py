"""The ledger refuses what does not balance, and any change of what was posted.

The test runner empties tables between transactional tests; that alone may truncate, in a database whose name says that
it is for tests and over a connection that says so, too.
"""

from django.db import migrations

BALANCED = """
CREATE FUNCTION payments_ledger_balanced() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    checked bigint := CASE TG_TABLE_NAME WHEN 'payments_ledgerentry' THEN NEW.id ELSE (to_jsonb(NEW)->>'entry_id')::bigint END;
    off_by numeric;
    number bigint;
    foreign_lines bigint;
BEGIN
    SELECT coalesce(sum(line.amount), 0), count(*), count(*) FILTER (WHERE account.currency <> entry.currency)
      INTO off_by, number, foreign_lines
      FROM payments_ledgerentry entry
      LEFT JOIN payments_ledgerline line ON line.entry_id = entry.id
      LEFT JOIN payments_ledgeraccount account ON account.id = line.account_id
     WHERE entry.id = checked;
    IF off_by <> 0 OR number < 2 OR foreign_lines > 0 THEN
        RAISE EXCEPTION 'ledger entry % does not balance: % lines, off by %, % in another currency',
            checked, number, off_by, foreign_lines
            USING ERRCODE = 'check_violation', CONSTRAINT = 'ledger_entry_balanced';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER ledger_entry_balanced AFTER INSERT ON payments_ledgerentry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION payments_ledger_balanced();
CREATE CONSTRAINT TRIGGER ledger_line_balanced AFTER INSERT ON payments_ledgerline
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION payments_ledger_balanced();
"""

APPEND_ONLY = """
CREATE FUNCTION payments_ledger_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'TRUNCATE' AND current_database() LIKE 'test\\_%'
       AND current_setting('petplace.test_run', true) = 'on' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'the ledger is append-only: % of % refused', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'ledger_append_only';
END $$;
CREATE TRIGGER ledger_entry_append_only BEFORE UPDATE OR DELETE ON payments_ledgerentry
    FOR EACH ROW EXECUTE FUNCTION payments_ledger_append_only();
CREATE TRIGGER ledger_line_append_only BEFORE UPDATE OR DELETE ON payments_ledgerline
    FOR EACH ROW EXECUTE FUNCTION payments_ledger_append_only();
CREATE TRIGGER ledger_entry_no_truncate BEFORE TRUNCATE ON payments_ledgerentry
    FOR EACH STATEMENT EXECUTE FUNCTION payments_ledger_append_only();
CREATE TRIGGER ledger_line_no_truncate BEFORE TRUNCATE ON payments_ledgerline
    FOR EACH STATEMENT EXECUTE FUNCTION payments_ledger_append_only();
"""

UNDO = """
DROP TRIGGER ledger_line_no_truncate ON payments_ledgerline;
DROP TRIGGER ledger_entry_no_truncate ON payments_ledgerentry;
DROP TRIGGER ledger_line_append_only ON payments_ledgerline;
DROP TRIGGER ledger_entry_append_only ON payments_ledgerentry;
DROP TRIGGER ledger_line_balanced ON payments_ledgerline;
DROP TRIGGER ledger_entry_balanced ON payments_ledgerentry;
DROP FUNCTION payments_ledger_append_only();
DROP FUNCTION payments_ledger_balanced();
"""


class Migration(migrations.Migration):

    dependencies = [
        ('payments', '0002_money'),
    ]

    operations = [
        migrations.RunSQL(BALANCED + APPEND_ONLY, UNDO),
    ]
