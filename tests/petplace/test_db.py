import psycopg.errors
import pytest
from django.db import IntegrityError, OperationalError, connection, transaction

from petplace import db
from petplace.db import ConflictError, retried


def failing(error, times, calls):
    @retried
    def work():
        calls.append(connection.in_atomic_block)
        if len(calls) <= times:
            raise error
        return "done"

    return work


def database_error(kind, cause):
    error = kind("broken")
    error.__cause__ = cause
    return error


@pytest.fixture
def calls(monkeypatch):
    monkeypatch.setattr(db.time, "sleep", lambda _: None)
    return []


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("cause", [psycopg.errors.DeadlockDetected(), psycopg.errors.SerializationFailure()])
def test_deadlock_is_tried_again_three_times(cause, calls):
    error = database_error(OperationalError, cause)
    assert failing(error, 3, calls)() == "done"
    assert calls == [True] * 4


@pytest.mark.django_db(transaction=True)
def test_fourth_deadlock_goes_up(calls):
    error = database_error(OperationalError, psycopg.errors.DeadlockDetected())
    with pytest.raises(OperationalError):
        failing(error, 9, calls)()
    assert len(calls) == 4


@pytest.mark.django_db(transaction=True)
def test_nothing_is_tried_again_inside_another_transaction(calls):
    error = database_error(OperationalError, psycopg.errors.DeadlockDetected())
    with transaction.atomic(), pytest.raises(OperationalError):
        failing(error, 1, calls)()
    assert len(calls) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("cause", [psycopg.errors.LockNotAvailable(), psycopg.errors.AdminShutdown(), None])
def test_other_trouble_goes_up_at_once(cause, calls):
    with pytest.raises(OperationalError):
        failing(database_error(OperationalError, cause), 1, calls)()
    assert len(calls) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("cause", [psycopg.errors.UniqueViolation(), psycopg.errors.ExclusionViolation()])
def test_constraint_that_fires_is_a_conflict(cause, calls):
    with pytest.raises(ConflictError) as error:
        failing(database_error(IntegrityError, cause), 1, calls)()
    assert (error.value.code, error.value.status, len(calls)) == ("conflict", 409, 1)


@pytest.mark.django_db(transaction=True)
def test_other_constraint_is_an_error_of_ours(calls):
    with pytest.raises(IntegrityError):
        failing(database_error(IntegrityError, psycopg.errors.CheckViolation()), 1, calls)()
