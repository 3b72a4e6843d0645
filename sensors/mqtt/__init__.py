"""Readings from an MQTT broker: acknowledged there once they are committed here."""
