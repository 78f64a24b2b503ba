/*
 * Who is connected, and how long each may be silent. A connection whose request has not come whole within
 * CONNECTION_PATIENCE_S, however slowly it drips, is shut, so that nobody holds a place without using it;
 * where places run short, after CONNECTION_HURRY_S. One thread looks, a few times a second.
 */
#ifndef SERVER_CONNECTIONS_H
#define SERVER_CONNECTIONS_H

#include <microhttpd.h>
#include <stdbool.h>

enum { CONNECTION_PATIENCE_S = 10, CONNECTION_HURRY_S = 1 };

/* How many there may be: raises this process's own limit of descriptors for it. */
unsigned connections_most(void);

bool connections_start(void);
void connections_stop(void);

/* Whether requests are to be refused, since nearly all places are taken. */
bool connections_full(void);

/* For libmicrohttpd, as MHD_OPTION_NOTIFY_CONNECTION. */
void connections_notify(void *arg, struct MHD_Connection *connection, void **state,
                        enum MHD_ConnectionNotificationCode code);

/* The request of a connection is whole: it waits for us now; and the answer is sent: we wait for it. */
void connections_served(struct MHD_Connection *connection);
void connections_idle(struct MHD_Connection *connection);

#endif
