/* Options and help of run_options.h. */
#include "tools/muster/run/run_options.h"

#include <getopt.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "tools/muster/commands.h"
#include "tools/muster/options.h"

static const char help[] =
    "usage: muster run -n N [options] [--] COMMAND [ARGS...] [: -n N COMMAND [ARGS...]]...\n"
    "\n"
    "Starts N ranks of COMMAND on this machine and waits for them. Each finds the others with\n"
    "muster_init(). When one fails the others are stopped, unless told otherwise. Several commands make one\n"
    "job, ranks numbered through.\n"
    "\n"
    "  -n, -np, --ranks N       how many ranks, 1 to 1024; auto: as many as there are CPUs, or as a quota "
    "of\n"
    "                           CPU time allows\n"
    "\n"
    "How it ends\n"
    "      --timeout SECONDS    stop everything after this time; exit status 124\n"
    "      --op-timeout SECONDS let no single operation wait longer (sets MUSTER_TIMEOUT)\n"
    "      --grace SECONDS      between TERM and KILL, when ranks are stopped (2)\n"
    "      --on-failure WHAT    kill: stop the others (default); continue: let them go on;\n"
    "                           respawn: the same, and start the rank again, which the others take\n"
    "                           in with muster_group_grow\n"
    "      --restarts N         with respawn: how often, all ranks together (16)\n"
    "      --on-hang WHAT       when a rank has waited too long: report who waits for whom; stacks: and "
    "where\n"
    "                           each rank is (gdb); abort: report, and stop the ranks\n"
    "      --post-mortem        when a rank has failed: show what each was doing when it ended\n"
    "      --hang-after SECONDS how long is too long (30)\n"
    "\n"
    "What is shown\n"
    "      --prefix WHAT        rank: begin each line with \"[rank] \" (default); none\n"
    "      --timestamps         begin each line with the time of day\n"
    "      --color WHEN         color of the prefix: auto (on terminals, without NO_COLOR), always, never\n"
    "      --show LIST          only what these ranks print, such as 0 or 0,4-7\n"
    "      --log-dir DIR        keep what rank R prints in DIR/R.out and DIR/R.err, too\n"
    "      --tty                give each rank a pseudo-terminal, so that C programs print each line at "
    "once\n"
    "      --stdin WHO          who reads standard input: a rank, all (each all of it), none. Rank 0 unless "
    "given,\n"
    "                           if it is no terminal; a rank that is named gets a terminal, too, as pdb "
    "needs\n"
    "      --trace FILE         write what ranks did when, for Perfetto, Chrome, muster trace and muster "
    "report\n"
    "      --trace-limit N      the latest N operations of each rank (20000)\n"
    "\n"
    "What runs\n"
    "      --env NAME=VALUE     set a variable for the ranks; may be repeated\n"
    "      --cwd DIR            run them in this folder\n"
    "      --bind WHAT          core: each rank gets CPUs of its own, out of those allowed here; numa: "
    "those\n"
    "                           of one node; none (default). Ranks get OMP_NUM_THREADS, if that is not set:\n"
    "                           their share of the CPUs\n"
    "      --report-bindings    say who gets which\n"
    "      --gdb RANK           run this rank under gdb: on the terminal, or, where there is none, to print\n"
    "                           where it crashed\n"
    "      --keep-detached      leave alone what ranks have started and detached (setsid), when the job "
    "ends\n"
    "      --wrap COMMAND       run each rank's command by another, such as 'valgrind -q'\n"
    "      --pretend-topology T ranks meet as on a machine of another shape, to test that: 4x8: 4 "
    "last-level\n"
    "                           caches, with 8 ranks on each\n"
    "      --arena-malloc       arrays that the program allocates lie in the arena, which makes collectives "
    "and\n"
    "                           messages faster: no change of the program is needed\n"
    "      --mlx                the ranks are MLX programs: its mpi backend becomes muster; with\n"
    "                           neither this nor 'import muster.mlx' in it each rank is one of 1\n"
    "      --torch              the ranks are PyTorch programs: sets RANK, WORLD_SIZE, MASTER_PORT, ...\n"
    "  -h, --help               this text\n"
    "\n"
    "Exit status: 0 when all ranks, or their replacements, exit with 0; else that of the rank that failed\n"
    "first, or 128 + the signal that killed it; 124 after --timeout; 1 when what ranks printed cannot be\n"
    "written; 125 when ranks cannot be started; 126 and 127 when COMMAND cannot be executed or found; 2 for\n"
    "a usage error. One line on stderr names rank and cause.\n"
    "\n"
    "examples: muster run -n 4 -- ./hello\n"
    "          muster run -n 1 ./server : -n 3 ./worker\n"
    "          muster run -n auto --bind core --log-dir logs --show 0 -- python train.py\n";

