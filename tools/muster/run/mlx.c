/* Finding the library of mlx.h, from where this command is. */
#include "tools/muster/run/mlx.h"

#include <stdio.h>
#include <stdlib.h>

#include "tools/muster/run/beside.h"

/* Installed, and in the build tree. */
static const char *const places[2] = { MUSTER_MLX_INSTALLED, "../bindings/mpi/libmuster_mlx.so" };

bool prepare_mlx(void)
{
    char path[BESIDE_BYTES];

    if (!find_beside(places, path)) {
        fprintf(stderr, "muster run: there is no libmuster_mlx.so beside this command; build and install "
                        "muster with a C++ compiler (MUSTER_BUILD_MLX)\n");
        return false;
    }
    unsetenv("MLX_RANK"); /* with these two MLX would prefer its own ring */
    unsetenv("MLX_HOSTFILE");
    return setenv("MLX_MPI_LIBNAME", path, 1) == 0;
}
