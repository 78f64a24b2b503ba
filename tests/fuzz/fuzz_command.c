/* The command line of `muster run`: arguments, one per line. What is accepted must be within what the help
 * says. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/muster/commands.h"
#include "tools/muster/options.h"
#include "tools/muster/run/run_options.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

enum { ARGUMENTS_MAX = 64 };

/* In place of the command's, which would fill the screen. */
int usage_error(const char *command, const char *format, ...)
{
    char text[4096];
    va_list args;

    (void)command;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return EXIT_USAGE;
}

static void check(const run_options *options, char **argv, int argc)
{
    const muster_launch_config *config = &options->launch;
    bool sane = config->size >= 1 && config->size <= 1024 && config->restarts >= 0 &&
                config->restarts <= 1024 && config->timeout_ns >= 0 && config->grace_ns >= 0 &&
                config->op_timeout_ns >= 0 && config->on_failure <= MUSTER_ON_FAILURE_RESPAWN &&
                config->command > (const char *const *)argv &&
                config->command < (const char *const *)argv + argc && config->command[0] &&
                options->gdb_rank < config->size && options->env_count <= RUN_ENV_MAX &&
                options->programs.size == config->size && options->input_rank < config->size;

    for (int rank = 0; sane && rank < config->size; rank++) {
        const run_program *program = programs_of_rank(&options->programs, rank);

        sane = program < options->programs.list + options->programs.count && program->first <= rank &&
               rank < program->first + program->size && program->command[0];
    }
    if (!sane)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    static run_options options;
    char *argv[ARGUMENTS_MAX + 1], *text = malloc(bytes + 1), name[] = "run";
    int argc = 1;

    if (!text)
        return 0;
    memcpy(text, data, bytes);
    text[bytes] = '\0';
    argv[0] = name;
    for (char *line = strtok(text, "\n"); line && argc < ARGUMENTS_MAX; line = strtok(NULL, "\n"))
        if (strncmp(line, "-h", 2) != 0 && strncmp(line, "--h", 3) != 0) /* help fills the screen, too */
            argv[argc++] = line;
    argv[argc] = NULL;
    if (parse_run(argc, argv, &options) == OPTIONS_PARSED)
        check(&options, argv, argc);
    free(text);
    return 0;
}
