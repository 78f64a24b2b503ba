/* Whole answers to HTTP requests: a text, a refusal in JSON, or what a function prints. */
#ifndef SERVER_ANSWER_H
#define SERVER_ANSWER_H

#include <microhttpd.h>
#include <stdio.h>

enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *type,
                       const char *text);

/* {"error": why}; with Retry-After where the status is 503. */
enum MHD_Result answer_refusal(struct MHD_Connection *connection, unsigned status, const char *why);

/* 405, with the methods that the path has. */
enum MHD_Result refuse_method(struct MHD_Connection *connection, const char *allow);

enum MHD_Result answer_printed(struct MHD_Connection *connection, const char *type, void (*print)(FILE *to));

#endif