/* ---- values ---- */

static bool take_ranks(void *into, const char *text)
{
    int *size = &((run_options *)into)->launch.size;

    if (strcmp(text, "auto") != 0)
        return parse_number(text, 1, RUN_RANKS_MAX, size);
    int cpus = muster_cpu_count();
    *size = cpus < RUN_RANKS_MAX ? cpus : RUN_RANKS_MAX;
    return true;
}

/* "0", "0,3", "1-3,7" */
static bool take_shown(void *into, const char *text)
{
    run_options *options = into;
    char *end;

    options->all_shown = false;
    do {
        long first = strtol(text, &end, 10), last = first;

        if (end == text || first < 0)
            return false;
        if (*end == '-') {
            text = end + 1;
            last = strtol(text, &end, 10);
        }
        if (end == text || last < first || last >= RUN_RANKS_MAX)
            return false;
        for (long rank = first; rank <= last; rank++)
            options->shown[rank] = true;
        text = end + 1;
    } while (*end == ',');
    return *end == '\0';
}

static bool take_env(void *into, const char *text)
{
    run_options *options = into;
    const char *equals = strchr(text, '=');

    if (!equals || equals == text || options->env_count == RUN_ENV_MAX)
        return false;
    options->env[options->env_count++] = text;
    return true;
}

static bool take_trace_limit(void *into, const char *text)
{
    return parse_number(text, 1, 10 * 1000 * 1000, &((run_options *)into)->trace_limit);
}

static bool take_stdin(void *into, const char *text)
{
    run_options *options = into;
    bool none = strcmp(text, "none") == 0;

    options->input = none ? RUN_STDIN_NONE : strcmp(text, "all") == 0 ? RUN_STDIN_ALL : RUN_STDIN_RANK;
    return options->input != RUN_STDIN_RANK || parse_number(text, 0, RUN_RANKS_MAX - 1, &options->input_rank);
}

static bool take_gdb(void *into, const char *text)
{
    return parse_number(text, 0, RUN_RANKS_MAX - 1, &((run_options *)into)->gdb_rank);
}

/* Behind a number of ranks or of domains; NULL: there is none. */
static const char *skip_number(const char *text)
{
    char *end;

    if (text[0] < '1' || text[0] > '9')
        return NULL;
    return strtol(text, &end, 10) <= RUN_RANKS_MAX ? end : NULL;
}

/* "4x8" */
static bool take_topology(void *into, const char *text)
{
    const char *behind = skip_number(text);

    if (!behind || *behind != 'x')
        return false;
    behind = skip_number(behind + 1);
    if (!behind || *behind != '\0')
        return false;
    ((run_options *)into)->topology = text;
    return true;
}

/* ---- the table ---- */

static const char *const failures[] = { "kill", "continue", "respawn", NULL }; /* as muster_on_failure */
static const char *const hangs[] = { "nothing", "report", "stacks", "abort", NULL };
static const char *const prefixes[] = { "rank", "none", NULL };
static const char *const colors[] = { "auto", "always", "never", NULL };
static const char *const binds[] = { "none", "core", "numa", NULL };

#define AT(field) .offset = offsetof(run_options, field)
#define TIME "seconds above 0, such as 30 or 2.5"
#define COUNT "a number from 1 to 1024"

