"""How often a client may ask, and how often somebody may guess a password."""
