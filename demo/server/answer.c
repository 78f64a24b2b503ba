/* The answers of answer.h. */
#define _GNU_SOURCE /* open_memstream */
#include "answer.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* `allow`: the methods of a path that was asked by another one; else NULL. */
static enum MHD_Result send_text(struct MHD_Connection *connection, unsigned status, const char *type,
                                 const char *text, const char *allow)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);

    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (allow)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, allow);
    if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
        MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1");
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *type, const char *text)
{
    return send_text(connection, status, type, text, NULL);
}

static enum MHD_Result send_refusal(struct MHD_Connection *connection, unsigned status, const char *why,
                                    const char *allow)
{
    json_t *object = json_pack("{s:s}", "error", why);
    char *text = json_dumps(object, JSON_COMPACT);
    enum MHD_Result result = text ? send_text(connection, status, "application/json", text, allow) : MHD_NO;

    free(text);
    json_decref(object);
    return result;
}

enum MHD_Result answer_refusal(struct MHD_Connection *connection, unsigned status, const char *why)
{
    return send_refusal(connection, status, why, NULL);
}

enum MHD_Result refuse_method(struct MHD_Connection *connection, const char *allow)
{
    char why[64];

    snprintf(why, sizeof why, "expected %s", allow);
    return send_refusal(connection, MHD_HTTP_METHOD_NOT_ALLOWED, why, allow);
}

enum MHD_Result answer_printed(struct MHD_Connection *connection, const char *type, void (*print)(FILE *to))
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);

    if (!to)
        return MHD_NO;
    print(to);
    enum MHD_Result result = fclose(to) == 0 ? answer(connection, MHD_HTTP_OK, type, text) : MHD_NO;
    free(text);
    return result;
}
