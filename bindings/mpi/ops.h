/*
 * Which reduction a user operation is. MLX brings its own for 16-bit floats and for the order of complex
 * numbers; it makes f16 and bf16 the same type, of two bytes, so only the operation tells them apart.
 * It is tried on known bit patterns: what behaves like one of ours, is.
 */
#ifndef MUSTER_MPI_OPS_H
#define MUSTER_MPI_OPS_H

#include <stdbool.h>

#include "bindings/mpi/abi.h"
#include "muster/muster.h"

typedef struct known_op {
    muster_dtype dtype;
    muster_op op;
} known_op;

/* The operation on elements of two bytes, or of complex numbers; false: none of ours. */
bool recognise_half(MPI_User_function *function, MPI_Datatype type, known_op *known);
bool recognise_complex(MPI_User_function *function, MPI_Datatype type, known_op *known);

#endif
