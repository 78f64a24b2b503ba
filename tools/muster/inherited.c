/* Keeping and changing of inherited.h. */
#include "tools/muster/inherited.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <sys/resource.h>
#include <unistd.h>

static struct {
    sigset_t mask;
    struct sigaction pipe, child;
    struct rlimit descriptors;
} kept;

void inherited_open_standard(void)
{
    for (int fd = 0; fd < 3; fd++) /* in order: open() takes the lowest number */
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", O_RDONLY) < 0)
            return;
}

void inherited_change(void)
{
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, &kept.mask);
    sigaction(SIGPIPE, NULL, &kept.pipe);
    sigaction(SIGCHLD, NULL, &kept.child);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGCHLD, SIG_DFL); /* ignored, nobody learns how ranks end */
    if (getrlimit(RLIMIT_NOFILE, &kept.descriptors) == 0) {
        struct rlimit most = { kept.descriptors.rlim_max, kept.descriptors.rlim_max };

        setrlimit(RLIMIT_NOFILE, &most);
    }
}

void inherited_restore(void)
{
    sigaction(SIGPIPE, &kept.pipe, NULL);
    sigaction(SIGCHLD, &kept.child, NULL);
    setrlimit(RLIMIT_NOFILE, &kept.descriptors);
    sigprocmask(SIG_SETMASK, &kept.mask, NULL);
}

bool inherited_ignores_pipe(void)
{
    return kept.pipe.sa_handler == SIG_IGN;
}
