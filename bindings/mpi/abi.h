/*
 * What MLX's mpi backend loads from an MPI library, with the types and values of Open MPI's C interface
 * (mpi.h of Open MPI 4.1): handles are pointers, and the predefined ones are the addresses of objects that
 * nobody reads.
 */
#ifndef MUSTER_MPI_ABI_H
#define MUSTER_MPI_ABI_H

#include <stddef.h>

typedef void *MPI_Comm;
typedef void *MPI_Datatype;
typedef void *MPI_Op;
typedef void MPI_User_function(void *in, void *inout, int *count,
                               MPI_Datatype *type); /* inout = in op inout */

typedef struct MPI_Status {
    int MPI_SOURCE, MPI_TAG, MPI_ERROR, cancelled;
    size_t bytes;
} MPI_Status;

#define MPI_SUCCESS 0
#define MPI_ERR_OTHER 16
#define MPI_IN_PLACE ((void *)1)
#define MPI_UNDEFINED (-32766)
#define MPI_COMM_NULL NULL
#define MPI_MAX_LIBRARY_VERSION_STRING 256

typedef struct mpi_object {
    char reserved[64];
} mpi_object;

extern mpi_object ompi_mpi_comm_world;
extern mpi_object ompi_mpi_op_sum, ompi_mpi_op_max, ompi_mpi_op_min;
extern mpi_object ompi_mpi_c_bool, ompi_mpi_int8_t, ompi_mpi_uint8_t, ompi_mpi_int16_t, ompi_mpi_uint16_t,
    ompi_mpi_int32_t, ompi_mpi_uint32_t, ompi_mpi_int64_t, ompi_mpi_uint64_t, ompi_mpi_float, ompi_mpi_double,
    ompi_mpi_c_complex;

int MPI_Get_library_version(char *version, int *length);
int MPI_Init(int *argc, char ***argv);
int MPI_Finalize(void);
int MPI_Comm_rank(MPI_Comm comm, int *rank);
int MPI_Comm_size(MPI_Comm comm, int *size);
int MPI_Comm_split(MPI_Comm comm, int color, int key, MPI_Comm *made);
int MPI_Comm_free(MPI_Comm *comm);
int MPI_Allreduce(const void *in, void *out, int count, MPI_Datatype type, MPI_Op op, MPI_Comm comm);
int MPI_Allgather(const void *in, int in_count, MPI_Datatype in_type, void *out, int out_count,
                  MPI_Datatype out_type, MPI_Comm comm);
int MPI_Send(const void *buf, int count, MPI_Datatype type, int dst, int tag, MPI_Comm comm);
int MPI_Recv(void *buf, int count, MPI_Datatype type, int src, int tag, MPI_Comm comm, MPI_Status *status);
int MPI_Type_contiguous(int count, MPI_Datatype of, MPI_Datatype *made);
int MPI_Type_commit(MPI_Datatype *type);
int MPI_Op_create(MPI_User_function *function, int commutes, MPI_Op *made);

#endif
