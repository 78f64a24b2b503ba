"""Who has started this process, for the backends of other packages."""

import os

from . import _muster


def is_by_mpi():
    """Whether mpirun, or srun with PMI, has started this process, and the plug-in for it is there."""
    variables = ("OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK")
    return ("MUSTER_RANK" not in os.environ and any(name in os.environ for name in variables) and
            _muster.is_available("mpi"))
