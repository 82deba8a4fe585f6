"""Monitoring owns no table: it looks at the machine, at the database and at the other domains."""
