"""Detectors that fold over a stream: bounded memory, one reading at a time, exact prefixes."""
