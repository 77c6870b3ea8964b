/* An inference node that costs next to nothing: paced, numbered, time-stamped event streams.
 *
 * POST …chat/completions and …/messages stream when their body says "stream": true, a path that
 * holds :streamGenerateContent always does; every event is one HTTP chunk with one SSE frame.
 * Other POSTs, and those with large bodies, get a small reply, those of …/embeddings what
 * --embeddings names, GET …/models a list with the one model `bench`; GET /health and /version
 * answer as vLLM's do, for the routers that ask.
 *
 * Each stream has its own phase within the period, so that events spread evenly over it. What
 * falls due within one tick is sent together, which keeps the node cheap; engines that batch do
 * so too, step by step. An event is a template of its protocol in which only the mark is new. */
#include "common.h"

#define HEAD_LIMIT (64 << 10)
#define BODY_KEPT (1 << 20)
#define LARGE_BODY (256 << 10)
#define IDLE SIZE_MAX

enum protocol { OPENAI, ANTHROPIC, GEMINI, PROTOCOLS };
enum fault { NONE, LOSE, DUPLICATE, REORDER, MERGE, CUT, STALL, REFUSE };
static const char *const fault_names[] = {"none",  "lose", "duplicate", "reorder",
                                          "merge", "cut",  "stall",     "refuse"};

static struct {
    int port;
    double rate, seconds, seconds_most;
    size_t size;
    uint64_t events, tick;
    enum fault fault;
    uint64_t every;
    char *embeddings;
} flags = {.rate = 50, .size = 300, .tick = 1000000, .fault = NONE, .every = 10};

struct connection {
    int fd;
    enum protocol protocol;
    bool close_after, want_write;
    struct bytes in, out, body, held; /* held: an event kept back by a fault */
    /* The request being read. */
    size_t head_size, body_left;
    bool in_body, chunked, last_chunk;
    char method[8], path[1024];
    /* The stream being sent. */
    size_t place; /* in the heap, or IDLE */
    bool streaming;
    uint64_t stream, seq, due, until;
};

static struct bytes templates[PROTOCOLS];
static size_t mark_at[PROTOCOLS];
static struct connection **heap;
static size_t heap_size, heap_room;
static uint64_t streams, requests, events_sent, period;
static int epoll;

/* --- the events ----------------------------------------------------------------------------- */

static const char *const before[PROTOCOLS] = {
    [OPENAI] = "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":"
               "1700000000,\"model\":\"bench\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"",
    [ANTHROPIC] = "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,"
                  "\"delta\":{\"type\":\"text_delta\",\"text\":\"",
    [GEMINI] = "data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"",
};
static const char *const after[PROTOCOLS] = {
    [OPENAI] = "\"},\"finish_reason\":null}]}\n\n",
    [ANTHROPIC] = "\"}}\n\n",
    [GEMINI] = "\"}],\"role\":\"model\"},\"index\":0}],\"modelVersion\":\"bench\"}\r\n\r\n",
};
static const char *const opening[PROTOCOLS][2] = {
    [OPENAI] = {"data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":"
                "1700000000,\"model\":\"bench\",\"choices\":[{\"index\":0,\"delta\":{\"role\":"
                "\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n"},
    [ANTHROPIC] = {"event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":"
                   "\"msg_bench\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"bench\","
                   "\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{"
                   "\"input_tokens\":7,\"output_tokens\":1}}}\n\n",
                   "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":"
                   "0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n"},
};
/* %1$lu is the number of events, which the client compares with what it saw. */
static const char *const closing[PROTOCOLS][3] = {
    [OPENAI] = {"data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":"
                "1700000000,\"model\":\"bench\",\"choices\":[{\"index\":0,\"delta\":{},"
                "\"finish_reason\":\"stop\"}]}\n\n",
                "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":"
                "1700000000,\"model\":\"bench\",\"choices\":[],\"usage\":{\"prompt_tokens\":7,"
                "\"completion_tokens\":%1$lu,\"total_tokens\":%2$lu}}\n\n",
                "data: [DONE]\n\n"},
    [ANTHROPIC] = {"event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}"
                   "\n\n",
                   "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{"
                   "\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{"
                   "\"output_tokens\":%1$lu}}\n\n",
                   "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"},
    [GEMINI] = {"data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}],\"role\":"
                "\"model\"},\"finishReason\":\"STOP\",\"index\":0}],\"usageMetadata\":{"
                "\"promptTokenCount\":7,\"candidatesTokenCount\":%1$lu,\"totalTokenCount\":%2$lu},"
                "\"modelVersion\":\"bench\"}\r\n\r\n"},
};
static const char *const whole[PROTOCOLS] = {
    [OPENAI] = "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion\",\"created\":1700000000,"
               "\"model\":\"bench\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
               "\"content\":\"All is well.\"},\"finish_reason\":\"stop\"}],\"usage\":{"
               "\"prompt_tokens\":7,\"completion_tokens\":4,\"total_tokens\":11}}",
    [ANTHROPIC] = "{\"id\":\"msg_bench\",\"type\":\"message\",\"role\":\"assistant\",\"model\":"
                  "\"bench\",\"content\":[{\"type\":\"text\",\"text\":\"All is well.\"}],"
                  "\"stop_reason\":\"end_turn\",\"stop_sequence\":null,\"usage\":{\"input_tokens\""
                  ":7,\"output_tokens\":4}}",
    [GEMINI] = "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"All is well.\"}],\"role\":"
               "\"model\"},\"finishReason\":\"STOP\",\"index\":0}],\"usageMetadata\":{"
               "\"promptTokenCount\":7,\"candidatesTokenCount\":4,\"totalTokenCount\":11},"
               "\"modelVersion\":\"bench\"}",
};

