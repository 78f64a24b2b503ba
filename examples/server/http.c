/* Requests and answers of http.h. */
#define _GNU_SOURCE /* open_memstream */
#include "http.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "metrics.h"
#include "page.h"

enum { BODY_MAX = 64 * 1024, CONNECTIONS_MAX = 512, LINE_MAX = 64 };

static struct MHD_Daemon *server;
static queue *texts;
static const model *loaded;

typedef struct body {
    char bytes[BODY_MAX + 1];
    size_t used;
    bool too_long;
} body;

/* ---- plain answers ---- */

static enum MHD_Result answer(struct MHD_Connection *connection, unsigned status, const char *type,
                              const char *text)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);

    MHD_add_response_header(response, "Content-Type", type);
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        MHD_add_response_header(response, "Allow", "GET, POST");
    enum MHD_Result result = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned status, const char *why)
{
    json_t *object = json_pack("{s:s}", "error", why);
    char *text = json_dumps(object, JSON_COMPACT);

    enum MHD_Result result = answer(connection, status, "application/json", text);
    free(text);
    json_decref(object);
    return result;
}

static enum MHD_Result answer_printed(struct MHD_Connection *connection, const char *type,
                                      void (*print)(FILE *to))
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *to = open_memstream(&text, &bytes);

    if (!to)
        return MHD_NO;
    print(to);
    fclose(to);
    enum MHD_Result result = answer(connection, MHD_HTTP_OK, type, text);
    free(text);
    return result;
}

/* ---- texts ---- */

typedef struct stream {
    generation *generation;
    int sent; /* bytes of the text */
    int64_t began_ns;
    char line[LINE_MAX]; /* that is being sent, from `at` on */
    size_t at, bytes;
    bool ended;
} stream;

/* A byte in a JSON string; those that are no ASCII as the characters of the same number. */
static size_t write_json_byte(unsigned char byte, char *to, size_t room)
{
    if (byte == '"' || byte == '\\')
        return (size_t)snprintf(to, room, "\\%c", byte);
    if (byte < ' ' || byte > '~')
        return (size_t)snprintf(to, room, "\\u%04x", byte);
    to[0] = (char)byte;
    return 1;
}

/* The next line to send: a token, or, once, how it went. */
static bool next_line(stream *stream)
{
    unsigned char byte;
    char *line = stream->line;

    if (stream->ended)
        return false;
    stream->at = 0;
    if (generation_read(texts, stream->generation, stream->sent, &byte, 1) == 1) {
        stream->sent++;
        stream->bytes = (size_t)snprintf(line, LINE_MAX, "{\"text\":\"");
        stream->bytes += write_json_byte(byte, line + stream->bytes, LINE_MAX - stream->bytes);
        stream->bytes += (size_t)snprintf(line + stream->bytes, LINE_MAX - stream->bytes, "\"}\n");
        return true;
    }
    double seconds = (double)(now_ns() - stream->began_ns) / 1e9;
    stream->ended = true;
    stream->bytes = (size_t)snprintf(line, LINE_MAX, "{\"done\":%s,\"tokens\":%d,\"seconds\":%.6f}\n",
                                     stream->sent == stream->generation->wanted ? "true" : "false",
                                     stream->sent, seconds);
    return true;
}

static ssize_t read_stream(void *arg, uint64_t position, char *to, size_t room)
{
    stream *stream = arg;

    (void)position;
    if (stream->at == stream->bytes && !next_line(stream))
        return MHD_CONTENT_READER_END_OF_STREAM;
    size_t bytes = stream->bytes - stream->at < room ? stream->bytes - stream->at : room;
    memcpy(to, stream->line + stream->at, bytes);
    stream->at += bytes;
    return (ssize_t)bytes;
}

static void free_stream(void *arg)
{
    stream *stream = arg;

    generation_abandon(texts, stream->generation);
    free(stream);
}

static enum MHD_Result answer_as_stream(struct MHD_Connection *connection, stream *stream)
{
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 256, read_stream, stream, free_stream);

    MHD_add_response_header(response, "Content-Type", "application/x-ndjson");
    enum MHD_Result result = MHD_queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer_whole(struct MHD_Connection *connection, stream *stream)
{
    char *text = malloc(6 * GENERATION_TOKENS_MAX + 200);
    unsigned char made[GENERATION_TOKENS_MAX];
    int got = 0, more;

