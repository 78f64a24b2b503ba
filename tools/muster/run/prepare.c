/* The steps of prepare.h. */
#define _GNU_SOURCE /* wordexp's WRDE_NOCMD with C11 */
#include "tools/muster/run/prepare.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tools/muster/inherited.h"
#include "tools/muster/run/arena_malloc.h"
#include "tools/muster/run/binding.h"
#include "tools/muster/run/debug.h"
#include "tools/muster/run/environment.h"
#include "tools/muster/run/mlx.h"
#include "tools/muster/run/terminal.h"
#include "tools/muster/variables.h"

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

/* The words of --wrap, as a shell would cut them. */
static bool cut_wrap(run_preparation *preparation, const char *wrap)
{
    if (!wrap || wordexp(wrap, &preparation->words, WRDE_NOCMD) == 0)
        return true;
    fprintf(stderr, "muster run: --wrap '%s' is not a command: check quotes and special characters\n", wrap);
    return false;
}

/* Room for the longest of the programs. Each rank's process fills it in for itself. */
static bool make_room(run_preparation *preparation, run_options *options)
{
    const run_programs *programs = &options->programs;
    size_t longest = 0;

    for (int i = 0; i < programs->count; i++) {
        size_t words = 0;

        while (programs->list[i].command[words])
            words++;
        longest = words > longest ? words : longest;
    }
    preparation->command = calloc(preparation->words.we_wordc + longest + 1, sizeof *preparation->command);
    if (!preparation->command) {
        fprintf(stderr, "muster run: no memory for the command\n");
        return false;
    }
    preparation->command[0] = programs->list[0].command[0]; /* no command is empty */
    options->launch.command = (const char *const *)preparation->command;
    return true;
}

/* Standard input is kept for the rank that is to have it; 0 is rank 0's and a feeding process's. */
static bool keep_input(run_preparation *preparation, const run_options *options)
{
    if (options->input == RUN_STDIN_ALL)
        return feed_start(&preparation->feed, options->launch.size);
    if (options->input != RUN_STDIN_RANK)
        return true;
    preparation->input = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    for (int i = 0; i < 2; i++)
        preparation->shown_on_terminal[i] = isatty(i + 1) && !options->log_folder;
    if (preparation->input >= 0)
        return true;
    fprintf(stderr, "muster run: --stdin %d: %s\n", options->input_rank, strerror(errno));
    return false;
}

static void warn(const run_options *options)
{
    for (int i = 0; i < options->env_count; i++)
        warn_of_variable("run", options->env[i]);
    if (options->report_bindings)
        binding_report(options);
    binding_warn(options);
}

bool prepare_all(run_preparation *preparation, run_options *options)
{
    const char *wrong = binding_check(options);

    *preparation = (run_preparation){ .options = options, .input = -1 };
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
    if (options->arena_malloc && !prepare_arena_malloc(preparation->arena_malloc))
        return false;
    if (!cut_wrap(preparation, options->wrap) || !make_room(preparation, options))
        return false;
    if (options->gdb_rank >= 0 || (options->input == RUN_STDIN_RANK && isatty(STDIN_FILENO)))
        terminal_lend();
    warn(options);
    return keep_input(preparation, options);
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

/* Puts this rank's command where the launcher looks for it; the memory is this process's alone. */
static void fill_command(const run_preparation *preparation, int rank)
{
    char **program = programs_of_rank(&preparation->options->programs, rank)->command,
         **to = preparation->command;

    for (size_t i = 0; i < preparation->words.we_wordc; i++)
        *to++ = preparation->words.we_wordv[i];
    while (*program)
        *to++ = *program++;
    *to = NULL;
}

/* A terminal is talked to directly, without prefixes, as prompts need it. */
static void take_input(const run_preparation *preparation)
{
    dup2(preparation->input, STDIN_FILENO);
    if (!isatty(STDIN_FILENO))
        return;
    terminal_come_to_front(STDIN_FILENO);
    for (int i = 0; i < 2; i++)
        if (preparation->shown_on_terminal[i])
            dup2(STDIN_FILENO, i + 1);
}

static const char *choose_input(const run_preparation *preparation, int rank)
{
    const run_options *options = preparation->options;
    bool none = options->input == RUN_STDIN_NONE || options->input == RUN_STDIN_RANK;

    if (options->input == RUN_STDIN_ALL)
        feed_take(&preparation->feed, rank);
    else if (options->input == RUN_STDIN_RANK && rank == options->input_rank)
        take_input(preparation);
    else if (none && !freopen("/dev/null", "r", stdin))
        return "cannot open /dev/null";
    return NULL;
}

const char *prepare_rank(int rank, void *arg)
{
    static char wrong[200];
    const run_preparation *preparation = arg;
    const run_options *options = preparation->options;

    inherited_restore();
    terminal_leave();
    const char *unbound = binding_apply(options, rank);
    if (unbound)
        return unbound;
    prefer_environment();
    if (options->torch)
        describe_to_torch(preparation, rank);
    if (options->arena_malloc)
        apply_arena_malloc(preparation->arena_malloc);
    if (options->topology)
        setenv("MUSTER_PRETEND_TOPOLOGY", options->topology, 1);
    if (options->trace)
        setenv("MUSTER_EXACT_TIMES", "1", 1);
    for (int i = 0; i < options->env_count; i++) /* after our own: the user's word is the last */
        putenv((char *)(uintptr_t)options->env[i]);
    if (options->folder && chdir(options->folder) < 0) {
        snprintf(wrong, sizeof wrong, "--cwd %.100s: %s", options->folder, strerror(errno));
        return wrong;
    }
    const char *deaf = choose_input(preparation, rank);
    if (deaf)
        return deaf;
    fill_command(preparation, rank);
    return rank == options->gdb_rank ? debug_run(options->launch.command) : NULL;
}
