/* Shows the ranks' output and keeps it in files, for output.h. */
#define _GNU_SOURCE /* O_CLOEXEC, localtime_r */
#include "tools/muster/run/output.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* ---- opening ---- */

static bool is_colored(const run_options *options, int fd)
{
    const char *unwanted = getenv("NO_COLOR"); /* no-color.org: set and not empty */

    if (options->color != RUN_COLOR_AUTO)
        return options->color == RUN_COLOR_ALWAYS;
    return isatty(fd) && !(unwanted && *unwanted);
}

static int open_log(const char *folder, int rank, int stream)
{
    char path[4096];

    if (snprintf(path, sizeof path, "%s/%d.%s", folder, rank, stream == 0 ? "out" : "err") >=
        (int)sizeof path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    return open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
}

/* Makes the folder, and its parents where they are missing. */
static bool make_folder(const char *path)
{
    char part[4096];

    if (snprintf(part, sizeof part, "%s", path) >= (int)sizeof part) {
        errno = ENAMETOOLONG;
        return false;
    }
    for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(part, 0777) != 0 && errno != EEXIST)
            return false;
        *slash = '/';
    }
    return mkdir(part, 0777) == 0 || errno == EEXIST;
}

bool output_open(run_output *output, const run_options *options)
{
    output->options = options;
    for (int stream = 0; stream < 2; stream++)
        output->colored[stream] = is_colored(options, stream + 1);
    for (int rank = 0; rank < RUN_RANKS_MAX; rank++)
        output->logs[rank][0] = output->logs[rank][1] = -1;
    if (!options->log_folder)
        return true;
    bool made = make_folder(options->log_folder);
    for (int rank = 0; made && rank < options->launch.size; rank++)
        for (int stream = 0; made && stream < 2; stream++)
            made = (output->logs[rank][stream] = open_log(options->log_folder, rank, stream)) >= 0;
    if (made)
        return true;
    fprintf(stderr, "muster run: --log-dir %s: %s\n", options->log_folder, strerror(errno));
    output_close(output);
    return false;
}

bool output_close(run_output *output)
{
    for (int rank = 0; rank < RUN_RANKS_MAX; rank++)
        for (int stream = 0; stream < 2; stream++)
            if (output->logs[rank][stream] >= 0 && close(output->logs[rank][stream]) < 0 &&
                !output->log_error)
                output->log_error = errno; /* some file systems say only now that they are full */
    if (output->log_error)
        fprintf(stderr, "muster run: --log-dir %s: %s: the ranks' output is incomplete\n",
                output->options->log_folder, strerror(output->log_error));
    return output->log_error == 0;
}

/* ---- lines ---- */

static bool write_parts(int fd, struct iovec *parts, int count)
{
    while (count > 0) {
        ssize_t done = writev(fd, parts, count);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return false;
        for (; count > 0 && (size_t)done >= parts->iov_len; parts++, count--)
            done -= (ssize_t)parts->iov_len;
        if (count > 0) {
            parts->iov_base = (char *)parts->iov_base + done;
            parts->iov_len -= (size_t)done;
        }
    }
    return true;
}

/* Parts of a line go one behind the other. */
static void keep(run_output *output, const muster_line *line, const char *time_text)
{
    struct iovec parts[3] = { { (char *)(uintptr_t)time_text, line->begins ? strlen(time_text) : 0 },
                              { (char *)(uintptr_t)line->text, line->bytes },
                              { (char[]){ '\n' }, line->ends } };
    int fd = output->logs[line->rank][line->fd - 1];

    if (fd >= 0 && !output->log_error && !write_parts(fd, parts, 3))
        output->log_error = errno;
}

static void put_time(char *text, size_t bytes)
{
    struct timespec now;
    struct tm local;

    clock_gettime(CLOCK_REALTIME, &now);
    localtime_r(&now.tv_sec, &local);
    snprintf(text, bytes, "%02d:%02d:%02d.%03ld ", local.tm_hour, local.tm_min, local.tm_sec,
             now.tv_nsec / 1000000);
}

bool output_show(const muster_line *line, char head[MUSTER_HEAD_BYTES], void *arg)
{
    static const int colors[] = { 36, 33, 32, 35, 34, 96, 93, 92, 95, 94 }; /* red is for what is wrong */
    run_output *output = arg;
    const run_options *options = output->options;
    const char *more = line->continued ? "+" : "";
    char time_text[32] = "";

    if (line->rank < 0) {
        snprintf(head, MUSTER_HEAD_BYTES, "muster run: ");
        return true;
    }
    if (options->timestamps)
        put_time(time_text, sizeof time_text);
    keep(output, line, time_text);
    if (options->prefix == RUN_PREFIX_NONE)
        snprintf(head, MUSTER_HEAD_BYTES, "%s", time_text);
    else if (output->colored[line->fd - 1])
        snprintf(head, MUSTER_HEAD_BYTES, "%s\033[%dm[%d]%s\033[0m ", time_text,
                 colors[line->rank % (int)(sizeof colors / sizeof colors[0])], line->rank, more);
    else
        snprintf(head, MUSTER_HEAD_BYTES, "%s[%d]%s ", time_text, line->rank, more);
    return options->all_shown || options->shown[line->rank];
}
