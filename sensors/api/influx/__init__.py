"""Where clients of InfluxDB write, v1 and v2, and what they ask before they do."""