static void put_chunk(struct bytes *out, const char *payload, size_t size)
{
    char line[24];
    put(out, line, (size_t)snprintf(line, sizeof line, "%zx\r\n", size));
    put(out, payload, size);
    put(out, "\r\n", 2);
}

/* The event of each protocol as the chunk that goes out, filled up to the asked size. */
static void make_templates(void)
{
    static const char words[] = "the quick brown fox jumps over the lazy dog and ";
    for (int p = 0; p < PROTOCOLS; p++) {
        struct bytes frame = {0};
        put(&frame, before[p], strlen(before[p]));
        put(&frame, MARK "0000000000000000................]]", MARK_SIZE);
        size_t bare = frame.size + strlen(after[p]);
        for (size_t i = bare; i < flags.size; i++)
            put(&frame, &words[(i - bare) % (sizeof words - 1)], 1);
        put(&frame, after[p], strlen(after[p]));
        put_chunk(&templates[p], frame.at, frame.size);
        char *mark = must(memmem(templates[p].at, templates[p].size, MARK, strlen(MARK)));
        mark_at[p] = (size_t)(mark - templates[p].at);
        forget(&frame);
    }
}

static void put_hex(char *to, uint64_t value, int digits)
{
    while (digits--) {
        to[digits] = "0123456789abcdef"[value & 15];
        value >>= 4;
    }
}

static struct bytes *next_event(struct connection *c, uint64_t seq)
{
    struct bytes *event = &templates[c->protocol];
    char *mark = event->at + mark_at[c->protocol];
    put_hex(mark + MARK_SEQ, seq, 8);
    put_hex(mark + MARK_STREAM, c->stream, 8);
    put_hex(mark + MARK_TIME, now_ns(), 16);
    return event;
}

/* --- who is due next: a heap by time ---------------------------------------------------------- */

static void settle(size_t at)
{
    struct connection *c = heap[at];
    while (at > 0 && heap[(at - 1) / 2]->due > c->due) {
        heap[at] = heap[(at - 1) / 2];
        heap[at]->place = at;
        at = (at - 1) / 2;
    }
    for (size_t child; (child = 2 * at + 1) < heap_size; at = child) {
        if (child + 1 < heap_size && heap[child + 1]->due < heap[child]->due)
            child++;
        if (heap[child]->due >= c->due)
            break;
        heap[at] = heap[child];
        heap[at]->place = at;
    }
    heap[at] = c;
    c->place = at;
}

static void schedule(struct connection *c, uint64_t due)
{
    c->due = due;
    if (c->place == IDLE) {
        if (heap_size == heap_room)
            heap = must(realloc(heap, (heap_room = heap_room * 2 + 64) * sizeof *heap));
        heap[heap_size] = c;
        c->place = heap_size++;
    }
    settle(c->place);
}

