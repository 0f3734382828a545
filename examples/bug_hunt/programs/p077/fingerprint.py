"""Fingerprints of records, to notice changes."""

import hashlib
import json


def fingerprint(record):
    """The same for the same record, whatever the order of its keys."""
    text = json.dumps(record, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def changed(old, new):
    """Whether a record changed."""
    return fingerprint(old) != fingerprint(new)