static const cli_option known[] = {
    { "ranks", 'n', CLI_OWN, .take = take_ranks, .expected = "a number of ranks from 1 to 1024, or auto" },
    { "np", 0, CLI_OWN, .take = take_ranks,
      .expected = "a number of ranks from 1 to 1024, or auto" }, /* MPI's */
    { "timeout", 0, CLI_SECONDS, AT(launch.timeout_ns), TIME },
    { "op-timeout", 0, CLI_SECONDS, AT(launch.op_timeout_ns), TIME },
    { "grace", 0, CLI_SECONDS, AT(launch.grace_ns), TIME },
    { "on-failure", 0, CLI_CHOICE, AT(launch.on_failure), .words = failures },
    { "restarts", 0, CLI_COUNT, AT(launch.restarts), COUNT },
    { "max-restarts", 0, CLI_COUNT, AT(launch.restarts), COUNT }, /* torchrun's name for it */
    { "on-hang", 0, CLI_CHOICE, AT(on_hang), .words = hangs },
    { "hang-after", 0, CLI_SECONDS, AT(hang_after_ns), TIME },
    { "post-mortem", 0, CLI_FLAG, AT(post_mortem) },
    { "prefix", 0, CLI_CHOICE, AT(prefix), .words = prefixes },
    { "timestamps", 0, CLI_FLAG, AT(timestamps) },
    { "color", 0, CLI_CHOICE, AT(color), .words = colors },
    { "show", 0, CLI_OWN, .take = take_shown, .expected = "ranks, such as 0 or 0,4-7" },
    { "log-dir", 0, CLI_TEXT, AT(log_folder), "a folder" },
    { "tty", 0, CLI_FLAG, AT(launch.terminal) },
    { "stdin", 0, CLI_OWN, .take = take_stdin, .expected = "a rank, all or none" },
    { "trace", 0, CLI_TEXT, AT(trace), "a file" },
    { "trace-limit", 0, CLI_OWN, .take = take_trace_limit,
      .expected = "a number of operations from 1 to 10 million" },
    { "env", 0, CLI_OWN, .take = take_env, .expected = "NAME=VALUE, at most 256 times" },
    { "cwd", 0, CLI_TEXT, AT(folder), "a folder" },
    { "bind", 0, CLI_CHOICE, AT(bind), .words = binds },
    { "report-bindings", 0, CLI_FLAG, AT(report_bindings) },
    { "keep-detached", 0, CLI_FLAG, AT(keep_detached) },
    { "gdb", 0, CLI_OWN, .take = take_gdb, .expected = "a rank" },
    { "wrap", 0, CLI_TEXT, AT(wrap), "a command" },
    { "pretend-topology", 0, CLI_OWN, .take = take_topology,
      .expected = "DOMAINSxRANKS, such as 4x8, with numbers from 1 to 1024" },
    { "arena-malloc", 0, CLI_FLAG, AT(arena_malloc) },
    { "mlx", 0, CLI_FLAG, AT(mlx) },
    { "torch", 0, CLI_FLAG, AT(torch) },
};

static const cli_syntax syntax = { "run", help, known, sizeof known / sizeof known[0], true };

/* ---- what goes together ---- */

static int check_rank(const run_options *options, const char *name, int rank)
{
    int last = options->launch.size - 1;

    if (rank <= last)
        return OPTIONS_PARSED;
    if (last == 0)
        return usage_error("run", "--%s %d: there is only rank 0", name, rank);
    return usage_error("run", "--%s %d: there are only ranks 0 to %d", name, rank, last);
}

static int check_ranks(const run_options *options)
{
    int shown = 0;

    for (int rank = 0; !options->all_shown && rank < RUN_RANKS_MAX; rank++)
        if (options->shown[rank])
            shown = rank;
    int status = check_rank(options, "show", shown);
    if (status == OPTIONS_PARSED)
        status = check_rank(options, "gdb", options->gdb_rank);
    if (status == OPTIONS_PARSED && options->input == RUN_STDIN_RANK)
        status = check_rank(options, "stdin", options->input_rank);
    return status;
}

static int check(const run_options *options)
{
    if (options->launch.restarts && options->launch.on_failure != MUSTER_ON_FAILURE_RESPAWN)
        return usage_error("run", "--restarts goes with --on-failure respawn");
    if (options->hang_after_ns && options->on_hang == RUN_HANG_NOTHING)
        return usage_error("run", "--hang-after goes with --on-hang");
    if (options->trace_limit && !options->trace)
        return usage_error("run", "--trace-limit goes with --trace");
    if (options->gdb_rank >= 0 && options->wrap)
        return usage_error("run", "--gdb and --wrap exclude each other");
    return check_ranks(options);
}

int parse_run(int argc, char **argv, run_options *options)
{
    muster_launch_config *config = &options->launch;

    *options = (run_options){ .launch = MUSTER_LAUNCH_CONFIG_INIT, .gdb_rank = -1, .all_shown = true };
    config->size = 0;
    int status = parse_options(&syntax, argc, argv, options);
    if (status != OPTIONS_PARSED)
        return status;
    if (config->size == 0)
        return usage_error("run", "how many ranks? expected -n N");
    status = programs_cut(argv + optind, config->size, &options->programs);
    if (status != OPTIONS_PARSED)
        return status;
    config->size = options->programs.size;
    config->command = (const char *const *)options->programs.list[0].command;
    return check(options);
}
