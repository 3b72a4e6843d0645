"""Small mechanisms without models or app imports: the circuit breaker and the token bucket."""
