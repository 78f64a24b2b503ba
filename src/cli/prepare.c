/* The steps of prepare.h. */
#define _GNU_SOURCE /* wordexp's WRDE_NOCMD with C11 */
#include "src/cli/prepare.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "src/cli/binding.h"
#include "src/cli/mlx.h"

/* ---- once ---- */

/* A port that nobody uses at present, for torch's own meeting place; 0: there is none. */
static int find_port(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t bytes = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    bool found = fd >= 0 && bind(fd, (struct sockaddr *)&address, bytes) == 0 &&
                 getsockname(fd, (struct sockaddr *)&address, &bytes) == 0;

    if (fd >= 0)
        close(fd);
    return found ? ntohs(address.sin_port) : 0;
}

/* The words of --wrap, as a shell would cut them, and the command behind them. */
static bool wrap_command(run_preparation *preparation, run_options *options)
{
    const char *const *command = options->launch.command;
    wordexp_t *words = &preparation->words;
    size_t count = 0;

    if (wordexp(options->wrap, words, WRDE_NOCMD) != 0) {
        fprintf(stderr, "muster run: --wrap '%s' is no command: mind quotes and special characters\n",
                options->wrap);
        return false;
    }
    while (command[count])
        count++;
    preparation->wrapped = calloc(words->we_wordc + count + 1, sizeof *preparation->wrapped);
    if (!preparation->wrapped)
        return false;
    for (size_t i = 0; i < words->we_wordc; i++)
        preparation->wrapped[i] = words->we_wordv[i];
    for (size_t i = 0; i < count; i++)
        preparation->wrapped[words->we_wordc + i] = (char *)(uintptr_t)command[i];
    options->launch.command = (const char *const *)preparation->wrapped;
    return true;
}

bool prepare_all(run_preparation *preparation, run_options *options)
{
    const char *wrong = binding_check(options);

    *preparation = (run_preparation){ .options = options };
    if (wrong) {
        fprintf(stderr, "muster run: %s\n", wrong);
        return false;
    }
    if (options->torch && !(preparation->master_port = find_port())) {
        fprintf(stderr, "muster run: --torch: no free port on 127.0.0.1: %s\n", strerror(errno));
        return false;
    }
    if (options->mlx && !prepare_mlx())
        return false;
    if (options->wrap && !wrap_command(preparation, options))
        return false;
    if (options->report_bindings)
        binding_report(options);
    return options->input != RUN_STDIN_ALL || feed_start(&preparation->feed, options->launch.size);
}

/* ---- in each rank ---- */

static void set_number(const char *name, int number)
{
    char text[16];

    snprintf(text, sizeof text, "%d", number);
    setenv(name, text, 1);
}

static void describe_to_torch(const run_preparation *preparation, int rank)
{
    int size = preparation->options->launch.size;

    set_number("RANK", rank);
    set_number("LOCAL_RANK", rank);
    set_number("WORLD_SIZE", size);
    set_number("LOCAL_WORLD_SIZE", size);
    set_number("GROUP_RANK", 0);
    setenv("MASTER_ADDR", "127.0.0.1", 1);
    set_number("MASTER_PORT", preparation->master_port);
}

/* From here on the rank is in the foreground of the terminal, and talks to it. */
static bool take_terminal(void)
{
    int terminal = open("/dev/tty", O_RDWR);

    if (terminal < 0)
        return false;
    signal(SIGTTOU, SIG_IGN); /* or being in the background would stop us here */
    tcsetpgrp(terminal, getpgrp());
    signal(SIGTTOU, SIG_DFL);
    for (int fd = 0; fd < 3; fd++)
        dup2(terminal, fd);
    return true;
}

/* gdb with the command: to work with, or, where there is no terminal, to say where it crashes. */
static const char *run_in_gdb(const char *const *command)
{
    static const char *const at_terminal[] = { "gdb", "-q", "-ex", "run", "--args", NULL };
    static const char *const in_batch[] = { "gdb",    "-q",  "-batch", "-return-child-result",
                                            "-ex",    "run", "-ex",    "thread apply all bt",
                                            "--args", NULL };
    const char *const *words = take_terminal() ? at_terminal : in_batch;
    size_t count = 0, used = 0;

    while (command[count])
        count++;
    const char **whole = calloc(count + 16, sizeof *whole);
    if (!whole)
        return "no memory for its command";
    for (; words[used]; used++)
        whole[used] = words[used];
    memcpy(whole + used, command, count * sizeof *whole);
    execvp("gdb", (char *const *)(uintptr_t)whole);
    return "cannot execute gdb; install it, or leave --gdb out";
}

const char *prepare_rank(int rank, void *arg)
{
    static char wrong[200];
    const run_preparation *preparation = arg;
    const run_options *options = preparation->options;

    const char *unbound = binding_apply(options, rank);
    if (unbound)
        return unbound;
    if (options->torch)
        describe_to_torch(preparation, rank);
    if (options->trace)
        setenv("MUSTER_EXACT_TIMES", "1", 1);
    for (int i = 0; i < options->env_count; i++) /* after our own: the user's word is the last */
        putenv((char *)(uintptr_t)options->env[i]);
    if (options->folder && chdir(options->folder) < 0) {
        snprintf(wrong, sizeof wrong, "--cwd %.100s: %s", options->folder, strerror(errno));
        return wrong;
    }
    if (options->input == RUN_STDIN_ALL)
        feed_take(&preparation->feed, rank);
    if (options->input == RUN_STDIN_NONE && !freopen("/dev/null", "r", stdin))
        return "cannot open /dev/null";
    return rank == options->gdb_rank ? run_in_gdb(options->launch.command) : NULL;
}
