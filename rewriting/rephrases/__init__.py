"""The rephrase detector and the candidates that it proposes; imports `table` and `evidence`."""
