/* What a request's body asks for. */
#ifndef SERVER_WISH_H
#define SERVER_WISH_H

#include <jansson.h>

#include "generation.h"

/* Reads the JSON object of a request; the prompt stays that of `root`. NULL, or why it makes no sense. */
const char *wish_read(json_t *root, wish *wish, bool *streamed);

#endif
