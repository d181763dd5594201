"""One writer per file format. All work on one list of hits or its quantised score; `mt3drum.formats.write`
picks them."""
