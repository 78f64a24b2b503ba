/* Copies structs of different sizes, for sized.h. */
#include "src/pure/sized.h"

#include <string.h>

#include "shm/base/error.h"

#define BYTES_MAX 4096 /* no struct of any version is longer: a larger size is an uninitialised one */

static bool is_zero(const unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

muster_status mst_sized_take(void *to, size_t bytes, const void *given, const char *initialiser)
{
    size_t given_bytes = 0;

    if (given)
        memcpy(&given_bytes, given, sizeof given_bytes);
    if (given_bytes <= sizeof given_bytes || given_bytes > BYTES_MAX)
        return mst_fail(MUSTER_ERR_INVALID, "a struct is NULL or its struct_size is not set; begin with %s",
                        initialiser);
    if (given_bytes > bytes && !is_zero((const unsigned char *)given + bytes, given_bytes - bytes))
        return mst_fail(MUSTER_ERR_INVALID,
                        "a struct that begins with %s has a field set that libmuster %s does not know; the "
                        "program was compiled for a later version",
                        initialiser, muster_version());
    memset(to, 0, bytes);
    memcpy(to, given, given_bytes < bytes ? given_bytes : bytes);
    return MUSTER_OK;
}

void mst_sized_give(void *given, const void *from, size_t bytes)
{
    const size_t head = sizeof(size_t); /* struct_size */
    size_t given_bytes;

    memcpy(&given_bytes, given, sizeof given_bytes);
    memset((unsigned char *)given + head, 0, given_bytes - head);
    memcpy((unsigned char *)given + head, (const unsigned char *)from + head,
           (given_bytes < bytes ? given_bytes : bytes) - head);
}
