"""How networks are read: torch modules, ONNX files, bare layers; each compared with its original."""
