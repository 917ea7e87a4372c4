"""Data on its way to a model: vocabularies, padding, batches, streams, files, word vectors."""

from fastrnn.data.arrays import kmers, one_hot, pad
from fastrnn.data.batches import Batch, Batches, DialogueBatch, PairBatch, SentenceBatch, batches
from fastrnn.data.bpe import BPE
from fastrnn.data.loader import Loader
from fastrnn.data.phrases import Phrases
from fastrnn.data.streams import Streams, Windows, contiguous_streams, windows
from fastrnn.data.token_file import TokenFile
from fastrnn.data.turns import pack_dialogues, plain_words
from fastrnn.data.vocabulary import BOS, EOS, PAD, UNK, Vocabulary
from fastrnn.data.word_vectors import UnknownWordError, WordVectors

__all__ = [
    "BOS",
    "BPE",
    "EOS",
    "PAD",
    "UNK",
    "Batch",
    "Batches",
    "DialogueBatch",
    "Loader",
    "PairBatch",
    "Phrases",
    "SentenceBatch",
    "Streams",
    "TokenFile",
    "UnknownWordError",
    "Vocabulary",
    "Windows",
    "WordVectors",
    "batches",
    "contiguous_streams",
    "kmers",
    "one_hot",
    "pack_dialogues",
    "pad",
    "plain_words",
    "windows",
]
