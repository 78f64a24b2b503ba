/* Searching of jobs.h. */
#define _GNU_SOURCE /* O_PATH */
#include "tools/muster/look/jobs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/base/plain.h"
#include "tools/muster/options.h"

enum { WHY_BYTES = 400 };

/* Another process has chosen what it is. To open a pipe would wait for its other end, and make us one of its
 * readers; a device may do anything. O_PATH opens nothing, and what it has found stays what it is. */
int job_open(const char *path)
{
    char found[32];
    struct stat status;
    int place = open(path, O_PATH | O_CLOEXEC), fd = -1;

    if (place < 0)
        return -1;
    if (fstat(place, &status) != 0 || !S_ISREG(status.st_mode)) {
        errno = ENOENT;
    } else {
        snprintf(found, sizeof found, "/proc/self/fd/%d", place);
        fd = open(found, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    }
    int error = errno;
    close(place);
    errno = error;
    return fd;
}

/* An arena behind the path: what it is, and what its ranks do. Where it is none, `why` is a sentence. */
static bool look_at(const char *path, int pid, job *found, char why[WHY_BYTES])
{
    struct stat status;
    int fd = job_open(path);

    if (fd < 0)
        return false;
    *found = (job){ .pid = pid, .seen = MUSTER_INSPECTION_INIT };
    snprintf(found->path, sizeof found->path, "%s", path);
    bool seen = fstat(fd, &status) == 0 && muster_inspect(fd, &found->seen) == MUSTER_OK;
    close(fd);
    if (!seen) {
        snprintf(why, WHY_BYTES, "%s", muster_error_detail());
        return false;
    }
    found->device = (unsigned long)status.st_dev;
    found->inode = (unsigned long)status.st_ino;
    if (found->seen.launcher_pid) /* by whoever of the job it was found */
        found->pid = found->seen.launcher_pid;
    return true;
}

/* Shared memory of any kind; what it holds is looked at afterwards. "/job": only what has, or had, that name.
 */
static bool may_be_arena(const char *link, const char *name)
{
    char wanted[300];

    if (!name)
        return strncmp(link, "/memfd:muster", 13) == 0 || strncmp(link, "/dev/shm/", 9) == 0;
    snprintf(wanted, sizeof wanted, "/dev/shm%s", name);
    size_t bytes = strlen(wanted);
    return strncmp(link, wanted, bytes) == 0 &&
           (link[bytes] == '\0' || strcmp(link + bytes, " (deleted)") == 0);
}

typedef bool (*visit_fn)(const char *path, int pid, void *arg); /* false: enough */

static bool visit_descriptors(int pid, const char *name, visit_fn visit, void *arg)
{
    char folder[32], path[64], link[400];
    bool go_on = true;

    snprintf(folder, sizeof folder, "/proc/%d/fd", pid);
    DIR *all = opendir(folder);
    if (!all)
        return true;
    for (const struct dirent *entry; go_on && (entry = readdir(all));) {
        int fd = atoi(entry->d_name);

        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "/proc/%d/fd/%d", pid, fd);
        ssize_t bytes = readlink(path, link, sizeof link - 1);
        if (bytes <= 0)
            continue;
        link[bytes] = '\0';
        if (may_be_arena(link, name))
            go_on = visit(path, pid, arg);
    }
    closedir(all);
    return go_on;
}

static void visit_processes(const char *name, visit_fn visit, void *arg)
{
    DIR *all = opendir("/proc");
    bool go_on = true;

    if (!all)
        return;
    for (const struct dirent *entry; go_on && (entry = readdir(all));) {
        int pid = atoi(entry->d_name);

        if (pid > 0)
            go_on = visit_descriptors(pid, name, visit, arg);
    }
    closedir(all);
}

/* ---- what is looked for ---- */

typedef struct search {
    job *jobs;
    int count, room;
    char why[WHY_BYTES];
} search;

/* Each job once, however many processes have its arena open. */
static bool add(const char *path, int pid, void *arg)
{
    search *search = arg;
    job *found = &search->jobs[search->count];

    if (!look_at(path, pid, found, search->why))
        return true;
    for (int i = 0; i < search->count; i++)
        if (search->jobs[i].device == found->device && search->jobs[i].inode == found->inode) {
            muster_inspection_free(&found->seen);
            return true;
        }
    return ++search->count < search->room;
}

