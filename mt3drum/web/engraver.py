"""verovio for the static site: its script and its WebAssembly, which npm's package holds in one file.

Apart, they can be compressed, and no script of the size of the engraver has to be parsed.
"""

from __future__ import annotations

import re

_BEFORE, _AFTER = "function findWasmBinary(){return binaryDecode(", ")}"
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|\r\n|.)", re.DOTALL)
_NAMED = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f", "v": "\v", "0": "\0", "\n": "", "\r\n": ""}
_ZERO = 256  # how a byte 0 is written
_MAGIC = b"\0asm"


def split(module: str) -> tuple[str, bytes]:
    """The module without its WebAssembly, which its caller gives as `wasmBytes`; and the WebAssembly.

    Args:
        module: `verovio-module.mjs`, as Emscripten writes it (SINGLE_FILE).

    Raises:
        ValueError: it is written in another way.
    """
    start = module.find(_BEFORE) + len(_BEFORE)
    quote = module[start : start + 1]
    if start < len(_BEFORE) or quote not in ("'", '"'):
        raise ValueError("verovio's module holds no WebAssembly where it was expected")
    text = re.compile(rf"(?:[^\\{quote}]|\\.)*", re.DOTALL).match(module, start + 1)
    assert text is not None
    if not module.startswith(quote + _AFTER, text.end()):
        raise ValueError("verovio's module ends its WebAssembly in an unknown way")
    codes = map(ord, _ESCAPE.sub(_unescape, text[0]))
    binary = bytes(0 if code == _ZERO else code for code in codes)
    if not binary.startswith(_MAGIC):
        raise ValueError("verovio's module holds something else than WebAssembly")
    script = (
        module[: start - len(_BEFORE)]
        + 'function findWasmBinary(){return Module["wasmBytes"]}'
        + module[text.end() + len(quote + _AFTER) :]
    )
    return script, binary


def _unescape(found: re.Match[str]) -> str:
    code = found[1]
    return chr(int(code[1:], 16)) if len(code) > 2 else _NAMED.get(code, code)
