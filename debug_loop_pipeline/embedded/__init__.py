"""The servers that `debug-loop up` starts from wheels and jars, supervised (ARCHITECTURE section 5).

Belongs here: finding, starting, probing and stopping PostgreSQL, Valkey and a Kafka broker on the loopback interface.
Not here: clients of these servers (`effects/`), topics and tables, and settings of an external server.
"""
