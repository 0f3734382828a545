"""Notes inside a zip archive."""

import io
import zipfile


def pack(notes):
    """An archive with one member per note."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in notes.items():
            archive.writestr(name, text)
    return buffer.getvalue()


def unpack(data):
    """The notes of an archive."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name).decode("ascii") for name in archive.namelist()}
