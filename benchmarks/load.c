// A load client for benchmarks: keeps CONNECTIONS busy with one request after the other, each sent when the answer
// to the one before is complete.
//
//   load PORT REQUEST CONNECTIONS WARMUP SECONDS EVENTS
//
// REQUEST is a file with a whole HTTP request. Connections start evenly over the WARMUP; then "measuring" is printed,
// counting starts, and after SECONDS one line of JSON tells what was seen. An answer that does not hold exactly EVENTS
// server-sent events counts as short; a chunked answer is decoded as chunked, so none hides.
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HEAD = 8192, READ = 1 << 18, MOST_TIMES = 1 << 22 };
enum state { IN_HEAD, IN_LENGTH, CHUNK_SIZE, CHUNK_DATA, CHUNK_END, TRAILER, COMPLETE };

typedef struct {
    int fd, head_length, status;
    enum state state;
    bool close, line_empty;
    char last;          // byte of the body, to see the empty line that ends an event
    long left, events;  // bytes of the body or of the chunk still to come; events of this answer
    double started, first_byte;
    char head[HEAD + 1];
} Connection;

static char request[1 << 20], input[READ];
static size_t request_length;
static int port, poller;
static long expected, ok, refused, broken, short_streams, events_seen;
static float latency[MOST_TIMES], first[MOST_TIMES];
static double measuring_since;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static void hang_up(Connection *c) {
    close(c->fd);
    c->fd = -1;
}

static void start(Connection *c) {
    if (c->fd < 0) {
        struct sockaddr_in address = {AF_INET, htons(port), {htonl(INADDR_LOOPBACK)}, {0}};
        int one = 1;
        c->fd = socket(AF_INET, SOCK_STREAM, 0);
        setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (connect(c->fd, (struct sockaddr *)&address, sizeof address)) err(1, "connect");
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &e);
    }
    c->state = IN_HEAD, c->head_length = 0, c->events = 0, c->last = 0, c->close = false;
    c->started = now(), c->first_byte = 0;
    // The socket blocks: a request of a few kilobytes always fits.
    if (send(c->fd, request, request_length, MSG_NOSIGNAL) != (ssize_t)request_length) broken++, hang_up(c);
}

static void complete(Connection *c) {
    double time = now();
    if (c->status != 200) {
        if (!refused++) warnx("refused: %.400s", c->head);
    } else if (c->events != expected) {
        short_streams++;
    } else if (measuring_since && c->started >= measuring_since && ok < MOST_TIMES) {
        latency[ok] = (time - c->started) * 1e3;
        first[ok++] = (c->first_byte - c->started) * 1e3;
    }
    if (c->close) hang_up(c);
    start(c);
}

static void read_head(Connection *c) {
    char *field;
    c->status = atoi(c->head + 9);
    c->close = strcasestr(c->head, "\r\nconnection: close");
    if (strcasestr(c->head, "\r\ntransfer-encoding: chunked")) c->state = CHUNK_SIZE, c->left = 0;
    else if ((field = strcasestr(c->head, "\r\ncontent-length:"))) c->left = atol(field + 17), c->state = c->left ? IN_LENGTH : COMPLETE;
    else errx(1, "an answer without framing: %.400s", c->head);
}

static void count_events(Connection *c, const char *p, long n) {
    for (const char *end = p + n; p < end; c->last = *p++)
        if (*p == '\n' && c->last == '\n') c->events++, events_seen++;
}

// Reads `n` bytes of an answer. Requests are not pipelined, so nothing follows its end.
static void read_answer(Connection *c, const char *p, long n) {
    if (c->state == IN_HEAD) {
        int before = c->head_length, room = HEAD - before, take = n < room ? n : room;
        memcpy(c->head + before, p, take);
        c->head[before + take] = 0, c->head_length += take;
        char *end = strstr(c->head, "\r\n\r\n");
        if (!end) { if (take == room) errx(1, "a head is too large"); return; }
        end[2] = 0;
        p += end + 4 - c->head - before, n -= end + 4 - c->head - before;
        read_head(c);
    }
    if (n && !c->first_byte) c->first_byte = now();
    while (n > 0 && c->state != COMPLETE) {
        if (c->state == IN_LENGTH || c->state == CHUNK_DATA) {
            long take = n < c->left ? n : c->left;
            count_events(c, p, take);
            p += take, n -= take, c->left -= take;
            if (!c->left) c->state = c->state == IN_LENGTH ? COMPLETE : CHUNK_END;
            continue;
        }
        char x = *p++;
        n--;
        if (c->state == CHUNK_END) { if (x == '\n') c->state = CHUNK_SIZE; }
        else if (c->state == TRAILER) { if (x == '\n') { if (c->line_empty) c->state = COMPLETE; c->line_empty = true; } else if (x != '\r') c->line_empty = false; }
        else if (x == '\n') c->state = c->left ? CHUNK_DATA : TRAILER, c->line_empty = true;
        else if (x != '\r') c->left = c->left * 16 + (x <= '9' ? x - '0' : (x | 32) - 'a' + 10);
    }
    if (c->state == COMPLETE) complete(c);
}

static int ascending(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static double quantile(float *times, double q) { return ok ? times[(long)((ok - 1) * q)] : 0; }

int main(int argc, char **argv) {
    if (argc != 7) errx(2, "usage: load PORT REQUEST CONNECTIONS WARMUP SECONDS EVENTS");
    signal(SIGPIPE, SIG_IGN);
    port = atoi(argv[1]), expected = atol(argv[6]);
    FILE *f = fopen(argv[2], "rb");
    if (!f) err(1, "%s", argv[2]);
    request_length = fread(request, 1, sizeof request, f);
    int count = atoi(argv[3]), opened = 0;
    double warmup = atof(argv[4]), seconds = atof(argv[5]), began = now(), time;
    Connection *connections = calloc(count, sizeof *connections);
    poller = epoll_create1(0);
    for (int i = 0; i < count; i++) connections[i].fd = -1;
    while ((time = now()) < began + warmup + seconds) {
        while (opened < count && time >= began + 0.8 * warmup * opened / count) start(&connections[opened++]);
        if (!measuring_since && time >= began + warmup) {
            measuring_since = time, events_seen = 0;
            puts("measuring");
            fflush(stdout);
        }
        struct epoll_event events[512];
        int n = epoll_wait(poller, events, 512, 2);
        for (int i = 0; i < n; i++) {
            Connection *c = events[i].data.ptr;
            ssize_t size = recv(c->fd, input, READ, MSG_DONTWAIT);
            if (size > 0) { read_answer(c, input, size); continue; }
            if (size < 0 && errno == EAGAIN) continue;
            if (++broken > 1000) errx(1, "the server keeps closing connections");
            hang_up(c);
            start(c);
        }
    }
    double elapsed = now() - measuring_since;
    qsort(latency, ok, sizeof *latency, ascending);
    qsort(first, ok, sizeof *first, ascending);
    printf("{\"ok\": %ld, \"refused\": %ld, \"broken\": %ld, \"short\": %ld, \"events\": %ld, \"seconds\": %.3f,"
           " \"p50\": %.4f, \"p99\": %.4f, \"first50\": %.4f, \"first99\": %.4f}\n",
           ok, refused, broken, short_streams, events_seen, elapsed,
           quantile(latency, 0.5), quantile(latency, 0.99), quantile(first, 0.5), quantile(first, 0.99));
}
