/* The server's HTTP side, by libmicrohttpd: what it offers is in README.md beside this file. */
#ifndef SERVER_HTTP_H
#define SERVER_HTTP_H

#include "generation.h"

/* Listens on the address and port, 0: any that is free, and says where; false: it cannot, and stderr says
 * why. Requests are served by threads of the library, one for each connection. */
bool http_start(queue *queue, const model *model, const char *address, int port);

/* Finishes what is being sent. */
void http_stop(void);

#endif
