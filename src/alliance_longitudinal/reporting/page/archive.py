"""Zip archives (Word and Excel files) without the time of day: the same content gives the same bytes."""

import io
import re
import zipfile
from collections.abc import Mapping

_LONG_AGO = (1980, 1, 1, 0, 0, 0)


def steady_zip(content: bytes, replace: Mapping[str, tuple[bytes, bytes]] | None = None) -> bytes:
    """``content``, a zip archive, with the same members in the same order and no time.

    Parameters
    ----------
    content : bytes
    replace : mapping, optional
        Member -> pattern and what stands there instead.
    """
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as source, zipfile.ZipFile(out, "w") as target:
        for member in source.infolist():
            plain = zipfile.ZipInfo(member.filename, _LONG_AGO)
            plain.compress_type, plain.create_system, plain.external_attr = zipfile.ZIP_DEFLATED, 0, 0
            data = source.read(member)
            if member.filename in (replace or {}):
                pattern, instead = (replace or {})[member.filename]
                data = re.sub(pattern, instead, data)
            target.writestr(plain, data)
    return out.getvalue()
