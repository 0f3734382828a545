"""Effects: the only code that talks to PostgreSQL, Kafka and Valkey (DOMAIN section 1).

Here: plain stores and clients, one module per effect unit, over `resilience` (retry, circuit breaker, spans),
`postgres` and `valkey`. Not here: Dagster (resources/ wraps these), rules of the domain (compute/, reducers/), order
of steps (steps/).
"""
