/* Raises the limit of descriptors, and plugs closed standard descriptors, as described in descriptors.h. */
#define _GNU_SOURCE /* O_CLOEXEC */
#include "src/launch/descriptors.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define EACH_RANK 3    /* stdout, stderr, and a watch */
#define BESIDE_THEM 64 /* the arena, the guard, and what the program has open */

/* Plugs a closed descriptor with /dev/null, read-only: writing to it remains an error. */
static bool plug(int fd)
{
    if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
        return false;
    int null = open("/dev/null", O_RDONLY);
    if (null >= 0 && null != fd) {
        dup2(null, fd);
        close(null);
    }
    return null >= 0;
}

/* Whether plug() still has this descriptor, or another file has been opened there. */
static bool is_plug(int fd)
{
    struct stat status, null;

    return fstat(fd, &status) == 0 && stat("/dev/null", &null) == 0 && S_ISCHR(status.st_mode) &&
           status.st_rdev == null.st_rdev;
}

void mst_descriptors_prepare(mst_descriptors *descriptors, int ranks)
{
    rlim_t wanted = (rlim_t)ranks * EACH_RANK + BESIDE_THEM;
    struct rlimit limit;

    *descriptors = (mst_descriptors){ .raised = false };
    for (int fd = 0; fd < 3; fd++)
        descriptors->plugged[fd] = plug(fd);
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return;
    descriptors->before = limit;
    if (limit.rlim_cur < wanted && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
        descriptors->raised = setrlimit(RLIMIT_NOFILE, &limit) == 0;
    }
    descriptors->few = (descriptors->raised ? limit.rlim_cur : descriptors->before.rlim_cur) < wanted;
}

void mst_descriptors_restore_limit(const mst_descriptors *descriptors)
{
    if (descriptors->raised)
        setrlimit(RLIMIT_NOFILE, &descriptors->before);
}

void mst_descriptors_restore(const mst_descriptors *descriptors)
{
    mst_descriptors_restore_limit(descriptors);
    for (int fd = 0; fd < 3; fd++)
        if (descriptors->plugged[fd] && is_plug(fd))
            close(fd);
}

const char *mst_descriptors_remedy(int error)
{
    if (error == -EMFILE)
        return "raise ulimit -n (descriptors; its hard limit is in the way)";
    if (error == -ENFILE)
        return "raise /proc/sys/fs/file-max (descriptors of the whole system)";
    if (error == -ENOMEM)
        return "free memory";
    return "raise ulimit -u (processes), or the control group's pids.max";
}
