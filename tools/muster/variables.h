/* The MUSTER_* variables: which of those that are set are none; and those of other launchers. */
#ifndef MUSTER_CLI_VARIABLES_H
#define MUSTER_CLI_VARIABLES_H

#include <stdbool.h>

/* Whether "NAME=VALUE" is a variable that muster reads; true for those without MUSTER_ before them. If not,
 * *meant is one that is spelt nearly so, or NULL. */
bool is_variable_known(const char *setting, const char **meant);

/* One line on stderr for a setting that nobody reads, or for each that is so in the environment: misspelt,
 * most likely. */
void warn_of_variable(const char *command, const char *setting);
void warn_of_variables(const char *command);

/* Another launcher's variable that says that this command is one of *size ranks; NULL: there is none. */
const char *find_other_launcher(int *size);

/* One line on stderr, if so. */
void warn_of_other_launcher(const char *command);

#endif
