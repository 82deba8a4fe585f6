"""HTTP in: parse, one call, answer."""
