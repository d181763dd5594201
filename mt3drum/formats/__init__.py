"""One writer per file format, all from one list of hits or its quantised copy. `mt3drum.formats.write` picks
them."""
