"""What machines say, as features: vibration, sound, processes, engines. Pure."""
