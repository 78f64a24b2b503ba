/* The server's HTTP side, by libmicrohttpd, in one thread of its: what it offers is in README.md. */
#ifndef SERVER_HTTP_H
#define SERVER_HTTP_H

#include "generation.h"

/* Listens on the address and port, 0: any that is free, and says where; false: it cannot, and stderr says
 * why. Who takes a dead rank's place may find that the system has not closed its socket yet, and
 * `takes_over`. */
bool http_start(queue *queue, const model *model, const char *address, int port, bool takes_over);

/* Finishes what is being sent; the queue has been stopped. */
void http_stop(void);

#endif