static void unschedule(struct connection *c)
{
    if (c->place == IDLE)
        return;
    size_t at = c->place;
    c->place = IDLE;
    struct connection *last = heap[--heap_size];
    if (last != c) {
        heap[at] = last;
        last->place = at;
        settle(at);
    }
}

/* --- sending ---------------------------------------------------------------------------------- */

static struct connection *gone; /* freed after the batch of epoll events that may name it */

static void hang_up(struct connection *c)
{
    if (c->fd < 0)
        return;
    unschedule(c);
    close(c->fd);
    c->fd = -1;
    forget(&c->in), forget(&c->out), forget(&c->body), forget(&c->held);
    c->held.at = (char *)gone;
    gone = c;
}

static void bury(void)
{
    while (gone) {
        struct connection *next = (struct connection *)gone->held.at;
        free(gone);
        gone = next;
    }
}

/* What the socket does not take waits in c->out; while it waits, the stream makes no events. */
static void transmit(struct connection *c, const char *from, size_t size)
{
    ssize_t sent = 0;
    if (c->fd < 0)
        return;
    if (!c->out.size) {
        sent = send(c->fd, from, size, MSG_NOSIGNAL);
        if (sent < 0 && errno != EAGAIN && errno != EINTR) {
            hang_up(c);
            return;
        }
    }
    sent = sent < 0 ? 0 : sent;
    if ((size_t)sent < size)
        put(&c->out, from + sent, size - (size_t)sent);
    if (c->out.size && !c->want_write) {
        c->want_write = true;
        watch(epoll, EPOLL_CTL_MOD, c->fd, EPOLLIN | EPOLLOUT, c);
    }
}

static void serve(struct connection *c);

static void finish_reply(struct connection *c)
{
    c->streaming = false;
    unschedule(c);
    if (c->close_after && !c->out.size)
        hang_up(c);
}

static void end_stream(struct connection *c)
{
    struct bytes all = {0};
    put(&all, c->held.at, c->held.size);
    c->held.size = 0;
    for (int i = 0; i < 3 && closing[c->protocol][i]; i++) {
        char frame[1024];
        int size = snprintf(frame, sizeof frame, closing[c->protocol][i], c->seq, c->seq + 7);
        put_chunk(&all, frame, (size_t)size);
    }
    put(&all, "0\r\n\r\n", 5);
    transmit(c, all.at, all.size);
    forget(&all);
    if (c->fd >= 0) {
        finish_reply(c);
        serve(c);
    }
}

/* The event that is due, as the fault flag wants it. False: the stream goes no further. */
static bool send_faulty(struct connection *c)
{
    struct bytes *event = next_event(c, c->seq), second = {0};
    switch (flags.fault) {
    case LOSE:
        break;
    case DUPLICATE:
        transmit(c, event->at, event->size);
        transmit(c, event->at, event->size);
        break;
    case REORDER:
        put(&second, event->at, event->size);
        event = next_event(c, ++c->seq);
        transmit(c, event->at, event->size);
        transmit(c, second.at, second.size);
        forget(&second);
        break;
    case MERGE:
        put(&c->held, event->at, event->size);
        break;
    case CUT:
        transmit(c, event->at, event->size / 2);
        hang_up(c);
        return false;
    case STALL:
        unschedule(c);
        return false;
    case NONE:
    case REFUSE:
        break;
    }
    c->seq++;
    return c->fd >= 0;
}

static void send_event(struct connection *c)
{
    if ((flags.events && c->seq >= flags.events) || c->due >= c->until) {
        end_stream(c);
        return;
    }
    if (c->out.size) { /* the client reads slowly: try again a period later */
        schedule(c, c->due + period);
        return;
    }
    events_sent++;
    if (flags.fault != NONE && flags.fault != REFUSE && (c->seq + 1) % flags.every == 0) {
        if (send_faulty(c))
            schedule(c, c->due + period);
        return;
    }
    struct bytes *event = next_event(c, c->seq++);
    if (c->held.size) {
        put(&c->held, event->at, event->size);
        transmit(c, c->held.at, c->held.size);
        c->held.size = 0;
    } else {
        transmit(c, event->at, event->size);
    }
    if (c->fd >= 0) {
        uint64_t due = c->due + period, now = now_ns();
        /* After a standstill it goes on at its pace: no volley to catch up. */
        schedule(c, due + 10 * period < now ? now : due);
    }
}

