/* Reads the strings of a trace's file, which are JSON as this program writes it. */
#ifndef MUSTER_TRACE_PARSE_H
#define MUSTER_TRACE_PARSE_H

#include <stdbool.h>
#include <stddef.h>

/* A JSON string as write_json_string makes them, at *at, which goes behind it; false: it is none, or too
 * long. Without control characters. */
bool parse_string(const char **at, char *to, size_t room);

/* The same behind its name, as it is in the file. */
bool parse_field(const char **at, const char *name, char *to, size_t room);

#endif
