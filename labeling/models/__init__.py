"""What models of any kind are made of: artifacts, ONNX, encoder bases, tokenizers; imports `text` alone."""