/* Between --seconds and --seconds-most, evenly: as for the phases below, but of another number,
 * since lives that went with phases would end streams in one order. */
static double life(uint64_t stream)
{
    double share = (double)stream * 0.7548776662466927;
    share -= (double)(uint64_t)share;
    double most = flags.seconds_most > flags.seconds ? flags.seconds_most : flags.seconds;
    return flags.seconds + share * (most - flags.seconds);
}

static void begin_stream(struct connection *c)
{
    struct bytes all = {0};
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                               "Cache-Control: no-cache\r\nTransfer-Encoding: chunked\r\n";
    put(&all, head, sizeof head - 1);
    put(&all, c->close_after ? "Connection: close\r\n\r\n" : "\r\n", c->close_after ? 21 : 2);
    for (int i = 0; i < 2 && opening[c->protocol][i]; i++)
        put_chunk(&all, opening[c->protocol][i], strlen(opening[c->protocol][i]));
    c->stream = streams++;
    c->seq = 0;
    c->streaming = true;
    /* Golden-ratio phases lie evenly for any number of streams. */
    double phase = (double)c->stream * 0.6180339887498949;
    phase -= (double)(uint64_t)phase;
    uint64_t now = now_ns(), slot = (uint64_t)(phase * (double)period);
    c->until = flags.seconds > 0 ? now + (uint64_t)(life(c->stream) * 1e9) : UINT64_MAX;
    uint64_t due = now - now % period + slot;
    schedule(c, due < now ? due + period : due);
    transmit(c, all.at, all.size);
    forget(&all);
}

static void reply(struct connection *c, const char *status, const char *body)
{
    char head[256];
    struct bytes all = {0};
    int size = snprintf(head, sizeof head,
                        "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n"
                        "%s\r\n",
                        status, strlen(body), c->close_after ? "Connection: close\r\n" : "");
    put(&all, head, (size_t)size);
    put(&all, body, strlen(body));
    transmit(c, all.at, all.size);
    forget(&all);
    if (c->fd >= 0)
        finish_reply(c);
}

/* --- requests --------------------------------------------------------------------------------- */

static bool asks_for_stream(struct bytes *body)
{
    static const char key[] = "\"stream\"";
    char *end = body->at + body->size, *at = body->at;
    while (at && (at = memmem(at, (size_t)(end - at), key, sizeof key - 1))) {
        at += sizeof key - 1;
        while (at < end && strchr(" \t\r\n:", *at))
            at++;
        if (end - at >= 4 && !memcmp(at, "true", 4))
            return true;
    }
    return false;
}

static void answer(struct connection *c)
{
    const char *path = c->path;
    requests++;
    c->protocol = strstr(path, "enerateContent") || strstr(path, "v1beta") ? GEMINI
                  : strstr(path, "/messages")                              ? ANTHROPIC
                                                                           : OPENAI;
    if (!strcmp(c->method, "GET")) {
        if (strstr(path, "/models"))
            reply(c, "200 OK",
                  c->protocol == GEMINI
                      ? "{\"models\":[{\"name\":\"models/bench\",\"displayName\":\"bench\","
                        "\"supportedGenerationMethods\":[\"generateContent\"]}]}"
                      : "{\"object\":\"list\",\"data\":[{\"id\":\"bench\",\"object\":\"model\","
                        "\"created\":1700000000,\"owned_by\":\"bench\"}]}");
        else if (!strcmp(path, "/health"))
            reply(c, "200 OK", "{}");
        else if (!strcmp(path, "/version"))
            reply(c, "200 OK", "{\"version\":\"0.11.0\"}");
        else
            reply(c, "404 Not Found", "{\"error\":{\"message\":\"no such path\",\"code\":404}}");
    } else if (strcmp(c->method, "POST")) {
        reply(c, "405 Method Not Allowed", "{\"error\":{\"message\":\"POST or GET\",\"code\":405}}");
    } else if (flags.fault == REFUSE && requests % flags.every == 0) {
        reply(c, "503 Service Unavailable", "{\"error\":{\"message\":\"busy\",\"code\":503}}");
    } else if (strstr(path, ":streamGenerateContent")
               || ((strstr(path, "/messages") || strstr(path, "/chat/completions"))
                   && c->body.size < LARGE_BODY && asks_for_stream(&c->body))) {
        begin_stream(c);
    } else if (flags.embeddings && strstr(path, "/embeddings")) {
        reply(c, "200 OK", flags.embeddings);
    } else {
        reply(c, "200 OK", whole[c->protocol]);
    }
}

