/* Names of statuses, and the last error's sentence. */
#include "muster/muster.h"

#include "shm/base/error.h"

#define STRING_(x) #x
#define STRING(x) STRING_(x)

const char *muster_status_string(muster_status status)
{
    switch (status) {
    case MUSTER_OK:
        return "ok";
    case MUSTER_ERR_INVALID:
        return "invalid argument";
    case MUSTER_ERR_UNSUPPORTED:
        return "unsupported";
    case MUSTER_ERR_NO_SPACE:
        return "no space in the arena";
    case MUSTER_ERR_BUSY:
        return "group in use by another thread";
    case MUSTER_ERR_FORKED:
        return "called in a forked child";
    case MUSTER_ERR_PEER_DIED:
        return "peer died";
    case MUSTER_ERR_TIMED_OUT:
        return "timed out";
    case MUSTER_ERR_MISMATCH:
        return "ranks disagree";
    case MUSTER_ERR_DEADLOCK:
        return "deadlock";
    case MUSTER_ERR_ABORTED:
        return "aborted";
    case MUSTER_ERR_BAD_ARENA:
        return "bad arena";
    case MUSTER_ERR_PERMISSION:
        return "permission denied";
    case MUSTER_ERR_NO_MEMORY:
        return "out of memory";
    case MUSTER_ERR_SYSTEM:
        return "system error";
    case MUSTER_ERR_UNAVAILABLE:
        return "unavailable";
    }
    return "unknown status";
}

const char *muster_error_detail(void)
{
    return mst_error_sentence();
}

const char *muster_version(void)
{
    return STRING(MUSTER_VERSION_MAJOR) "." STRING(MUSTER_VERSION_MINOR) "." STRING(MUSTER_VERSION_PATCH);
}
