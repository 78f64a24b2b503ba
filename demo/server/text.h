/*
 * Answers to POST /generate. A connection whose text is still being made is suspended, so that one thread
 * serves all: the generation's reader suspends and resumes it.
 */
#ifndef SERVER_TEXT_H
#define SERVER_TEXT_H

#include <microhttpd.h>

#include "generation.h"

typedef struct text text;

/* Where texts are put, and what they are made by. */
void text_use(queue *queue, const model *model);

/* Begins what the body asks for; *begun stays NULL where that was refused at once. */
enum MHD_Result text_begin(struct MHD_Connection *connection, const char *body, size_t bytes, text **begun);

/* Called again whenever the connection is resumed before it has its answer. */
enum MHD_Result text_go_on(struct MHD_Connection *connection, text *text);

/* The request is over, answered or not. */
void text_end(text *text);

/* Waits until no text is being sent any more, but not for ever. */
void text_wait_for_readers(int seconds);

#endif
