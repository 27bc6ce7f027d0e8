"""What a run may be told: every setting, how a user says it, and what is refused."""
