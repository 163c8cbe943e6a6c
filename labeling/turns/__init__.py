"""Turns as inputs of models: texts, features, tokens, windows, batches; imports `text` and `models`."""
