/* Cutting of programs.h. */
#include "tools/muster/run/programs.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

#include "tools/muster/commands.h"
#include "tools/muster/options.h"

/* How many words say the number of ranks, and the text of it; 0: these words do not. */
static int find_ranks(char **words, const char **text)
{
    static const char *const apart[] = { "-n", "-np", "--np", "--ranks", NULL };
    static const char *const joined[] = { "--np=", "--ranks=", "-n", NULL };

    if (!words[0])
        return 0;
    *text = words[1] ? words[1] : "";
    if (parse_choice(words[0], apart) >= 0)
        return words[1] ? 2 : 1;
    for (int i = 0; joined[i]; i++) {
        size_t bytes = strlen(joined[i]);

        *text = words[0] + bytes;
        if (strncmp(words[0], joined[i], bytes) == 0 && isdigit((unsigned char)**text))
            return 1;
    }
    return 0;
}

/* The ":" of the words that another program follows; NULL: none does. */
static char **find_next(char **words)
{
    const char *text;

    for (; *words; words++)
        if (strcmp(*words, ":") == 0 && find_ranks(words + 1, &text) > 0)
            return words;
    return NULL;
}

/* The first of `words` is -n; *used of them are it and, perhaps, "--". */
static int parse_ranks(char **words, int *size, int *used)
{
    const char *text = "";

    *used = find_ranks(words, &text);
    if (!parse_number(text, 1, RUN_RANKS_MAX, size))
        return usage_error("run", "behind \":\" expected -n and a number of ranks from 1 to 1024, not \"%s\"",
                           text);
    if (words[*used] && strcmp(words[*used], "--") == 0)
        (*used)++;
    return OPTIONS_PARSED;
}

static int add(run_programs *programs, char **command, int size)
{
    if (programs->count == RUN_PROGRAMS_MAX)
        return usage_error("run", "more than %d programs", RUN_PROGRAMS_MAX);
    if (programs->size + size > RUN_RANKS_MAX)
        return usage_error("run", "all programs together have more than %d ranks", RUN_RANKS_MAX);
    programs->list[programs->count++] = (run_program){ command, programs->size, size };
    programs->size += size;
    return OPTIONS_PARSED;
}

int programs_cut(char **argv, int size, run_programs *programs)
{
    int used;

    *programs = (run_programs){ .count = 0 };
    for (;;) {
        char **next = find_next(argv);

        if (!argv[0] || argv == next)
            return usage_error("run", "there is no command %s",
                               next              ? "before a \":\""
                               : programs->count ? "behind the last \":\""
                                                 : "to run");
        int status = add(programs, argv, size);
        if (status != OPTIONS_PARSED || !next)
            return status;
        *next = NULL; /* ends the command before it */
        status = parse_ranks(next + 1, &size, &used);
        if (status != OPTIONS_PARSED)
            return status;
        argv = next + 1 + used;
    }
}

const run_program *programs_of_rank(const run_programs *programs, int rank)
{
    const run_program *program = programs->list;

    while (rank >= program->first + program->size)
        program++;
    return program;
}
