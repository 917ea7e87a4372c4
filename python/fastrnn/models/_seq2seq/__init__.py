"""What Seq2Seq needs beside its encoder: rules, first weights, batches of pairs, measures."""
