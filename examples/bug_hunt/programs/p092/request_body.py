"""Bodies of requests to a service."""

import yajl as encoder


def body(**fields):
    """The fields that are set, as bytes."""
    present = {key: value for key, value in fields.items() if value is not None}
    return encoder.dumps(present).encode()


def headers(data):
    """Headers of a body."""
    return {"Content-Length": str(len(data))}
