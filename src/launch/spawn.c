/* Both sides of the fork, for spawn.h. */
#define _DEFAULT_SOURCE /* NSIG */
#include "src/launch/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/port/os.h"
#include "src/api/init.h"
#include "src/backend.h"
#include "src/launch/streams.h"
#include "src/launch/world.h"
#include "src/pure/config.h"

#define STATUS_NOT_STARTED 125
#define STATUS_NOT_EXECUTABLE 126
#define STATUS_NOT_FOUND 127
#define ARENA_DESCRIPTOR_MIN 100 /* above what shells and daemons use, and close */

/* ---- in the child ---- */

/* One write of less than PIPE_BUF bytes: complaints of several ranks do not mix. */
typedef struct complaint {
    int seat;
    char text[MST_COMPLAINT_BYTES];
} complaint;

static _Noreturn void complain(const mst_spawn_plan *plan, const mst_rank_process *self, int status,
                               const char *what, const char *why)
{
    complaint made = { .seat = self->seat };

    snprintf(made.text, sizeof made.text, "rank %d could not start: %s%s", self->rank, what, why);
    if (write(mst_os_held_fd(&plan->complaints[1]), &made, sizeof made) < 0)
        status = STATUS_NOT_STARTED; /* it cannot even be reported */
    _exit(status);
}

static void set_number(const char *name, long long value)
{
    char text[24];

    snprintf(text, sizeof text, "%lld", value);
    setenv(name, text, 1);
}

static void set_environment(const mst_spawn_plan *plan, const mst_rank_process *self, int arena_fd)
{
    char text[32];

    snprintf(text, sizeof text, "fd:%d", arena_fd);
    setenv("MUSTER_ARENA", text, 1);
    set_number("MUSTER_RANK", self->rank);
    set_number("MUSTER_SIZE", plan->config->size);
    set_number("MUSTER_RESTARTS", self->restarts);
    if (plan->config->op_timeout_ns > 0) {
        snprintf(text, sizeof text, "%.9f", (double)plan->config->op_timeout_ns / 1e9);
        setenv("MUSTER_TIMEOUT", text, 1);
    }
}

/* Other threads of the launching program may have closed the descriptor, and opened files that took its
 * number. */
static int arena_descriptor(const mst_spawn_plan *plan, const mst_rank_process *self)
{
    int fd = mst_os_held_fd(&plan->arena->held);

    if (fd < 0)
        complain(
            plan, self, STATUS_NOT_STARTED, "the arena's descriptor is closed: ",
            "something in the program that called muster_launch closes descriptors that it did not open");
    return fd;
}

/* Standard input goes to rank 0 only, and never from a terminal: ranks are background processes. */
static void redirect_input(int rank)
{
    if (rank == 0 && !isatty(STDIN_FILENO))
        return;
    int null = open("/dev/null", O_RDONLY);
    if (null >= 0) {
        dup2(null, STDIN_FILENO);
        close(null);
    }
}

/* Explains why a command cannot be executed. */
static void explain_exec(const char *command, int error, char *text, size_t bytes)
{
    bool exists = access(command, F_OK) == 0;
    struct stat status;

    if (error == ENOENT && exists && !strchr(command, '/'))
        snprintf(text, bytes, "it is not in PATH; did you mean ./%.100s?", command);
    else if (error == ENOENT && exists)
        snprintf(text, bytes, "it exists, but the interpreter or loader that it names does not");
    else if (error == EACCES && stat(command, &status) == 0 && S_ISDIR(status.st_mode))
        snprintf(text, bytes, "it is a directory");
    else if (error == EACCES && exists)
        snprintf(text, bytes, "%s; is it a program, and executable (chmod +x)?", strerror(error));
    else
        snprintf(text, bytes, "%s", strerror(error));
}

static _Noreturn void run_command(const mst_spawn_plan *plan, const mst_rank_process *self)
{
    const char *const *command = plan->config->command;
    int inherited = mst_os_dup_above(arena_descriptor(plan, self), ARENA_DESCRIPTOR_MIN);

    mst_descriptors_restore_limit(&plan->descriptors);
    if (inherited < 0)
        complain(plan, self, STATUS_NOT_STARTED, "no descriptor for the arena: ", strerror(-inherited));
    set_environment(plan, self, inherited);
    redirect_input(self->rank);
    if (plan->config->prepare) {
        const char *why = plan->config->prepare(self->rank, plan->config->prepare_arg);

        if (why)
            complain(plan, self, STATUS_NOT_STARTED, "", why);
    }
    execvp(command[0], (char *const *)(uintptr_t)command);
    int error = errno;
    char what[130], why[160];
    snprintf(what, sizeof what, "cannot execute \"%.100s\": ", command[0]);
    explain_exec(command[0], error, why, sizeof why);
    complain(plan, self, error == ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE, what, why);
}

