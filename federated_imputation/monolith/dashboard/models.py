"""The dashboard owns no table: its numbers are read from the other domains."""
