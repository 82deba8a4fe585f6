"""Writes of what is planned: templates, batches, schedules."""
