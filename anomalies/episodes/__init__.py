"""Episodes: what a person works on. Related anomalies of one machine are one case."""
