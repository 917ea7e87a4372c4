"""The commands that check, hand over and launch, and their options."""

from pathlib import Path
from typing import Annotated, Literal

from typer import Argument, Option

from fastrnn.cli._one_line import one_line


@one_line
def export(
    model: Annotated[
        Path, Argument(metavar="MODEL", help="Model file, folder of a training, or weights.")
    ],
    out: Annotated[Path, Argument(metavar="OUT.onnx", help="Replaced if it exists.")],
    cell: Annotated[
        Literal["rnn", "gru", "lstm"] | None,
        Option(help="The file holds weights of such a layer under PyTorch's names."),
    ] = None,
    prefix: Annotated[str, Option(help="With --cell: what the names start with.")] = "",
    state: Annotated[bool, Option("--state", help="Initial states are inputs too.")] = False,
    lengths: Annotated[bool, Option("--lengths", help="Lengths are an input too.")] = False,
) -> None:
    """Write a model, or a layer's weights, as an ONNX file for inference elsewhere."""
    from fastrnn.cli.commands.export import run_export

    run_export(model, out, cell=cell, prefix=prefix, state=state, lengths=lengths)


@one_line
def verify(
    path: Annotated[
        Path, Argument(metavar="FILE", help="Model, checkpoint, weights, or token file.")
    ],
) -> None:
    """Check a file: its SHA-256, its numbers, and that kernels and NumPy twins agree on it."""
    from fastrnn.cli.commands.verify import run_verify

    run_verify(path)


Ranks = Annotated[bool, Option("--dist", help="Test the ranks started by fastrnn launch.")]


@one_line
def selftest(dist: Ranks = False) -> None:
    """Compare all cells on all instruction sets of this machine with their NumPy twins.

    With --dist: compare what all ranks learn together with what one process learns.
    """
    if dist:
        from fastrnn.cli.commands.ranks import run_ranks_selftest

        return run_ranks_selftest()
    from fastrnn.cli.commands.selftest import run_selftest

    return run_selftest()


@one_line
def doctor(dist: Ranks = False) -> None:
    """Diagnose this machine: instruction set, threads, load, memory, libraries, packages.

    With --dist: where each rank is, what it has, and how fast the ranks add their gradients.
    """
    if dist:
        from fastrnn.cli.commands.ranks import run_ranks_doctor

        return run_ranks_doctor()
    from fastrnn.cli.commands.doctor import run_doctor

    return run_doctor()


@one_line
def bench(
    out: Annotated[Path, Option(metavar="DIR", help="Folder for the picture.")] = Path(
        "fastrnn-bench"
    ),
    threads: Annotated[
        int | None,
        Option(
            min=1,
            metavar="N",
            help="Threads of each library; default: fastrnn's.",
            show_default=False,
        ),
    ] = None,
    quick: Annotated[
        bool, Option("--quick", help="Measure once instead of the best of 3.")
    ] = False,
) -> None:
    """Benchmark fastrnn, NumPy and other installed libraries on this machine."""
    from fastrnn.cli.commands.bench import run_bench

    run_bench(rounds=1 if quick else 3, threads=threads, out=out)


@one_line
def launch(
    words: Annotated[
        list[str],
        Argument(metavar="SCRIPT.py|CONFIG.toml|COMMAND [OPTION]...", help="What each rank runs."),
    ],
    ranks: Annotated[
        int, Option("-n", min=1, metavar="K", help="Ranks: processes that train together.")
    ],
) -> None:
    """Run a script or a training as K processes that share every batch, on this machine's cores.

    A script hands fastrnn.distributed.init() to its Trainer as dist; `fastrnn train` does so
    itself. It is mpiexec with a share of the threads for each process; the command is printed.
    """
    from fastrnn.cli.commands.launch import run_launch

    run_launch(ranks, words)


COMMANDS = (export, verify, selftest, doctor, bench)
