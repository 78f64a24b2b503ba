/* Looking through the environment, of variables.h. */
#include "tools/muster/variables.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "muster/muster.h"
#include "tools/muster/spelling.h"

extern char **environ;

bool is_variable_known(const char *setting, const char **meant)
{
    char name[64];

    snprintf(name, sizeof name, "%.*s", (int)strcspn(setting, "="), setting);
    *meant = NULL;
    if (muster_is_variable(name))
        return true;
    cli_spelling spelling = spelling_of(name);
    for (const char *const *variable = muster_variables(); *variable; variable++)
        spelling_try(&spelling, *variable);
    *meant = spelling.nearest;
    return false;
}

void warn_of_variable(const char *command, const char *setting)
{
    int bytes = (int)strcspn(setting, "=");
    const char *meant;

    if (is_variable_known(setting, &meant))
        return;
    if (meant)
        fprintf(stderr, "muster %s: nobody reads %.*s; did you mean %s?\n", command, bytes, setting, meant);
    else
        fprintf(stderr, "muster %s: nobody reads %.*s; muster(1) lists the variables\n", command, bytes,
                setting);
}

void warn_of_variables(const char *command)
{
    for (char **setting = environ; *setting; setting++)
        warn_of_variable(command, *setting);
}

/* Slurm sets its variables also for the script of a batch job, in which muster run is right: only srun's
 * tasks have a step. */
const char *find_other_launcher(int *size)
{
    const char *variable = muster_other_launcher(size);

    return variable && strcmp(variable, "SLURM_NTASKS") == 0 && !getenv("SLURM_STEP_ID") ? NULL : variable;
}

void warn_of_other_launcher(const char *command)
{
    int size;
    const char *variable = find_other_launcher(&size);

    if (variable)
        fprintf(
            stderr,
            "muster %s: %s is %d: if another launcher runs this %d times, each makes a job of its own; run "
            "it once, without that launcher\n",
            command, variable, size, size);
}
