/* Reading, streaming and whole answers of text.h. */
#define _GNU_SOURCE
#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "answer.h"
#include "metrics.h"
#include "wish.h"

enum { LINE_BYTES = 96 };

struct text {
    generation *generation;
    struct MHD_Connection *connection;
    bool streamed, answered;
    int64_t began_ns;
    int read; /* bytes of the text */
    unsigned char bytes[GENERATION_TOKENS_MAX];
    char line[LINE_BYTES]; /* that is being sent, from `at` on */
    size_t at, used;
    bool ended;
};

static queue *texts;
static const model *loaded;
static pthread_mutex_t readers_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t readers_gone = PTHREAD_COND_INITIALIZER;
static int readers;

void text_use(queue *queue, const model *model)
{
    texts = queue;
    loaded = model;
}

static void count_reader(int change)
{
    pthread_mutex_lock(&readers_lock);
    readers += change;
    pthread_cond_signal(&readers_gone);
    pthread_mutex_unlock(&readers_lock);
}

void text_wait_for_readers(int seconds)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += seconds;
    pthread_mutex_lock(&readers_lock);
    for (int status = 0; readers > 0 && status == 0;)
        status = pthread_cond_timedwait(&readers_gone, &readers_lock, &until);
    pthread_mutex_unlock(&readers_lock);
}

/* Called with the queue's lock held, which puts the two in order. */
static void sleep_on(void *arg)
{
    MHD_suspend_connection(((text *)arg)->connection);
}

static void wake_up(void *arg)
{
    MHD_resume_connection(((text *)arg)->connection);
}

/* 0: the end; GENERATION_NOTHING_YET: later. */
static int read_more(text *text, int most)
{
    int room = GENERATION_TOKENS_MAX - text->read;
    int got = room == 0 ? 0
                        : generation_read(texts, text->generation, text->read, text->bytes + text->read,
                                          room < most ? room : most);

    if (got > 0 && text->read == 0)
        metrics_first_token(monotonic_ns() - text->began_ns);
    text->read += got > 0 ? got : 0;
    return got;
}

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

/* "length": as many as were asked for; "stop": before a stop string; NULL: the server stops. */
static const char *finish(const text *text)
{
    if (!text->generation->finished)
        return NULL;
    return text->read == text->generation->wish.tokens ? "length" : "stop";
}

static double seconds_since(int64_t began_ns)
{
    return (double)(monotonic_ns() - began_ns) / 1e9;
}

/* ---- as a stream: a line per token, and one that says how it went ---- */

static void write_token(text *text)
{
    text->used = (size_t)snprintf(text->line, LINE_BYTES, "{\"text\":\"");
    text->used +=
        write_json_byte(text->bytes[text->read - 1], text->line + text->used, LINE_BYTES - text->used);
    text->used += (size_t)snprintf(text->line + text->used, LINE_BYTES - text->used, "\"}\n");
}

static void write_end(text *text)
{
    const char *finished = finish(text);

    text->ended = true;
    text->used = (size_t)snprintf(text->line, LINE_BYTES,
                                  "{\"done\":%s,\"tokens\":%d,\"seconds\":%.6f,\"finish\":\"%s\"}\n",
                                  finished ? "true" : "false", text->read, seconds_since(text->began_ns),
                                  finished ? finished : "server stops");
    metrics_request_done(monotonic_ns() - text->began_ns);
}

static ssize_t read_stream(void *arg, uint64_t position, char *to, size_t room)
{
    text *text = arg;

    (void)position;
    if (text->at == text->used) {
        int got = text->ended ? 0 : read_more(text, 1);

        if (text->ended)
            return MHD_CONTENT_READER_END_OF_STREAM;
        if (got == GENERATION_NOTHING_YET)
            return 0; /* suspended */
        text->at = 0;
        if (got > 0)
            write_token(text);
        else
            write_end(text);
    }
    size_t bytes = text->used - text->at < room ? text->used - text->at : room;
    memcpy(to, text->line + text->at, bytes);
    text->at += bytes;
    return (ssize_t)bytes;
}

