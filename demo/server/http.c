/* Listening and paths of http.h. */
#define _GNU_SOURCE
#include "http.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "answer.h"
#include "connections.h"
#include "metrics.h"
#include "page.h"
#include "text.h"

enum {
    BODY_MAX = 64 * 1024,
    STALLED_S = 60,        /* of a reader that does not read */
    LAST_ANSWERS_S = 5,    /* for readers, once all is made */
    TAKE_OVER_TRIES = 100, /* of 20 ms */
};

static struct MHD_Daemon *server;
static queue *texts;

typedef struct request {
    char body[BODY_MAX + 1];
    size_t used;
    bool too_long, whole;
    text *text; /* that it asked for; NULL: none */
} request;

/* ---- requests ---- */

static enum MHD_Result take_body(request *request, const char *bytes, size_t *count)
{
    if (request->used + *count > BODY_MAX)
        request->too_long = true;
    else
        memcpy(request->body + request->used, bytes, *count);
    request->used += request->too_long ? 0 : *count;
    *count = 0;
    return MHD_YES;
}

static enum MHD_Result generate(struct MHD_Connection *connection, const char *method, request *request)
{
    if (strcmp(method, MHD_HTTP_METHOD_POST) != 0)
        return refuse_method(connection, "POST");
    if (request->too_long)
        return answer_refusal(connection, MHD_HTTP_CONTENT_TOO_LARGE, "the body has more than 64 KiB");
    if (connections_full())
        return answer_refusal(connection, MHD_HTTP_SERVICE_UNAVAILABLE,
                              "as many clients as the server takes are here");
    return text_begin(connection, request->body, request->used, &request->text);
}

/* Whether a text that is asked for now would be made. */
static enum MHD_Result answer_ready(struct MHD_Connection *connection)
{
    queue_answer would = queue_look(texts);

    if (would == QUEUE_STOPS)
        return answer_refusal(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "the server is stopping");
    if (would == QUEUE_FULL || connections_full())
        return answer_refusal(connection, MHD_HTTP_SERVICE_UNAVAILABLE, "the server is full");
    if (!metrics_is_ready())
        return answer_refusal(connection, MHD_HTTP_SERVICE_UNAVAILABLE,
                              "ranks were lost, and the others regroup");
    return answer(connection, MHD_HTTP_OK, "text/plain", "ready\n");
}

static enum MHD_Result serve(struct MHD_Connection *connection, const char *path, const char *method,
                             request *request)
{
    static const char *const paths[] = { "/", "/health", "/live", "/metrics", "/ready" };
    bool get = strcmp(method, MHD_HTTP_METHOD_GET) == 0 || strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
    bool known = false;

    if (strcmp(path, "/generate") == 0)
        return generate(connection, method, request);
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
        known = known || strcmp(path, paths[i]) == 0;
    if (!known)
        return answer_refusal(connection, MHD_HTTP_NOT_FOUND,
                              "there are /, /generate, /health, /live, /ready and /metrics");
    if (!get)
        return refuse_method(connection, "GET, HEAD");
    if (strcmp(path, "/health") == 0)
        return answer_printed(connection, "application/json", metrics_print_json);
    if (strcmp(path, "/metrics") == 0)
        return answer_printed(connection, "text/plain; version=0.0.4", metrics_print);
    if (strcmp(path, "/live") == 0)
        return answer(connection, MHD_HTTP_OK, "text/plain", "alive\n");
    if (strcmp(path, "/ready") == 0)
        return answer_ready(connection);
    return answer(connection, MHD_HTTP_OK, "text/html; charset=utf-8", server_page);
}

