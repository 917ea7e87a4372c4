"""What Seq2Seq is made of: encoder, decoders, pairs, and translating with them."""
