/* The `muster` command: finds the subcommand and hands over to it. */
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "muster/muster.h"
#include "tools/muster/commands.h"
#include "tools/muster/inherited.h"
#include "tools/muster/spelling.h"
#include "tools/muster/text.h"

/* clang-format off */
static const char help[] =
    "muster: process groups on one machine, through shared memory\n"
    "\n"
    "usage:\n"
    "  muster run -n N [options] [--] COMMAND [ARGS...]   start N ranks of a command\n"
    "  muster ps                                          list the jobs on this machine\n"
    "  muster inspect [options] [PID | /NAME]             show who waits for whom in a job\n"
    "  muster top [PID | /NAME]                           watch what the ranks of a job do\n"
    "  muster trace FILE                                  sum up what muster run --trace has written\n"
    "  muster report FILE [-o PAGE]                       draw it as a page\n"
    "  muster doctor                                      check this machine\n"
    "  muster bench [options] [OPERATION...]              measure operations on this machine\n"
    "  muster tune [options]                              measure this machine's thresholds, and keep them\n"
    "  muster COMMAND --help, muster help COMMAND         its options\n"
    "  muster --version, -V\n"
    "  muster --help\n"
    "\n"
    "A rank finds the others with muster_init(); see muster(1) and muster/muster.h.\n";
/* clang-format on */

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
    { "run", command_run },       { "ps", command_ps },       { "inspect", command_inspect },
    { "top", command_top },       { "trace", command_trace }, { "report", command_report },
    { "doctor", command_doctor }, { "bench", command_bench }, { "tune", command_tune },
};

int usage_error(const char *command, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "muster%s%s: ", command ? " " : "", command ? command : "");
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\nTry: muster %s%s--help\n", command ? command : "", command ? " " : "");
    return EXIT_USAGE;
}

static const char *const helps[] = { "help", "--help", "-h", NULL };
static const char *const versions[] = { "version", "--version", "-V", NULL };

static int complain_of(const char *name)
{
    static const char expected[] = "expected run, ps, inspect, top, trace, report, doctor, bench or tune";
    cli_spelling spelling = spelling_of(name);

    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        spelling_try(&spelling, commands[i].name);
    for (int i = 0; i < 2; i++) {
        spelling_try(&spelling, helps[i]);
        spelling_try(&spelling, versions[i]);
    }
    if (strncmp(name, "-n", 2) == 0 || strcmp(name, "--ranks") == 0)
        return usage_error(NULL, "\"%s\" is no subcommand; did you mean muster run %s?", name, name);
    if (spelling.nearest)
        return usage_error(NULL, "\"%s\" is no subcommand; %s; did you mean %s?", name, expected,
                           spelling.nearest);
    return usage_error(NULL, "\"%s\" is no subcommand; %s", name, expected);
}

static bool is_any(const char *name, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(name, *words) == 0)
            return true;
    return false;
}

int main(int argc, char **argv)
{
    static char help_option[] = "--help";

    inherited_open_standard();
    if (argc > 2 && strcmp(argv[1], "help") == 0) { /* "help run" is "run --help" */
        argv[1] = argv[2];
        argv[2] = help_option;
    }
    if (argc < 2)
        return usage_error(
            NULL, "no subcommand; expected run, ps, inspect, top, trace, report, doctor, bench or tune");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return finish_output(commands[i].name, commands[i].run(argc - 1, argv + 1));
    if (is_any(argv[1], helps))
        fputs(help, stdout);
    else if (is_any(argv[1], versions))
        printf("muster %s\n", muster_version());
    else
        return complain_of(argv[1]);
    return finish_output(NULL, EXIT_SUCCESS);
}
