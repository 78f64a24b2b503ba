/*
 * What all subcommands say alike: plurals, lists of ranks, strings of JSON, sentences, and that standard
 * output cannot be written.
 */
#ifndef MUSTER_TEXT_H
#define MUSTER_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "muster/muster.h"

/* "" for one, "s" for any other number. */
const char *plural(unsigned long long count);

/* Adds a rank to a list of RANKS flags for list_ranks, unless it is beyond. */
void mark_rank(bool *listed, int ranks, int rank);

/* "0 2 4-63" of the ranks whose place in `listed` is true; returns how many they are. */
int list_ranks(const bool *listed, int size, char *text, size_t bytes);

/* "collective", "split", "send" or "receive", as the JSON of inspect and trace has it; and back, false: it is
 * none. */
const char *call_class_name(muster_call_class call_class);
bool find_call_class(const char *name, muster_call_class *call_class);

/* A JSON string of the text. JSON is UTF-8, and what a program names may be none, or have been cut: U+FFFD
 * stands for each byte that is none. */
void write_json_string(const char *text, FILE *file);

/* A text that is put together bit by bit, and cut where the room ends. */
typedef struct sentence {
    char *text;
    int used, bytes;
} sentence;

void say(sentence *sentence, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Writes what is still buffered for standard output, and closes it. Returns `status`; or, where not all could
 * be written, a failure, once stderr says so for `muster COMMAND` (NULL: muster itself). */
int finish_output(const char *command, int status);

/* What is said to standard error from now on goes nowhere, if nobody reads it: for those who must end. */
void leave_unread_error(void);

#endif