static enum MHD_Result answer_as_stream(struct MHD_Connection *connection, text *text)
{
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, 256, read_stream, text, NULL);

    if (!response)
        return MHD_NO;
    text->answered = true;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/x-ndjson");
    enum MHD_Result result = MHD_queue_response(connection, MHD_HTTP_OK, response);
    MHD_destroy_response(response);
    return result;
}

/* ---- as one object ---- */

static enum MHD_Result answer_whole(struct MHD_Connection *connection, text *text)
{
    const char *finished = finish(text);
    char *object = malloc(6 * GENERATION_TOKENS_MAX + 200);

    text->answered = true;
    if (!finished || !object) {
        free(object);
        return answer_refusal(connection, MHD_HTTP_SERVICE_UNAVAILABLE,
                              finished ? "out of memory" : "the server is stopping");
    }
    size_t used = (size_t)sprintf(object, "{\"text\":\"");
    for (int i = 0; i < text->read; i++)
        used += write_json_byte(text->bytes[i], object + used, 8);
    sprintf(object + used, "\",\"tokens\":%d,\"seconds\":%.6f,\"finish\":\"%s\"}\n", text->read,
            seconds_since(text->began_ns), finished);
    metrics_request_done(monotonic_ns() - text->began_ns);
    enum MHD_Result result = answer(connection, MHD_HTTP_OK, "application/json", object);
    free(object);
    return result;
}

/* ---- requests ---- */

enum MHD_Result text_go_on(struct MHD_Connection *connection, text *text)
{
    int got;

    if (text->answered)
        return MHD_YES;
    if (text->streamed)
        return answer_as_stream(connection, text);
    while ((got = read_more(text, GENERATION_TOKENS_MAX)) > 0)
        continue;
    return got == GENERATION_NOTHING_YET ? MHD_YES : answer_whole(connection, text);
}

static enum MHD_Result turn_away(struct MHD_Connection *connection, queue_answer why)
{
    metrics_refused();
    return answer_refusal(connection, MHD_HTTP_SERVICE_UNAVAILABLE,
                          why == QUEUE_FULL ? "as many texts as the server takes are being made; try again"
                                            : "the server is stopping");
}

/* What is no JSON at all: a number that is too large, a NUL in a string. */
static enum MHD_Result refuse_body(struct MHD_Connection *connection, const char *wrong,
                                   const json_error_t *error)
{
    char why[400];
    size_t ascii = 0;

    while (error->text[ascii] && !(error->text[ascii] & 0x80)) /* it may have cut a character */
        ascii++;
    snprintf(why, sizeof why, "%s%s%.*s", wrong, ascii ? ": " : "", (int)ascii, error->text);
    return answer_refusal(connection, MHD_HTTP_BAD_REQUEST, why);
}

enum MHD_Result text_begin(struct MHD_Connection *connection, const char *body, size_t bytes, text **begun)
{
    json_error_t error = { .text = "" };
    json_t *root = json_loadb(body, bytes, 0, &error);
    text *new = calloc(1, sizeof *new);
    bool streamed = true;
    wish wish;

    const char *wrong = wish_read(root, &wish, &streamed);
    if (!wrong && new)
        new->generation = generation_create(loaded, &wish, (reader){ sleep_on, wake_up, new });
    json_decref(root);
    if (wrong || !new || !new->generation) {
        free(new);
        return wrong ? refuse_body(connection, wrong, &error)
                     : answer_refusal(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "out of memory");
    }
    new->connection = connection;
    new->streamed = streamed;
    new->began_ns = monotonic_ns();
    queue_answer added = queue_add(texts, new->generation);
    if (added != QUEUE_ADDED) {
        free(new);
        return turn_away(connection, added);
    }
    metrics_request();
    count_reader(1);
    *begun = new;
    return text_go_on(connection, new);
}

void text_end(text *text)
{
    generation_abandon(texts, text->generation);
    free(text);
    count_reader(-1);
}
