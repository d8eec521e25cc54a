"""Sufficient statistics of a design: nested, crossed, structured and streamed, behind one protocol."""
