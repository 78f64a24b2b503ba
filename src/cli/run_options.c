/* Options and help of run_options.h. */
#define _GNU_SOURCE /* getopt_long */
#include "src/cli/run_options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "src/cli/commands.h"

static const char help[] =
    "usage: muster run -n N [options] [--] COMMAND [ARGS...]\n"
    "\n"
    "Starts N ranks of COMMAND on this machine and waits for them. Each finds the others with\n"
    "muster_init(). When one fails the others are stopped, unless told otherwise.\n"
    "\n"
    "  -n, --ranks N            how many ranks, 1 to 1024\n"
    "      --timeout SECONDS    stop everything after this time; exit status 124\n"
    "      --op-timeout SECONDS let no single operation wait longer (sets MUSTER_TIMEOUT)\n"
    "      --grace SECONDS      between TERM and KILL, when ranks are stopped (2)\n"
    "      --on-failure WHAT    kill: stop the others (default); continue: let them go on;\n"
    "                           respawn: the same, and start the rank again, which the others take\n"
    "                           in with muster_group_grow\n"
    "      --restarts N         with respawn: how often, all ranks together (16)\n"
    "      --mlx                the ranks are MLX programs: its mpi backend becomes muster\n"
    "      --prefix WHAT        rank: begin each line with \"[rank] \" (default); none\n"
    "  -h, --help               this text\n"
    "\n"
    "Exit status: 0 when all ranks, or their replacements, exit with 0; else that of the rank that\n"
    "failed first, or 128 + the signal that killed it; 124 after --timeout; 125 when ranks cannot be "
    "started; 126 and 127 when\n"
    "COMMAND cannot be executed or found; 2 for a usage error. One line on stderr names rank and cause.\n"
    "\n"
    "example: muster run -n 4 -- ./hello\n";

/* A number of ranks, or of restarts. */
static bool parse_count(const char *text, int *count)
{
    char *end;

    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno || end == text || *end != '\0' || value < 1 || value > 1024)
        return false;
    *count = (int)value;
    return true;
}

static bool parse_seconds(const char *text, int64_t *ns)
{
    char *end;
    double seconds = strtod(text, &end);

    if (end == text || *end != '\0' || !(seconds > 0) || seconds > 3e9)
        return false;
    *ns = (int64_t)(seconds * 1e9);
    return true;
}

enum {
    OPTION_TIMEOUT = 256,
    OPTION_OP_TIMEOUT,
    OPTION_GRACE,
    OPTION_ON_FAILURE,
    OPTION_RESTARTS,
    OPTION_PREFIX,
    OPTION_MLX
};

static const struct option known_options[] = {
    { "ranks", required_argument, NULL, 'n' },
    { "timeout", required_argument, NULL, OPTION_TIMEOUT },
    { "op-timeout", required_argument, NULL, OPTION_OP_TIMEOUT },
    { "grace", required_argument, NULL, OPTION_GRACE },
    { "on-failure", required_argument, NULL, OPTION_ON_FAILURE },
    { "restarts", required_argument, NULL, OPTION_RESTARTS },
    { "prefix", required_argument, NULL, OPTION_PREFIX },
    { "mlx", no_argument, NULL, OPTION_MLX },
    { "help", no_argument, NULL, 'h' },
    { NULL, 0, NULL, 0 },
};

/* Which of the words `text` is; -1: none. */
static int parse_choice(const char *text, const char *const *words, int count)
{
    for (int i = 0; i < count; i++)
        if (strcmp(text, words[i]) == 0)
            return i;
    return -1;
}

static const char *const failure_words[] = { "kill", "continue", "respawn" }; /* as muster_on_failure */
static const char *const prefix_words[] = { "none", "rank" };

/* Takes one option in; 0, or an exit status. */
static int take_option(int option, run_options *options)
{
    muster_launch_config *config = &options->launch;
    int choice;

    switch (option) {
    case 'n':
        if (!parse_count(optarg, &config->size))
            return usage_error("run", "-n %s: expected a number of ranks from 1 to 1024", optarg);
        return 0;
    case OPTION_TIMEOUT:
    case OPTION_OP_TIMEOUT:
    case OPTION_GRACE:
        if (!parse_seconds(optarg, option == OPTION_TIMEOUT      ? &config->timeout_ns
                                   : option == OPTION_OP_TIMEOUT ? &config->op_timeout_ns
                                                                 : &config->grace_ns))
            return usage_error("run", "\"%s\" is no time; expected seconds, such as 30 or 2.5", optarg);
        return 0;
    case OPTION_ON_FAILURE:
        choice = parse_choice(optarg, failure_words, 3);
        if (choice < 0)
            return usage_error("run", "--on-failure %s: expected kill, continue or respawn", optarg);
        config->on_failure = (muster_on_failure)choice;
        return 0;
    case OPTION_RESTARTS:
        if (!parse_count(optarg, &config->restarts))
            return usage_error("run", "--restarts %s: expected a number from 1 to 1024", optarg);
        return 0;
    case OPTION_PREFIX:
        choice = parse_choice(optarg, prefix_words, 2);
        if (choice < 0)
            return usage_error("run", "--prefix %s: expected rank or none", optarg);
        config->prefix_output = choice == 1;
        return 0;
    case OPTION_MLX:
        options->mlx = true;
        return 0;
    default:
        return usage_error("run", "that option is not known, or lacks its value");
    }
}

int parse_run(int argc, char **argv, run_options *options)
{
    muster_launch_config *config = &options->launch;
    int option;

    *options = (run_options){ .launch = MUSTER_LAUNCH_CONFIG_INIT };
    config->size = 0;
    config->prefix_output = true;
    opterr = 0;
    optind = 0; /* the GNU way to begin anew */
    while ((option = getopt_long(argc, argv, "+n:h", known_options, NULL)) != -1) {
        if (option == 'h')
            return fputs(help, stdout) < 0 || fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
        int status = option == '?' ? usage_error("run", "option \"%s\" is not known, or lacks its value",
                                                 argv[optind - 1])
                                   : take_option(option, options);
        if (status)
            return status;
    }
    if (config->size == 0)
        return usage_error("run", "how many ranks? expected -n N");
    if (config->restarts && config->on_failure != MUSTER_ON_FAILURE_RESPAWN)
        return usage_error("run", "--restarts goes with --on-failure respawn");
    if (optind == argc)
        return usage_error("run", "there is no command to run");
    config->command = (const char *const *)&argv[optind];
    return RUN_PARSED;
}
