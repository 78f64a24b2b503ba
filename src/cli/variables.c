/* Looking through the environment, of variables.h. */
#include "src/cli/variables.h"

#include <stdio.h>
#include <string.h>

#include "muster/muster.h"

extern char **environ;

bool is_variable_known(const char *setting)
{
    char name[64];

    snprintf(name, sizeof name, "%.*s", (int)strcspn(setting, "="), setting);
    return muster_is_variable(name);
}

void warn_of_variables(const char *command)
{
    for (char **setting = environ; *setting; setting++)
        if (!is_variable_known(*setting))
            fprintf(stderr, "muster %s: nobody reads %.*s; muster(1) lists the variables\n", command,
                    (int)strcspn(*setting, "="), *setting);
}