/* A header's value, or NULL. `head` ends in a zero byte and starts with the request line. */
static const char *header(const char *head, const char *name)
{
    size_t size = strlen(name);
    for (const char *line = strchr(head, '\n'); line; line = strchr(line, '\n')) {
        line++;
        if (!strncasecmp(line, name, size) && line[size] == ':') {
            line += size + 1;
            return line + strspn(line, " \t");
        }
    }
    return NULL;
}

static bool read_head(struct connection *c)
{
    char *end = c->in.size ? memmem(c->in.at, c->in.size, "\r\n\r\n", 4) : NULL;
    if (!end) {
        if (c->in.size > HEAD_LIMIT)
            hang_up(c);
        return false;
    }
    end[2] = 0;
    char version[16] = "";
    if (sscanf(c->in.at, "%7s %1023s %15s", c->method, c->path, version) != 3) {
        hang_up(c);
        return false;
    }
    const char *length = header(c->in.at, "content-length");
    const char *coding = header(c->in.at, "transfer-encoding");
    const char *wish = header(c->in.at, "connection");
    c->chunked = coding && !strncasecmp(coding, "chunked", 7);
    c->body_left = length && !c->chunked ? strtoul(length, NULL, 10) : 0;
    c->last_chunk = false;
    c->close_after = !strcmp(version, "HTTP/1.0") || (wish && !strncasecmp(wish, "close", 5));
    drop_front(&c->in, (size_t)(end - c->in.at) + 4);
    c->body.size = 0;
    return c->in_body = true;
}

static void keep_body(struct connection *c)
{
    size_t size = c->in.size < c->body_left ? c->in.size : c->body_left;
    if (size && c->body.size + size <= BODY_KEPT)
        put(&c->body, c->in.at, size);
    if (size)
        drop_front(&c->in, size);
    c->body_left -= size;
}

/* True when the body is complete. Trailers are read as size lines and end at an empty one. */
static bool read_body(struct connection *c)
{
    keep_body(c);
    while (c->chunked && !c->body_left) {
        char *line = c->in.size ? memmem(c->in.at, c->in.size, "\r\n", 2) : NULL;
        if (!line)
            return false;
        bool empty = line == c->in.at;
        if (empty && c->last_chunk) {
            drop_front(&c->in, 2);
            return true;
        }
        if (!empty && !c->last_chunk) {
            c->body_left = strtoul(c->in.at, NULL, 16);
            c->last_chunk = !c->body_left;
        }
        drop_front(&c->in, (size_t)(line - c->in.at) + 2);
        keep_body(c);
    }
    return !c->body_left;
}

/* Answer what has arrived whole, one request after the other. */
static void serve(struct connection *c)
{
    while (c->fd >= 0 && !c->streaming && !c->out.size) {
        if (!c->in_body && !read_head(c))
            return;
        if (!read_body(c))
            return;
        c->in_body = false;
        answer(c);
    }
}

static void receive(struct connection *c)
{
    static char buffer[64 << 10];
    ssize_t got = recv(c->fd, buffer, sizeof buffer, 0);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
        hang_up(c); /* a client that leaves frees its slot, as at the nodes we imitate */
    } else if (got > 0) {
        put(&c->in, buffer, (size_t)got);
        serve(c);
    }
}

static void flush(struct connection *c)
{
    ssize_t sent = send(c->fd, c->out.at, c->out.size, MSG_NOSIGNAL);
    if (sent < 0) {
        if (errno != EAGAIN && errno != EINTR)
            hang_up(c);
        return;
    }
    drop_front(&c->out, (size_t)sent);
    if (c->out.size)
        return;
    c->want_write = false;
    watch(epoll, EPOLL_CTL_MOD, c->fd, EPOLLIN, c);
    if (!c->streaming && c->close_after)
        hang_up(c);
    else
        serve(c);
}

