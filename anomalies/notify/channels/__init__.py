"""The ways out, one module each: `send(message)`, which raises Refused or NotDelivered."""
