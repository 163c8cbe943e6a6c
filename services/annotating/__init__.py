"""Annotation of failure points by people: samples, sheets, agreement."""