    if (!text) {
        free_stream(stream);
        return refuse(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
    }
    while ((more = generation_read(texts, stream->generation, got, made + got, GENERATION_TOKENS_MAX - got)) >
           0)
        got += more;
    bool whole = got == stream->generation->wanted;
    size_t used = (size_t)sprintf(text, "{\"text\":\"");
    for (int i = 0; i < got; i++)
        used += write_json_byte(made[i], text + used, 8);
    sprintf(text + used, "\",\"tokens\":%d,\"seconds\":%.6f}\n", got,
            (double)(now_ns() - stream->began_ns) / 1e9);
    free_stream(stream);
    enum MHD_Result result = whole
                                 ? answer(connection, MHD_HTTP_OK, "application/json", text)
                                 : refuse(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "the server is stopping");
    free(text);
    return result;
}

/* What a request asks for; NULL or why it makes no sense. */
typedef struct wish {
    const char *prompt;
    int tokens, stream;
    double temperature;
    json_int_t seed;
} wish;

static const char *read_wish(json_t *root, wish *wish)
{
    *wish = (struct wish){ "", 200, 1, 0.6, 1 };
    if (!json_is_object(root))
        return "expected a JSON object, such as {\"prompt\": \"The light\", \"tokens\": 100, \"seed\": 1}";
    if (json_unpack(root, "{s?s, s?i, s?b, s?F, s?I !}", "prompt", &wish->prompt, "tokens", &wish->tokens,
                    "stream", &wish->stream, "temperature", &wish->temperature, "seed", &wish->seed) != 0)
        return "expected prompt (a string), tokens and seed (whole numbers), temperature (a number), stream "
               "(true or "
               "false), and nothing else";
    if (wish->tokens < 1 || wish->tokens > GENERATION_TOKENS_MAX)
        return "tokens is not between 1 and 4096";
    if (!(wish->temperature >= 0.01 && wish->temperature <= 10))
        return "temperature is not between 0.01 and 10";
    return NULL;
}

static enum MHD_Result generate(struct MHD_Connection *connection, const body *body)
{
    json_t *root = json_loadb(body->bytes, body->used, 0, NULL);
    stream *stream = calloc(1, sizeof *stream);
    wish wish;

    const char *wrong = read_wish(root, &wish);
    if (!wrong && stream)
        stream->generation =
            generation_create(loaded, wish.prompt, wish.tokens, (float)wish.temperature, (uint64_t)wish.seed);
    bool streamed = wish.stream;
    json_decref(root);
    if (wrong || !stream || !stream->generation) {
        free(stream);
        return wrong ? refuse(connection, MHD_HTTP_BAD_REQUEST, wrong)
                     : refuse(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
    }
    stream->began_ns = now_ns();
    metrics_request();
    queue_add(texts, stream->generation);
    return streamed ? answer_as_stream(connection, stream) : answer_whole(connection, stream);
}

/* ---- requests ---- */

static enum MHD_Result take_body(body *body, const char *bytes, size_t *count)
{
    if (body->used + *count > BODY_MAX)
        body->too_long = true;
    else
        memcpy(body->bytes + body->used, bytes, *count);
    body->used += body->too_long ? 0 : *count;
    *count = 0;
    return MHD_YES;
}

static enum MHD_Result serve(struct MHD_Connection *connection, const char *path, const char *method,
                             const body *body)
{
    bool get = strcmp(method, "GET") == 0;

    if (strcmp(path, "/generate") == 0) {
        if (strcmp(method, "POST") != 0)
            return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "expected POST");
        if (body->too_long)
            return refuse(connection, MHD_HTTP_CONTENT_TOO_LARGE, "the body has more than 64 KiB");
        return generate(connection, body);
    }
    bool known = strcmp(path, "/") == 0 || strcmp(path, "/health") == 0 || strcmp(path, "/metrics") == 0;
    if (!known)
        return refuse(connection, MHD_HTTP_NOT_FOUND, "there are /, /generate, /health and /metrics");
    if (!get)
        return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "expected GET");
    if (strcmp(path, "/health") == 0)
        return answer_printed(connection, "application/json", metrics_print_json);
    if (strcmp(path, "/metrics") == 0)
        return answer_printed(connection, "text/plain; version=0.0.4", metrics_print);
    return answer(connection, MHD_HTTP_OK, "text/html; charset=utf-8", server_page);
}

/* Called once for the head, for each part of the body, and at the end. */
static enum MHD_Result handle(void *arg, struct MHD_Connection *connection, const char *path,
                              const char *method, const char *version, const char *bytes, size_t *count,
                              void **state)
{
    (void)arg, (void)version;
    if (!*state) {
        *state = calloc(1, sizeof(body));
        return *state ? MHD_YES : MHD_NO;
    }
    if (*count)
        return take_body(*state, bytes, count);
    return serve(connection, path, method, *state);
}

static void forget(void *arg, struct MHD_Connection *connection, void **state,
                   enum MHD_RequestTerminationCode code)
{
    (void)arg, (void)connection, (void)code;
    free(*state);
    *state = NULL;
}

bool http_start(queue *queue, const model *model, const char *address, int port)
{
    struct sockaddr_in where = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

    texts = queue;
    loaded = model;
    if (inet_pton(AF_INET, address, &where.sin_addr) != 1) {
        fprintf(stderr, "server: %s is no IPv4 address\n", address);
        return false;
    }
    server =
        MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_THREAD_PER_CONNECTION, (uint16_t)port,
                         NULL, NULL, handle, NULL, MHD_OPTION_SOCK_ADDR, (struct sockaddr *)&where,
                         MHD_OPTION_NOTIFY_COMPLETED, forget, NULL, MHD_OPTION_CONNECTION_LIMIT,
                         (unsigned)CONNECTIONS_MAX, MHD_OPTION_LISTENING_ADDRESS_REUSE, 1U, MHD_OPTION_END);
    if (!server) {
        fprintf(stderr, "server: cannot listen on %s, port %d: %s\n", address, port, strerror(errno));
        return false;
    }
    printf("listening on http://%s:%d/\n", address,
           MHD_get_daemon_info(server, MHD_DAEMON_INFO_BIND_PORT)->port);
    fflush(stdout);
    return true;
}

void http_stop(void)
{
    if (server)
        MHD_stop_daemon(server);
    server = NULL;
}