/* Called once for the head, for each part of the body, at the end, and whenever it is resumed after it. */
static enum MHD_Result handle(void *arg, struct MHD_Connection *connection, const char *path,
                              const char *method, const char *version, const char *bytes, size_t *count,
                              void **state)
{
    request *request = *state;

    (void)arg, (void)version;
    if (!request) {
        *state = calloc(1, sizeof *request);
        return *state ? MHD_YES : MHD_NO;
    }
    if (request->text)
        return text_go_on(connection, request->text);
    if (*count)
        return take_body(request, bytes, count);
    connections_served(connection);
    return serve(connection, path, method, request);
}

static void forget(void *arg, struct MHD_Connection *connection, void **state,
                   enum MHD_RequestTerminationCode code)
{
    request *request = *state;

    (void)arg, (void)code;
    connections_idle(connection);
    if (request && request->text)
        text_end(request->text);
    free(request);
    *state = NULL;
}

/* ---- listening ---- */

/* A socket of the address; -1: errno says why not. */
static int listen_on(const struct addrinfo *where)
{
    int yes = 1, listening = socket(where->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (listening < 0)
        return -1;
    /* Over connections that an earlier server left behind, not over one that listens. */
    setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listening, where->ai_addr, where->ai_addrlen) == 0 && listen(listening, SOMAXCONN) == 0)
        return listening;
    int why = errno;
    close(listening);
    errno = why;
    return -1;
}

static int open_socket(const char *address, int port, bool takes_over)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV }, *where;
    char service[16];
    int listening = -1;

    snprintf(service, sizeof service, "%d", port);
    int wrong = getaddrinfo(address, service, &hints, &where);
    if (wrong) {
        fprintf(stderr, "server: no address \"%s\": %s\n", address, gai_strerror(wrong));
        return -1;
    }
    for (int tries = takes_over ? TAKE_OVER_TRIES : 1; listening < 0 && tries > 0; tries--) {
        for (struct addrinfo *each = where; each && listening < 0; each = each->ai_next)
            listening = listen_on(each);
        if (listening < 0 && errno != EADDRINUSE)
            break;
        if (listening < 0 && tries > 1)
            nanosleep(&(struct timespec){ .tv_nsec = 20 * 1000 * 1000 }, NULL);
    }
    if (listening < 0)
        fprintf(stderr, "server: cannot listen on %s, port %d: %s%s\n", address, port, strerror(errno),
                errno == EADDRINUSE ? "; --port takes another, 0 any that is free" : "");
    freeaddrinfo(where);
    return listening;
}

static void say_where(const char *address, int listening)
{
    struct sockaddr_storage bound;
    socklen_t bytes = sizeof bound;
    char port[16] = "0";
    bool brackets = strchr(address, ':') != NULL;

    if (getsockname(listening, (struct sockaddr *)&bound, &bytes) == 0)
        getnameinfo((struct sockaddr *)&bound, bytes, NULL, 0, port, sizeof port, NI_NUMERICSERV);
    printf("listening on http://%s%s%s:%s/\n", brackets ? "[" : "", address, brackets ? "]" : "", port);
    fflush(stdout);
}

bool http_start(queue *queue, const model *model, const char *address, int port, bool takes_over)
{
    unsigned most = connections_most();
    int listening = open_socket(address, port, takes_over);

    if (listening < 0)
        return false;
    texts = queue;
    text_use(queue, model);
    server =
        MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, handle,
                         NULL, MHD_OPTION_LISTEN_SOCKET, listening, MHD_OPTION_NOTIFY_COMPLETED, forget, NULL,
                         MHD_OPTION_NOTIFY_CONNECTION, connections_notify, NULL, MHD_OPTION_CONNECTION_LIMIT,
                         most, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)STALLED_S, MHD_OPTION_END);
    if (!server || !connections_start()) {
        fprintf(stderr, "server: cannot start serving on %s, port %d: %s\n", address, port, strerror(errno));
        if (!server)
            close(listening);
        return false;
    }
    say_where(address, listening);
    return true;
}

void http_stop(void)
{
    text_wait_for_readers(LAST_ANSWERS_S);
    connections_stop();
    if (server)
        MHD_stop_daemon(server);
    server = NULL;
}
