"""Moments, as they come in."""

from datetime import datetime

from rest_framework import serializers

__all__ = ["Moment"]


class Moment(serializers.DateTimeField):
    """A moment that no reader can take for another: its offset from UTC must be given."""

    default_error_messages = {"naive": "Give the offset from UTC: 2030-01-01T00:00:00Z."}

    def enforce_timezone(self, value: datetime) -> datetime:
        if value.tzinfo is None:
            self.fail("naive")
        return super().enforce_timezone(value)
