/* Makes MLX in the ranks use muster: what `muster run --mlx` sets in the environment. */
#ifndef MUSTER_RUN_MLX_H
#define MUSTER_RUN_MLX_H

#include <stdbool.h>

/* MLX_MPI_LIBNAME becomes our library, and what would make MLX prefer another backend goes. False, with a
 * sentence on stderr, when there is no such library beside this command. */
bool prepare_mlx(void);

#endif
