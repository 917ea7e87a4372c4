"""What models are made of: settings and files, readers, decoders, labels, dense layers."""
