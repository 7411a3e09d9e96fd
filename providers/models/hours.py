"""When a resource is there: the rules that people write, and the open hours that they expand to."""

from typing import ClassVar

from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import DateTimeRangeField
from django.core.validators import MaxValueValidator
from django.db import models
from django.db.models import F, Func, Q, Value

from petplace.fields import DateTimeMultirangeField
from petplace.models import PublicModel
from providers.models.place import Resource

DAY_MINUTES = 24 * 60


def same(column: str) -> Func:
    """Return ``int8range(column, column, '[]')``: equality as an overlap, which GiST knows by itself."""
    return Func(F(column), F(column), Value("[]"), function="int8range")


class WeeklyHours(models.Model):
    """Open from ``opens`` to ``closes`` on a weekday (Monday is 0), minutes after local midnight; 1440 is midnight."""

    resource = models.ForeignKey(Resource, on_delete=models.CASCADE, related_name="weekly_hours")
    weekday = models.PositiveSmallIntegerField(validators=[MaxValueValidator(6)])
    opens = models.PositiveSmallIntegerField(validators=[MaxValueValidator(DAY_MINUTES)])
    closes = models.PositiveSmallIntegerField(validators=[MaxValueValidator(DAY_MINUTES)])

    class Meta:
        ordering = ("weekday", "opens")
        verbose_name_plural = "weekly hours"
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(weekday__lte=6), name="weekly_hours_weekday"),
            models.CheckConstraint(
                condition=Q(closes__gt=F("opens"), closes__lte=DAY_MINUTES), name="weekly_hours_end_after_start"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.weekday} {self.opens}-{self.closes}"


class DateOverride(PublicModel):
    """Other hours on one local date; several rows of a date add up, a row without hours closes the day."""

    resource = models.ForeignKey(Resource, on_delete=models.CASCADE, related_name="overrides")
    on = models.DateField()
    opens = models.PositiveSmallIntegerField(null=True, blank=True)
    closes = models.PositiveSmallIntegerField(null=True, blank=True)
    reason = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ("on", "opens")
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(opens__isnull=True, closes__isnull=True)
                | Q(opens__isnull=False, closes__gt=F("opens"), closes__lte=DAY_MINUTES),
                name="date_override_end_after_start",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.on} {'closed' if self.opens is None else f'{self.opens}-{self.closes}'}"


class TimeOff(PublicModel):
    """A span of instants in which the resource is away, whatever the hours say."""

    resource = models.ForeignKey(Resource, on_delete=models.CASCADE, related_name="time_off")
    during = DateTimeRangeField()
    reason = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ("during",)
        verbose_name_plural = "time off"
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(during__isempty=False, during__lower_inf=False, during__upper_inf=False),
                name="time_off_bounded",
            ),
            ExclusionConstraint(
                name="time_off_no_overlap", expressions=[(same("resource"), "&&"), ("during", "&&")], index_type="GIST"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.during.lower} to {self.during.upper}"


class OpenHours(models.Model):
    """The rules of a resource, expanded to instants up to the horizon. Bookings are not in it.

    A table of its own, so that a refresh rewrites nothing else. It is written under the lock on the resource's row.
    """

    resource = models.OneToOneField(Resource, on_delete=models.CASCADE, primary_key=True, related_name="open_hours")
    open = DateTimeMultirangeField()
    expanded_until = models.DateField()

    class Meta:
        verbose_name_plural = "open hours"

    def __str__(self) -> str:
        return f"{self.resource_id} until {self.expanded_until}"
