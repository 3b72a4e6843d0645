"""System checks: what can be read at start but is unwise, each with an id and what to do."""
