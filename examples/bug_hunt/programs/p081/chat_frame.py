"""Messages of a chat as they come over the wire: length, colon, text."""


def decode(frame):
    """The text of a frame."""
    head, _, body = frame.partition(b":")
    text = body.decode("ascii")
    if int(head) != len(body):
        raise ValueError("frame is cut")
    return text


def encode(text):
    """The frame of a text."""
    body = text.encode()
    return b"%d:%s" % (len(body), body)
