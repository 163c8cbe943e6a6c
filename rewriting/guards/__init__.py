"""Guards: which pairs of requests are no rewrites, whatever was counted; imports `evidence`."""
