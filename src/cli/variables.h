/* The MUSTER_* variables: which there are, and which of those that are set are none. */
#ifndef MUSTER_CLI_VARIABLES_H
#define MUSTER_CLI_VARIABLES_H

#include <stdbool.h>

/* Whether "NAME=VALUE" is a variable that muster reads; true for those without MUSTER_ before them. */
bool is_variable_known(const char *setting);

/* One line on stderr for each that is set and that nobody reads: misspelt, most likely. */
void warn_of_variables(const char *command);

#endif
