/* Finding the library of mlx.h, from where this command is. */
#include "tools/muster/mlx.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Installed, and in the build tree. */
static const char *const places[] = { MUSTER_MLX_INSTALLED, "../bindings/mpi/libmuster_mlx.so" };

static bool find_library(char *path, size_t bytes)
{
    char self[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);

    if (length <= 0)
        return false;
    self[length] = '\0';
    *strrchr(self, '/') = '\0';
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (snprintf(path, bytes, "%s/%s", self, places[i]) < (int)bytes && access(path, R_OK) == 0)
            return true;
    return false;
}

bool prepare_mlx(void)
{
    char path[2 * PATH_MAX];

    if (!find_library(path, sizeof path)) {
        fprintf(stderr, "muster run: there is no libmuster_mlx.so beside this command; build and install "
                        "muster with a C++ compiler (MUSTER_BUILD_MLX)\n");
        return false;
    }
    unsetenv("MLX_RANK"); /* with these two MLX would prefer its own ring */
    unsetenv("MLX_HOSTFILE");
    return setenv("MLX_MPI_LIBNAME", path, 1) == 0;
}
