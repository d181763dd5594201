"""mt3drum: a recording of drums in, a score out."""
