/* MUSTER_* variables that muster does not read, and variables of other launchers. */
#ifndef MUSTER_VARIABLES_H
#define MUSTER_VARIABLES_H

#include <stdbool.h>

/* Whether "NAME=VALUE" sets a variable that muster reads; true for names without "MUSTER_". If not, *meant is
 * a variable with a similar name, or NULL. */
bool is_variable_known(const char *setting, const char **meant);

/* Prints a line on stderr if nobody reads the setting, or for each such variable of the environment: it is
 * probably misspelt. */
void warn_of_variable(const char *command, const char *setting);
void warn_of_variables(const char *command);

/* Another launcher's variable that says that this command is one of *size ranks; NULL: there is none. */
const char *find_other_launcher(int *size);

/* Prints a line on stderr if there is such a variable. */
void warn_of_other_launcher(const char *command);

#endif
