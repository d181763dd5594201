"""Names of raw PCM encodings. They stand apart from their reader so that the command line needs no NumPy."""

ENCODINGS = ("s16le", "s24le", "s32le", "f32le", "f64le", "u8")
"""As in ffmpeg: signed integers, floats, unsigned bytes; little-endian."""
