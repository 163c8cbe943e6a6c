"""What models of any kind are made of, and which are in use; imports `text` alone."""
