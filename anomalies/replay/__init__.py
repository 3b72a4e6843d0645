"""History run again through the agents as they are, with something changed, and nothing written."""
