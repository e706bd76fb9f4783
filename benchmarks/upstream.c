// A provider for benchmarks, fast enough not to be what is measured. One thread, HTTP/1.1 with keep-alive.
//
//   upstream PORT PLAIN STREAM PACE
//
// A request whose body has "stream":true is answered with the pieces of the file STREAM, each "<length>\n<bytes>",
// one write a piece: PACE pieces a second on each connection, or back to back if PACE is 0. Any other request is
// answered with the file PLAIN. Both files hold HTTP messages as they go on the wire. Errors end the process.
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST_PIECES = 8192, TURN = 64, BUFFER = 1 << 17 };

typedef struct { const char *bytes; size_t length; } Piece;
typedef struct { Piece pieces[MOST_PIECES]; int count; } Script;
typedef struct Connection {
    struct Connection *next, *previous;  // in the list of those that are to send at `due`
    int fd;
    const Script *script;  // what is being sent; NULL while a request is read
    int piece;
    size_t offset, filled;
    double due;
    bool listed, blocked;
    char buffer[BUFFER];
} Connection;

static Script plain, stream;
static Connection list;  // the head of the list; all periods are equal, so it is in the order of `due`
static double period;
static int poller;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static void enlist(Connection *c, double due) {
    c->due = due, c->listed = true;
    c->previous = list.previous, c->next = &list;
    list.previous->next = c, list.previous = c;
}

static void delist(Connection *c) {
    if (!c->listed) return;
    c->previous->next = c->next, c->next->previous = c->previous;
    c->listed = false;
}

static void await_writable(Connection *c, bool blocked) {
    if (c->blocked == blocked) return;
    c->blocked = blocked;
    struct epoll_event e = {.events = EPOLLIN | (blocked ? EPOLLOUT : 0), .data.ptr = c};
    epoll_ctl(poller, EPOLL_CTL_MOD, c->fd, &e);
}

static void hang_up(Connection *c) {
    delist(c);
    close(c->fd);
    free(c);
}

// Sends one piece. False when the socket is full or the peer is gone; reading tells which.
static bool send_piece(Connection *c) {
    const Piece *p = &c->script->pieces[c->piece];
    while (c->offset < p->length) {
        ssize_t n = send(c->fd, p->bytes + c->offset, p->length - c->offset, MSG_NOSIGNAL);
        if (n < 0) {
            await_writable(c, errno == EAGAIN);
            return false;
        }
        c->offset += n;
    }
    c->offset = 0, c->piece++;
    return true;
}

// Takes a whole request out of the buffer and chooses the answer. Bodies have a content-length.
static bool take_request(Connection *c) {
    char *end = memmem(c->buffer, c->filled, "\r\n\r\n", 4);
    if (!end) return false;
    *end = 0;
    char *field = strcasestr(c->buffer, "\r\ncontent-length:");
    size_t head = end - c->buffer + 4, body = field ? strtoul(field + 17, NULL, 10) : 0;
    *end = '\r';
    if (head + body > BUFFER) errx(1, "a request is too large");
    if (c->filled < head + body) return false;
    const char *b = c->buffer + head;
    bool streamed = memmem(b, body, "\"stream\":true", 13) || memmem(b, body, "\"stream\": true", 14);
    c->script = streamed ? &stream : &plain, c->piece = 0, c->offset = 0;
    c->filled -= head + body;
    memmove(c->buffer, c->buffer + head + body, c->filled);
    return true;
}

// Sends what is due, at most a turn's worth so that connections share the time.
static void advance(Connection *c) {
    delist(c);
    for (int turn = 0; c->script || take_request(c); turn++) {
        bool paced = period > 0 && c->script == &stream;
        if (turn == (paced ? 1 : TURN)) {
            double time = now(), next = c->due + period;
            enlist(c, paced && next > time ? next : time);
            return;
        }
        if (turn == 0 && c->piece == 0) c->due = now();
        if (!send_piece(c)) return;
        if (c->piece == c->script->count) c->script = NULL;
    }
    await_writable(c, false);
}

static void serve(Connection *c, unsigned events) {
    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        if (c->filled == BUFFER) errx(1, "a request is too large");
        ssize_t n = recv(c->fd, c->buffer + c->filled, BUFFER - c->filled, 0);
        if (n == 0 || (n < 0 && errno != EAGAIN)) { hang_up(c); return; }
        if (n > 0) c->filled += n;
        if (!c->script) advance(c);
    }
    if (events & EPOLLOUT) {
        await_writable(c, false);
        advance(c);
    }
}

static void accept_all(int listener) {
    int fd, one = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        Connection *c = malloc(sizeof *c);  // the buffer is left as it is: only what is used costs memory
        memset(c, 0, offsetof(Connection, buffer));
        c->fd = fd;
        struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(poller, EPOLL_CTL_ADD, fd, &e);
    }
}

static void load(Script *script, const char *path, bool pieces) {
    FILE *f = fopen(path, "rb");
    size_t length = 0;
    if (!f) err(1, "%s", path);
    if (!pieces) fseek(f, 0, SEEK_END), length = ftell(f), rewind(f);
    while (script->count < MOST_PIECES && (pieces ? fscanf(f, "%zu", &length) == 1 && fgetc(f) == '\n' : !script->count)) {
        char *bytes = malloc(length);
        if (fread(bytes, 1, length, f) != length) errx(1, "%s: a piece is cut short", path);
        script->pieces[script->count++] = (Piece){bytes, length};
    }
    fclose(f);
}

int main(int argc, char **argv) {
    if (argc != 5) errx(2, "usage: upstream PORT PLAIN STREAM PACE");
    signal(SIGPIPE, SIG_IGN);
    load(&plain, argv[2], false);
    load(&stream, argv[3], true);
    period = atof(argv[4]) > 0 ? 1 / atof(argv[4]) : 0;
    list.next = list.previous = &list;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in address = {AF_INET, htons(atoi(argv[1])), {htonl(INADDR_LOOPBACK)}, {0}};
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 4096)) err(1, "port %s", argv[1]);
    poller = epoll_create1(0);
    struct epoll_event events[1024], e = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(poller, EPOLL_CTL_ADD, listener, &e);
    for (;;) {
        double wait = list.next == &list ? -1 : list.next->due - now();
        int n = epoll_wait(poller, events, 1024, list.next == &list ? -1 : wait <= 0 ? 0 : (int)(wait * 1e3) + 1);
        for (int i = 0; i < n; i++)
            if (events[i].data.ptr) serve(events[i].data.ptr, events[i].events);
            else accept_all(listener);
        double time = now();
        while (list.next != &list && list.next->due <= time) advance(list.next);
    }
}
