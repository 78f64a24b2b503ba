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

/* The same on a thread of a stream's. That exception may never reach the program: numpy drops it when it asks
 * for the array's buffer, and takes the elements as they are. So "muster: ..." is on stderr, too, once. */
_Noreturn void mpi_fail_on_stream(const char *function, const char *sentence);

#ifdef __cplusplus
}
#endif

#endif
