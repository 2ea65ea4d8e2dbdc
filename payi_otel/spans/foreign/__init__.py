"""Spans that other instrumentations made: what each of them tells, in the attributes of our own spans."""
