/* The answers of answer.h. */
#define _GNU_SOURCE /* open_memstream */
#include "answer.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *type, const char *text)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);

    if (!response)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD, POST");
    if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
        MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1");
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

enum MHD_Result refuse(struct MHD_Connection *connection, unsigned status, const char *why)
{
    json_t *object = json_pack("{s:s}", "error", why);
    char *text = json_dumps(object, JSON_COMPACT);
    enum MHD_Result result = text ? answer(connection, status, "application/json", text) : MHD_NO;

    free(text);
    json_decref(object);
    return result;
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
