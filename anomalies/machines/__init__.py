"""The sensors of one machine judged together: what none of them shows alone."""
