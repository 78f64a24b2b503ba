/* Opens pipes and pseudo-terminals, for streams.h. */
#define _GNU_SOURCE /* pipe2, ptsname_r */
#include "src/launch/streams.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "shm/port/os.h"

void mst_streams_set_size(int terminal)
{
    struct winsize size;

    for (int fd = 1; fd < 3; fd++)
        if (ioctl(fd, TIOCGWINSZ, &size) == 0) {
            ioctl(terminal, TIOCSWINSZ, &size);
            return;
        }
}

/* Without output processing: newlines stay newlines. */
static int open_terminal(int *ours, int *theirs)
{
    struct termios modes;
    char name[64];

    *ours = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (*ours < 0 || grantpt(*ours) < 0 || unlockpt(*ours) < 0 || ptsname_r(*ours, name, sizeof name) != 0)
        return -errno;
    *theirs = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (*theirs < 0 || tcgetattr(*theirs, &modes) < 0)
        return -errno;
    modes.c_oflag &= ~(tcflag_t)OPOST;
    modes.c_lflag &= ~(tcflag_t)ECHO;
    if (tcsetattr(*theirs, TCSANOW, &modes) < 0)
        return -errno;
    mst_streams_set_size(*theirs);
    return 0;
}

static int open_pipe(int *ours, int *theirs)
{
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    *ours = ends[0];
    *theirs = ends[1];
    return 0;
}

int mst_streams_open(mst_streams *streams, const muster_launch_config *config)
{
    int error = 0;

    *streams = (mst_streams){ { -1, -1 }, { -1, -1 } };
    if (!config->prefix_output && !config->output)
        return 0;
    for (int i = 0; i < 2 && error == 0; i++)
        error = config->terminal ? open_terminal(&streams->ours[i], &streams->theirs[i])
                                 : open_pipe(&streams->ours[i], &streams->theirs[i]);
    if (error)
        mst_streams_close(streams, true);
    return error;
}

void mst_streams_take(const mst_streams *streams)
{
    for (int i = 0; i < 2; i++)
        if (streams->theirs[i] >= 0)
            dup2(streams->theirs[i], i == 0 ? STDOUT_FILENO : STDERR_FILENO);
}

void mst_streams_close(const mst_streams *streams, bool ours)
{
    for (int i = 0; i < 2; i++) {
        mst_os_close(streams->theirs[i]);
        if (ours)
            mst_os_close(streams->ours[i]);
    }
}
