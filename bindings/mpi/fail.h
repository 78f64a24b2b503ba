/*
 * An error that cannot be overlooked. MLX ignores what MPI's functions return, so a failed operation would
 * be a wrong number; an exception reaches the Python program as RuntimeError, with our sentence.
 */
#ifndef MUSTER_MPI_FAIL_H
#define MUSTER_MPI_FAIL_H

#ifdef __cplusplus
extern "C" {
#endif

/* `function`: as MLX calls it. Throws std::runtime_error("[muster] ..."), or, with MUSTER_MLX_ON_ERROR=exit,
 * prints that and exits with 1, which the launcher tells the other ranks. */
_Noreturn void mpi_fail(const char *function, const char *sentence);

#ifdef __cplusplus
}
#endif

#endif