static void accept_all(int listener)
{
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        set_nodelay(fd);
        struct connection *c = must(calloc(1, sizeof *c));
        c->fd = fd;
        c->place = IDLE;
        watch(epoll, EPOLL_CTL_ADD, fd, EPOLLIN, c);
    }
}

/* --- the loop --------------------------------------------------------------------------------- */

static void wait_and_serve(int listener)
{
    struct epoll_event ready[256];
    uint64_t until = heap_size ? heap[0]->due : UINT64_MAX;
    if (heap_size && flags.tick)
        until += flags.tick - 1 - (until + flags.tick - 1) % flags.tick;
    int count = wait_until(epoll, ready, 256, until);
    for (int i = 0; i < count; i++) {
        struct connection *c = ready[i].data.ptr;
        if (!c) {
            accept_all(listener);
            continue;
        }
        if (c->fd >= 0 && ready[i].events & EPOLLOUT)
            flush(c);
        if (c->fd >= 0 && ready[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
            receive(c);
    }
    uint64_t now = now_ns();
    while (heap_size && heap[0]->due <= now && now >= until)
        send_event(heap[0]);
    bury();
}

static char *content_of(const char *path)
{
    struct bytes all = {0};
    char piece[64 << 10];
    FILE *file = fopen(path, "r");
    if (!file)
        die("cannot read %s: %s", path, strerror(errno));
    for (size_t size; (size = fread(piece, 1, sizeof piece, file));)
        put(&all, piece, size);
    fclose(file);
    put(&all, "", 1);
    return all.at;
}

static void read_flags(int argc, char **argv)
{
    static const struct option options[] = {
        {"port", 1, 0, 'p'},  {"rate", 1, 0, 'r'},    {"size", 1, 0, 's'},  {"events", 1, 0, 'n'},
        {"seconds", 1, 0, 't'}, {"fault", 1, 0, 'f'}, {"every", 1, 0, 'k'},
        {"seconds-most", 1, 0, 'm'}, {"tick-us", 1, 0, 'w'},
        {"embeddings", 1, 0, 'e'}, {0}};
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (c) {
        case 'p': flags.port = (int)number("port", optarg, 0); break;
        case 'r': flags.rate = number("rate", optarg, 0.001); break;
        case 's': flags.size = (size_t)number("size", optarg, 1); break;
        case 'n': flags.events = (uint64_t)number("events", optarg, 0); break;
        case 't': flags.seconds = number("seconds", optarg, 0); break;
        case 'm': flags.seconds_most = number("seconds-most", optarg, 0); break;
        case 'k': flags.every = (uint64_t)number("every", optarg, 1); break;
        case 'w': flags.tick = (uint64_t)(number("tick-us", optarg, 0) * 1e3); break;
        case 'e': flags.embeddings = content_of(optarg); break;
        case 'f':
            for (flags.fault = NONE; strcmp(fault_names[flags.fault], optarg); flags.fault++)
                if (flags.fault == REFUSE)
                    die("--fault: none, lose, duplicate, reorder, merge, cut, stall or refuse");
            break;
        default:
            die("usage: node [--port P] [--rate EVENTS/S] [--size BYTES] [--events N] "
                "[--seconds T [--seconds-most T]] [--tick-us U] [--fault KIND --every K] "
                "[--embeddings FILE]");
        }
    }
}

int main(int argc, char **argv)
{
    read_flags(argc, argv);
    start_engine();
    period = (uint64_t)(1e9 / flags.rate);
    make_templates();
    epoll = epoll_create1(EPOLL_CLOEXEC);
    int listener = listen_on(flags.port);
    watch(epoll, EPOLL_CTL_ADD, listener, EPOLLIN, NULL);
    while (!told_to_stop)
        wait_and_serve(listener);
    printf("{\"requests\": %" PRIu64 ", \"streams\": %" PRIu64 ", \"events\": %" PRIu64
           ", \"event_bytes\": %zu, \"cpu_ns\": %" PRIu64 "}\n",
           requests, streams, events_sent, templates[OPENAI].size, cpu_ns());
    return 0;
}
