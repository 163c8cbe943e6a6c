"""Lists of our own, made without a look at any data of the product; many of their words are unusual."""
