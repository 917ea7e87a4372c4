"""Data-parallel training: the same script under ``mpiexec`` learns with many processes at once."""

from fastrnn.distributed.comm import Comm, SerialComm, ThreadComm
from fastrnn.distributed.gloo import TorchComm
from fastrnn.distributed.mpi import MPIComm, init

__all__ = ["Comm", "MPIComm", "SerialComm", "ThreadComm", "TorchComm", "init"]