int jobs_find(job *jobs, int room)
{
    search search = { .jobs = jobs, .room = room };

    visit_processes(NULL, add, &search);
    return search.count;
}

void jobs_free(job *jobs, int count)
{
    for (int i = 0; i < count; i++)
        muster_inspection_free(&jobs[i].seen);
}

bool job_of_process(int pid, job *found)
{
    search search = { .jobs = found, .room = 1 };

    visit_descriptors(pid, NULL, add, &search);
    return search.count > 0;
}

/* The job whose ranks meet, or have met, under the name; false: none, and `why` where one could not be read.
 */
static bool job_of_name(const char *name, job *found, char why[WHY_BYTES])
{
    search search = { .jobs = found, .room = 1 };

    visit_processes(name, add, &search);
    memcpy(why, search.why, WHY_BYTES);
    return search.count > 0;
}

bool jobs_can_be_seen(const char *command)
{
    if (access("/proc/self/fd", R_OK | X_OK) == 0)
        return true;
    fprintf(
        stderr,
        "muster %s: jobs are found through /proc, which is not mounted here; mount it (mount -t proc proc "
        "/proc)\n",
        command);
    return false;
}

/* ---- what a user has named ---- */

static bool find_only(const char *command, job *found)
{
    static job jobs[JOBS_MAX];
    int count = jobs_find(jobs, JOBS_MAX);

    if (count == 1) {
        *found = jobs[0];
        return true;
    }
    if (count == 0)
        fprintf(stderr, "muster %s: there is no job of this user on this machine\n", command);
    else
        fprintf(stderr, "muster %s: there are %d jobs; say which, by its pid (muster ps lists them)\n",
                command, count);
    jobs_free(jobs, count);
    return false;
}

static bool choose_by_name(const char *command, const char *name, job *found)
{
    char why[WHY_BYTES];

    if (job_of_name(name, found, why))
        return true;
    if (why[0])
        fprintf(stderr, "muster %s: what is under %s cannot be looked at: %s\n", command, name, why);
    else
        fprintf(stderr,
                "muster %s: no job that this user may look at has met under %s; muster ps lists the jobs\n",
                command, name);
    return false;
}

static bool choose_by_pid(const char *command, const char *which, job *found)
{
    int pid;

    if (which[0] < '0' || which[0] > '9' || !parse_number(which, 1, INT_MAX, &pid)) {
        fprintf(
            stderr,
            "muster %s: \"%s\" is neither the number of a process nor a /NAME; muster ps lists the jobs\n",
            command, which);
        return false;
    }
    if (job_of_process(pid, found))
        return true;
    fprintf(stderr,
            "muster %s: %s is no rank or launcher of a job, or another user's, or of another version of "
            "muster; muster ps lists the jobs\n",
            command, which);
    return false;
}

bool job_choose(const char *command, const char *which, job *found)
{
    if (!jobs_can_be_seen(command))
        return false;
    if (!which)
        return find_only(command, found);
    return which[0] == '/' ? choose_by_name(command, which, found) : choose_by_pid(command, which, found);
}

/* ---- processes ---- */

void read_command(int pid, char *text, int bytes)
{
    char path[32];
    size_t got = 0;

    snprintf(path, sizeof path, "/proc/%d/cmdline", pid);
    FILE *file = fopen(path, "r");
    if (file) {
        got = fread(text, 1, (size_t)bytes - 1, file);
        fclose(file);
    }
    text[got] = '\0';
    for (size_t i = 0; i + 1 < got; i++) /* words end with NUL */
        if ((unsigned char)text[i] < ' ')
            text[i] = ' ';
    mst_plain_make(text);
}

char read_state(int pid)
{
    char path[32], text[300] = "";

    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = pid > 0 ? fopen(path, "r") : NULL;
    if (!file)
        return 0;
    bool read = fgets(text, sizeof text, file) != NULL;
    fclose(file);
    const char *end = read ? strrchr(text, ')') : NULL; /* the name before it may have anything in it */
    return end && end[1] == ' ' ? end[2] : 0;
}
