"""What Seq2Seq is made of: the rules of its options, its decoder and its output layer."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from numpy.typing import DTypeLike

from fastrnn import init
from fastrnn._checks import FLOAT64, Array, flag
from fastrnn.data.vocabulary import SPECIALS
from fastrnn.models._parts.decoder import AttentiveDecoder, Decoder, LayerDecoder
from fastrnn.models._parts.model import size_of
from fastrnn.models._parts.reader import CELLS, Reader, linear_params
from fastrnn.ops._primitive import value_of

if TYPE_CHECKING:
    from numpy.random import Generator


_SCORES = (None, "additive", "dot", "general")
_QUERIES = ("previous", "current")


def plain(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the nested dict with what autograd traces as plain arrays."""
    return {
        name: plain(entry) if isinstance(entry, Mapping) else value_of(entry)
        for name, entry in params.items()
    }


def vocab_sizes(source_vocab: Any, target_vocab: Any) -> tuple[int, int]:
    """Return V of either side."""
    sizes = size_of(source_vocab, "source_vocab"), size_of(target_vocab, "target_vocab")
    for name, V in zip(("source_vocab", "target_vocab"), sizes, strict=True):
        if V <= SPECIALS:
            raise ValueError(f"{name} must exceed the {SPECIALS} specials, got {V}")
    return sizes


def check_attention(attention: Any, query: Any, input_feed: Any) -> None:
    """Refuse an unknown score, and options of attention without it."""
    if attention not in _SCORES:
        raise ValueError(f"attention must be one of {list(_SCORES)}, got {attention!r}")
    if query not in _QUERIES:
        raise ValueError(f"query must be one of {list(_QUERIES)}, got {query!r}")
    flag("input_feed", input_feed)
    if attention is None and (query != "previous" or not input_feed):
        raise ValueError(f"query and input_feed need attention, got {query!r} and {input_feed!r}")


def constraints_of(constraint: Any, chosen: list[int], N: int) -> Any:
    """Return the constraints of some of N sources."""
    if not isinstance(constraint, (list, tuple)):
        return constraint
    if len(constraint) != N:
        raise ValueError(
            f"constraint must be one function, or N = {N}, one for each source, got "
            f"{len(constraint)}"
        )
    return [constraint[n] for n in chosen]


# The options of a layer that the kernel of attention has.
_ATTENTIVE_OPTIONS = ("forget_bias", "truncate", "clip_step")


class Plan(NamedTuple):
    """What a decoder is made by, as `fastrnn.models.Seq2Seq`.

    Attributes
    ----------
    beside : int
        Columns of the encoder's vector beside each symbol; 0: it does not stand there.
    """

    cell: str
    vocab: int
    embedding_size: int | None
    hidden_size: int
    num_layers: int
    beside: int
    dropout: float
    embedding_dropout: float
    dtype: DTypeLike
    rng: "Generator"
    layer_options: Mapping[str, Any]


def decoder_of(plan: Plan, attention: Mapping[str, Any], memory_width: int) -> Decoder:
    """Return a decoder with its first weights; it attends if ``looks["score"]`` is there."""
    if attention["score"] is not None:
        return _attentive(plan, attention, memory_width)
    reader = Reader(input_size=None, bidirectional=False, merge_mode="concat", **plan._asdict())
    return LayerDecoder(reader, "columns" if plan.beside else None)


def _attentive(plan: Plan, attention: Mapping[str, Any], C: int) -> Decoder:
    """Return a decoder that attends to memory of C columns."""
    options, rng, dtype = plan.layer_options, plan.rng, plan.dtype
    unknown = [name for name in options if name not in _ATTENTIVE_OPTIONS]
    if unknown:
        raise ValueError(f"{unknown[0]} is no option of a model with attention")
    H, kind = plan.hidden_size, CELLS[plan.cell]
    E = H if plan.embedding_size is None else plan.embedding_size
    F = 0 if not attention["input_feed"] else C if attention["query"] == "previous" else H
    bottom = kind(E + plan.beside + F, H, dtype=dtype, rng=rng, **options)
    dtype = bottom.dtype
    params: dict[str, Any] = {
        "embedding": {"weight": init.normal((plan.vocab, E), rng, dtype, FLOAT64)},
        "attention": {
            **{name.removesuffix("_l0"): a for name, a in bottom.state_dict().items()},
            **_score_params(attention["score"], H, C, dtype, rng),
            **_named("output", linear_params(H, H + C, dtype, rng)),
        },
    }
    above = None
    if plan.num_layers > 1:
        between = plan.dropout if plan.num_layers > 2 else 0.0
        above = kind(H, H, plan.num_layers - 1, dropout=between, dtype=dtype, rng=rng, **options)
        params["rnn"] = above.state_dict()
    decoder = AttentiveDecoder(
        plan.cell, bottom, "attention", attention, memory_width=C, above=above,
        vector=plan.beside > 0, dropout=plan.dropout, embedding_dropout=plan.embedding_dropout,
    )  # fmt: skip
    decoder.params = params
    return decoder


def out_params(
    decoder: Any, V: int, beside: int, tied: bool, dtype: Any, rng: "Generator"
) -> dict[str, Array]:
    """Return the first weights of the output layer; a tied one has no weight of its own."""
    columns = decoder.width + beside
    out = linear_params(V, columns, dtype, rng)
    if tied:
        E = decoder.params["embedding"]["weight"].shape[1]
        if columns != E:
            raise ValueError(
                f"tied needs embedding_size to be the columns of the features, {columns}, got {E}"
            )
        del out["weight"]
    return out


def _score_params(score: str, H: int, C: int, dtype: Any, rng: "Generator") -> dict[str, Array]:
    """Return the first weights of a score: uniform in ±1/√(columns)."""
    if score == "general":
        return {"weight_general": init.uniform((C, H), H**-0.5, rng, dtype)}
    if score == "dot":
        return {}
    return {
        "weight_query": init.uniform((H, H), H**-0.5, rng, dtype),
        **_named("key", linear_params(H, C, dtype, rng)),
        "vector": init.uniform((H,), H**-0.5, rng, dtype),
    }


def _named(name: str, params: Mapping[str, Array]) -> dict[str, Array]:
    return {f"{kind}_{name}": array for kind, array in params.items()}