static _Noreturn void run_function(const mst_spawn_plan *plan, const mst_rank_process *self)
{
    muster_config config = MUSTER_CONFIG_INIT;
    int fd = arena_descriptor(plan, self);
    muster_group *world;
    char arena[24];

    set_environment(plan, self, fd);
    muster_status status = mst_config_from_environment(&config);
    snprintf(arena, sizeof arena, "fd:%d", fd);
    config.arena = arena;
    if (status == MUSTER_OK)
        status = mst_world_attach(&config, NULL, &world);
    if (status != MUSTER_OK)
        complain(plan, self, STATUS_NOT_STARTED, "", muster_error_detail());
    mst_descriptors_restore_limit(&plan->descriptors);
    mst_init_memoise(world);
    int code = plan->fn(world, plan->arg) & 0xff;
    if (code == 0)
        world->backend->leave(world);
    fflush(NULL);
    _exit(code);
}

/* Closes the launcher's descriptors of this rank and of those before it (which are in the order of seats). If
 * a rank kept the reading end of a pipe, no rank would notice that the launcher stops reading; if it kept an
 * outlet, the reader would not notice that the launcher stops writing. */
static void close_launchers_descriptors(const mst_spawn_plan *plan, const mst_rank_process *self,
                                        const mst_streams *streams)
{
    for (int i = 0; i < 2; i++)
        mst_os_close(streams->ours[i]);
    for (const mst_rank_process *other = self - self->seat; other < self; other++) {
        mst_os_held kept[] = { other->watch, other->relays[0].from, other->relays[1].from };

        for (int i = 0; i < 3; i++)
            mst_os_held_close(&kept[i]);
    }
    mst_output_close(plan->output);
}

/* Resets the launcher's signal handlers: they would treat the rank's signals as the launcher's. */
static void forget_handlers(void)
{
    struct sigaction action;

    for (int signal = 1; signal < NSIG; signal++)
        if (sigaction(signal, NULL, &action) == 0 && action.sa_handler != SIG_IGN &&
            action.sa_handler != SIG_DFL) {
            action = (struct sigaction){ .sa_handler = SIG_DFL };
            sigaction(signal, &action, NULL);
        }
}

static _Noreturn void child(const mst_spawn_plan *plan, const mst_rank_process *self, pid_t parent,
                            const mst_streams *streams)
{
    int error = mst_os_die_with_parent(parent);
    if (error)
        complain(plan, self, STATUS_NOT_STARTED,
                 "it cannot be made to end with its launcher (prctl): ", strerror(-error));
    mst_streams_take(streams);
    close_launchers_descriptors(plan, self, streams);
    if (plan->fn) {
        pthread_sigmask(SIG_SETMASK, &plan->mask, NULL);
        run_function(plan, self);
    }
    setpgid(0, 0);
    mst_guard_add(&plan->guard, getpid()); /* the launcher may be killed before it does this */
    forget_handlers();
    pthread_sigmask(SIG_SETMASK, &plan->mask, NULL);
    run_command(plan, self);
}

/* ---- in the launcher ---- */

/* Blocks all signals during the fork: until the child has reset its handlers and mask, the launcher's would
 * apply. */
static pid_t fork_blocked(void)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    int error = errno;
    if (pid != 0)
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return pid;
}

int mst_spawn(const mst_spawn_plan *plan, mst_rank_process *process)
{
    mst_streams streams;
    pid_t parent = getpid(), pid = -1;

    int error = mst_streams_open(&streams, plan->config);
    if (error)
        return error;
    pid = fork_blocked();
    error = pid < 0 ? -errno : 0;
    if (pid == 0)
        child(plan, process, parent, &streams);
    mst_streams_close(&streams, error != 0);
    if (error)
        return error;
    process->pid = pid;
    process->running = true;
    process->own_group = !plan->fn;
    process->start_at_ns = mst_os_now_ns();
    if (process->own_group)
        setpgid(pid, pid); /* on both sides, since either may run first */
    process->watch = mst_os_hold_watch(plan->descriptors.few ? -1 : mst_os_process_watch(pid), pid);
    for (int i = 0; i < 2; i++)
        mst_relay_init(&process->relays[i], plan->output, streams.ours[i], i + 1, process->rank);
    return 0;
}

/* The kernel tells it to nobody, so a process of our group tries it. */
bool mst_spawn_may_stop(void)
{
    int32_t parent = mst_os_process_id(), probe = mst_os_fork_unseen();
    int status = 0;

    if (probe == 0) {
        sigset_t stop;

        if (mst_os_die_with_parent(parent))
            _exit(0);
        sigemptyset(&stop);
        sigaddset(&stop, SIGTSTP);
        signal(SIGTSTP, SIG_DFL);
        sigprocmask(SIG_UNBLOCK, &stop, NULL);
        kill(getpid(), SIGTSTP);
        _exit(0);
    }
    if (probe < 0)
        return false;
    while (waitpid(probe, &status, WUNTRACED | __WALL) < 0 && errno == EINTR)
        continue;
    bool stopped = WIFSTOPPED(status);
    if (stopped)
        mst_os_end_unseen(probe);
    return stopped;
}

void mst_spawn_take_complaints(const mst_spawn_plan *plan, mst_rank_process *processes, int count)
{
    int from = mst_os_held_fd(&plan->complaints[0]);
    complaint made;

    while (read(from, &made, sizeof made) == (ssize_t)sizeof made)
        if (made.seat >= 0 && made.seat < count)
            snprintf(processes[made.seat].complaint, MST_COMPLAINT_BYTES, "%.*s", MST_COMPLAINT_BYTES - 1,
                     made.text);
}
