/* Many clients in one loop: opens streams, checks every event, measures when it came.
 *
 * Reads chunked, sized and close-delimited replies, splits them into SSE frames and looks for the
 * mark that node.c puts into its events. From the marks it tells lost, duplicated, reordered,
 * crossed and merged-late events, and how much later than sent each one arrived. Streams without
 * marks are counted and timed all the same. Prints JSON on stdout, progress on stderr.
 *
 * The time of arrival is the kernel's, taken when the bytes reached the socket. So this program
 * may read in batches, which makes it cheap, and its own delays never count as the relay's. */
#include "common.h"

#define HEAD_LIMIT (64 << 10)
#define CARRY_LIMIT (16 << 20)
#define RETRY_AFTER (SECOND / 10)
#define READ (EPOLLIN | EPOLLRDHUP | EPOLLET)
#define ENDED (EPOLLRDHUP | EPOLLHUP | EPOLLERR)

enum state { CLOSED, CONNECTING, SENDING, HEAD, BODY };
enum framing { CHUNKED, SIZED, UNTIL_CLOSE };
enum part { SIZE, EXTENSION, DATA, DATA_END, TRAILER };

enum error {
    E_CONNECT, E_RESET, E_STATUS, E_TRUNCATED, E_UNFINISHED, E_MALFORMED, E_ERROR_EVENT,
    E_NOT_A_STREAM, E_SILENT, ERRORS
};
static const char *const error_names[ERRORS] = {
    "connect",   "reset",       "status",       "truncated", "unfinished",
    "malformed", "error_event", "not_a_stream", "silent",
};

static struct {
    const char *host, *port, *path, *body;
    struct bytes headers, request;
    size_t streams, body_size;
    double arrivals, seconds, idle;
    uint64_t merge, batch;
    bool once, unary, control, progress;
} flags = {.host = "127.0.0.1", .path = "/", .body = "", .streams = 1, .arrivals = 500,
           .merge = 5000000, .batch = 1000000};

struct stream {
    int fd;
    enum state state;
    uint64_t due, asked, touched, arrived; /* arrived: of the event before */
    bool reused, answered;
    size_t sent;
    struct bytes in; /* a head, or the start of an SSE frame, that is not complete */
    /* Framing of the reply. */
    enum framing framing;
    enum part part;
    uint64_t left, line;
    bool close_after, sse;
    int status;
    /* The events: what was seen of the last 64 numbers below `next`, lowest bit first. */
    bool marked, ended;
    uint64_t id, next, seen, count, told, mark_time;
    size_t usual;
};

/* Log-linear: 64 steps per power of two, so a value is kept within 1.6 %. */
#define STEPS 64
#define BUCKETS (STEPS * 42)
struct histogram { uint64_t count[BUCKETS]; };
static struct histogram added, gaps, first_byte, first_event, replies;

static struct {
    uint64_t opened, reconnects, finished, left, events, marked, bytes, reads;
    uint64_t lost, duplicated, reordered, crossed, merged, merged_late, late_passes;
    uint64_t errors[ERRORS], statuses[600];
    size_t open;
} total;

static struct stream *all;
static struct addrinfo *target;
static uint64_t started, waited, waited_before; /* when the last waits for events ended */
static int64_t clock_offset; /* CLOCK_MONOTONIC less CLOCK_REALTIME, in which the kernel stamps */
static size_t arrived_streams, done_streams;
static int epoll;

/* --- results ---------------------------------------------------------------------------------- */

static void record(struct histogram *h, uint64_t value)
{
    size_t at = value;
    if (value >= STEPS) {
        int shift = 57 - __builtin_clzll(value);
        at = (size_t)(shift + 1) * STEPS + (size_t)(value >> shift) - STEPS;
    }
    h->count[at < BUCKETS ? at : BUCKETS - 1]++;
}

static void print_histogram(const char *name, const struct histogram *h)
{
    const char *comma = "";
    printf(", \"%s\": [", name);
    for (size_t at = 0; at < BUCKETS; at++) {
        if (!h->count[at])
            continue;
        uint64_t shift = at < STEPS ? 0 : at / STEPS - 1;
        uint64_t low = at < STEPS ? at : (at % STEPS + STEPS) << shift;
        printf("%s[%" PRIu64 ",%" PRIu64 "]", comma, low + ((UINT64_C(1) << shift) >> 1),
               h->count[at]);
        comma = ",";
    }
    printf("]");
}

static void print_totals(bool final)
{
    printf("{\"final\": %s, \"clock_ns\": %" PRIu64 ", \"seconds\": %.6f, \"cpu_ns\": %" PRIu64,
           final ? "true" : "false", now_ns(), (double)(now_ns() - started) / 1e9, cpu_ns());
    printf(", \"streams\": %zu, \"open\": %zu", flags.streams, total.open);
#define COUNT(name) printf(", \"" #name "\": %" PRIu64, total.name)
    COUNT(opened); COUNT(reconnects); COUNT(finished); COUNT(left); COUNT(events); COUNT(marked);
    COUNT(bytes); COUNT(reads); COUNT(lost); COUNT(duplicated); COUNT(reordered); COUNT(crossed);
    COUNT(merged); COUNT(merged_late); COUNT(late_passes);
    printf(", \"errors\": {");
    for (int i = 0, n = 0; i < ERRORS; i++)
        if (total.errors[i])
            printf("%s\"%s\": %" PRIu64, n++ ? ", " : "", error_names[i], total.errors[i]);
    printf("}, \"statuses\": {");
    for (int i = 0, n = 0; i < 600; i++)
        if (total.statuses[i])
            printf("%s\"%d\": %" PRIu64, n++ ? ", " : "", i, total.statuses[i]);
    printf("}");
    print_histogram("added", &added);
    print_histogram("gap", &gaps);
    print_histogram("first_byte", &first_byte);
    print_histogram("first_event", &first_event);
    print_histogram("reply", &replies);
    printf("}\n");
    fflush(stdout);
}

/* --- the life of a stream --------------------------------------------------------------------- */

static void ask(struct stream *s);

static void shut(struct stream *s)
{
    if (s->state == CLOSED)
        return;
    close(s->fd);
    s->state = CLOSED;
    s->in.size = 0;
    total.open--;
}

static void retire(struct stream *s, uint64_t pause)
{
    shut(s);
    if (flags.once)
        done_streams++;
    s->due = flags.once ? UINT64_MAX : now_ns() + pause;
}

static void fail(struct stream *s, enum error error)
{
    /* A kept connection may be closed while the next request is on its way: ask anew. */
    if (s->reused && !s->answered && error == E_RESET) {
        total.reconnects++;
        shut(s);
        s->due = 0;
        return;
    }
    total.errors[error]++;
    retire(s, RETRY_AFTER);
}

static void open_stream(struct stream *s)
{
    s->due = UINT64_MAX;
    s->fd = socket(target->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s->fd < 0)
        die("no more sockets: %s", strerror(errno));
    total.open++;
    s->state = CONNECTING;
    s->reused = false;
    s->asked = s->touched = now_ns();
    int on = 1;
    set_nodelay(s->fd);
    setsockopt(s->fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    if (connect(s->fd, target->ai_addr, target->ai_addrlen) && errno != EINPROGRESS) {
        fail(s, E_CONNECT);
        return;
    }
    watch(epoll, EPOLL_CTL_ADD, s->fd, READ | EPOLLOUT, s);
}

/* Send the request, or what is left of it. */
static void ask(struct stream *s)
{
    if (s->state != SENDING) {
        s->state = SENDING;
        s->sent = s->in.size = s->usual = 0;
        s->answered = s->marked = s->ended = false;
        s->next = s->seen = s->count = s->told = s->mark_time = s->arrived = 0;
    }
    ssize_t sent = send(s->fd, flags.request.at + s->sent, flags.request.size - s->sent,
                        MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        fail(s, E_RESET);
        return;
    }
    s->sent += sent < 0 ? 0 : (size_t)sent;
    bool all_sent = s->sent == flags.request.size;
    if (all_sent) {
        s->state = HEAD;
        total.opened++;
    }
    watch(epoll, EPOLL_CTL_MOD, s->fd, all_sent ? READ : READ | EPOLLOUT, s);
}

/* The reply is complete, and so framed that its end is sure. */
static void finish(struct stream *s)
{
    bool ok = s->status == 200;
    if (s->told && s->marked && s->told > s->next)
        total.lost += s->told - s->next;
    if (!ok)
        total.errors[E_STATUS]++;
    else if (!flags.unary && s->sse && !s->ended)
        total.errors[E_UNFINISHED]++, ok = false;
    else if (!flags.unary && !s->sse)
        total.errors[E_NOT_A_STREAM]++, ok = false;
    if (ok) {
        total.finished++;
        record(&replies, now_ns() - s->asked);
    }
    if (flags.once || s->close_after || s->framing == UNTIL_CLOSE || !ok) {
        retire(s, ok ? 0 : RETRY_AFTER);
        return;
    }
    s->reused = true;
    s->asked = now_ns();
    ask(s);
}

/* --- events ----------------------------------------------------------------------------------- */

static uint64_t get_hex(const char *from, int digits)
{
    uint64_t value = 0;
    for (int i = 0; i < digits; i++)
        value = value << 4 | (uint64_t)(from[i] <= '9' ? from[i] - '0' : (from[i] | 32) - 'a' + 10);
    return value;
}

static void check_order(struct stream *s, uint64_t seq)
{
    if (seq >= s->next) { /* what lies between is lost, unless it comes later */
        uint64_t skipped = seq - s->next;
        total.lost += skipped;
        s->seen = skipped + 1 < 64 ? s->seen << (skipped + 1) : 0;
        s->seen |= 1;
        s->next = seq + 1;
        return;
    }
    uint64_t back = s->next - 1 - seq;
    if (back >= 64 || s->seen >> back & 1) {
        total.duplicated++;
    } else {
        s->seen |= UINT64_C(1) << back;
        total.reordered++;
        total.lost--;
    }
}

static void take_mark(struct stream *s, const char *mark, uint64_t now)
{
    uint64_t id = get_hex(mark + MARK_STREAM, 8), sent = get_hex(mark + MARK_TIME, 16);
    total.marked++;
    if (!s->marked)
        s->id = id;
    else if (id != s->id)
        total.crossed++;
    s->marked = true;
    check_order(s, get_hex(mark + MARK_SEQ, 8));
    record(&added, now > sent ? now - sent : 0);
    if (s->mark_time && s->arrived == now) { /* came in one read with the event before it */
        total.merged++;
        /* What is read now came since the wait before. If that was a moment ago, events sent
         * further apart were held back on their way; else it may be this program that was late. */
        if (sent > s->mark_time + flags.merge && now_ns() - waited_before < flags.merge)
            total.merged_late++;
    }
    s->mark_time = sent;
}

static bool holds(const char *frame, size_t size, const char *what)
{
    return memmem(frame, size, what, strlen(what)) != NULL;
}

/* Ends, counts and errors, in whatever protocol. */
static void look_closely(struct stream *s, const char *frame, size_t size)
{
    static const char *const ends[] = {"[DONE]", "message_stop", "\"finishReason\""};
    static const char *const counts[] = {"\"completion_tokens\":", "\"output_tokens\":",
                                         "\"candidatesTokenCount\":"};
    for (size_t i = 0; i < 3; i++) {
        s->ended |= holds(frame, size, ends[i]);
        char *at = memmem(frame, size, counts[i], strlen(counts[i]));
        if (at && s->marked)
            s->told = strtoull(at + strlen(counts[i]), NULL, 10);
    }
    if (holds(frame, size < 64 ? size : 64, "event: error") || holds(frame, size < 24 ? size : 24,
                                                                     "\"error\""))
        total.errors[E_ERROR_EVENT]++;
}

static void take_frame(struct stream *s, const char *frame, size_t size, uint64_t now)
{
    if (size < 6)
        return;
    if (memcmp(frame, "data:", 5) && !holds(frame, size < 256 ? size : 256, "data:"))
        return; /* a comment, or nothing */
    total.events++;
    char *mark = memmem(frame, size, MARK, strlen(MARK));
    const char *end = frame + size;
    if (mark && end - mark >= MARK_SIZE)
        take_mark(s, mark, now);
    if (s->arrived)
        record(&gaps, now - s->arrived);
    else
        record(&first_event, now - s->asked);
    s->arrived = now;
    /* Paced events are of one size; whatever is not may hold a second mark, an end, an error. */
    if (mark && size == s->usual)
        return;
    if (mark)
        s->usual = size;
    while (mark && (mark = memmem(mark + 1, (size_t)(end - mark - 1), MARK, strlen(MARK))))
        if (end - mark >= MARK_SIZE)
            take_mark(s, mark, now);
    look_closely(s, frame, size);
}

/* Split off whole frames; the rest waits in s->in. */
static void take_payload(struct stream *s, const char *from, size_t size, uint64_t now)
{
    if (s->in.size) {
        put(&s->in, from, size);
        from = s->in.at, size = s->in.size;
    }
    const char *start = from, *at = from, *end = from + size;
    while (at < end && (at = memchr(at, '\n', (size_t)(end - at)))) {
        at++;
        if (at < end && *at == '\r')
            at++;
        if (at < end && *at == '\n') {
            take_frame(s, start, (size_t)(at - start), now);
            start = ++at;
        }
    }
    size = (size_t)(end - start);
    if (from == s->in.at && from)
        drop_front(&s->in, s->in.size - size);
    else
        put(&s->in, start, size);
    if (s->in.size > CARRY_LIMIT)
        fail(s, E_MALFORMED);
}

/* --- framing ---------------------------------------------------------------------------------- */

static struct bytes payload; /* of one read, without chunk framing */

/* False: malformed. s->part is TRAILER with s->line 0 and `done` set at the end of the message. */
static bool unchunk(struct stream *s, const char *at, const char *end, bool *done)
{
    while (at < end && !*done) {
        if (s->part == DATA) {
            size_t size = (size_t)(end - at) < s->left ? (size_t)(end - at) : s->left;
            put(&payload, at, size);
            at += size;
            s->left -= size;
            if (!s->left)
                s->part = DATA_END;
            continue;
        }
        char c = *at++;
        if (c == '\n') {
            if (s->part == DATA_END) {
                s->part = SIZE;
            } else if (s->part == TRAILER) {
                *done = !s->line;
            } else {
                if (!s->line)
                    return false;
                s->part = s->left ? DATA : TRAILER;
            }
            s->line = 0;
        } else if (s->part == SIZE) {
            char low = (char)(c | 32);
            if ((c >= '0' && c <= '9') || (low >= 'a' && low <= 'f'))
                s->left = s->left << 4 | get_hex(&c, 1), s->line++;
            else if (s->line && (c == ';' || c == '\r' || c == ' '))
                s->part = EXTENSION;
            else
                return false;
        } else if (c != '\r') {
            if (s->part == DATA_END)
                return false;
            s->line++;
        }
    }
    return at == end;
}

static void take_body(struct stream *s, const char *from, size_t size, uint64_t now)
{
    bool done = false;
    if (s->framing == CHUNKED) {
        payload.size = 0;
        if (!unchunk(s, from, from + size, &done)) {
            fail(s, E_MALFORMED);
            return;
        }
        from = payload.at, size = payload.size;
    } else if (s->framing == SIZED) {
        if (size > s->left) {
            fail(s, E_MALFORMED);
            return;
        }
        s->left -= size;
        done = !s->left;
    }
    if (size && s->sse && s->status == 200 && !flags.unary)
        take_payload(s, from, size, now);
    if (done && s->state == BODY)
        finish(s);
}

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

static void take_head(struct stream *s, uint64_t now)
{
    char *end = memmem(s->in.at, s->in.size, "\r\n\r\n", 4);
    if (!end) {
        if (s->in.size > HEAD_LIMIT)
            fail(s, E_MALFORMED);
        return;
    }
    end[2] = 0;
    if (sscanf(s->in.at, "HTTP/1.%*1d %3d", &s->status) != 1 || s->status < 100
        || s->status > 599) {
        fail(s, E_MALFORMED);
        return;
    }
    const char *coding = header(s->in.at, "transfer-encoding");
    const char *length = header(s->in.at, "content-length");
    const char *type = header(s->in.at, "content-type");
    const char *wish = header(s->in.at, "connection");
    s->framing = coding && !strncasecmp(coding, "chunked", 7) ? CHUNKED
                 : length                                     ? SIZED
                                                              : UNTIL_CLOSE;
    s->part = SIZE;
    s->line = 0;
    s->left = s->framing == SIZED ? strtoull(length, NULL, 10) : 0;
    s->sse = type && !strncasecmp(type, "text/event-stream", 17);
    s->close_after = wish && !strncasecmp(wish, "close", 5);
    struct bytes rest = {0};
    put(&rest, end + 4, s->in.size - (size_t)(end + 4 - s->in.at));
    s->in.size = 0;
    if (s->status < 200) { /* interim: the real head follows */
        put(&s->in, rest.at, rest.size);
        if (rest.size)
            take_head(s, now);
    } else {
        total.statuses[s->status]++;
        s->state = BODY;
        if (s->framing == SIZED && !s->left)
            finish(s);
        else if (rest.size)
            take_body(s, rest.at, rest.size, now);
    }
    forget(&rest);
}

static void take_end(struct stream *s, bool reset)
{
    if (s->state == CONNECTING)
        fail(s, E_CONNECT);
    else if (s->state != BODY || reset)
        fail(s, E_RESET);
    else if (s->framing == UNTIL_CLOSE && (s->ended || flags.unary || s->status != 200))
        finish(s);
    else
        fail(s, E_TRUNCATED);
}

static uint64_t arrival_time(struct msghdr *message)
{
    struct cmsghdr *c = CMSG_FIRSTHDR(message);
    if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_TIMESTAMPNS)
        return now_ns();
    struct timespec t;
    memcpy(&t, CMSG_DATA(c), sizeof t);
    return (uint64_t)((int64_t)t.tv_sec * (int64_t)SECOND + t.tv_nsec + clock_offset);
}

/* True: there may be more to read. */
static bool receive(struct stream *s)
{
    static char buffer[64 << 10];
    static char stamp[CMSG_SPACE(sizeof(struct timespec))];
    struct iovec into = {buffer, sizeof buffer};
    struct msghdr message = {
        .msg_iov = &into, .msg_iovlen = 1, .msg_control = stamp, .msg_controllen = sizeof stamp};
    ssize_t got = recvmsg(s->fd, &message, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (got <= 0) {
        take_end(s, got < 0);
        return false;
    }
    uint64_t now = arrival_time(&message);
    s->touched = now;
    total.bytes += (uint64_t)got;
    total.reads++;
    if (!s->answered) {
        s->answered = true;
        record(&first_byte, now - s->asked);
    }
    if (s->state == BODY) {
        take_body(s, buffer, (size_t)got, now);
    } else {
        put(&s->in, buffer, (size_t)got);
        take_head(s, now);
    }
    return (size_t)got == sizeof buffer;
}

/* --- the loop --------------------------------------------------------------------------------- */

static uint64_t arrival(size_t index)
{
    return started + (uint64_t)((double)index * 1e9 / flags.arrivals);
}

static void open_due(uint64_t now)
{
    for (size_t i = 0; i < arrived_streams; i++)
        if (all[i].state == CLOSED && all[i].due <= now)
            open_stream(&all[i]);
    while (arrived_streams < flags.streams && arrival(arrived_streams) <= now)
        open_stream(&all[arrived_streams++]);
}

static void look_for_silence(uint64_t now)
{
    for (size_t i = 0; i < arrived_streams; i++)
        if (all[i].state != CLOSED && now - all[i].touched > (uint64_t)(flags.idle * 1e9))
            fail(&all[i], E_SILENT);
}

static void print_progress(uint64_t now)
{
    uint64_t errors = 0;
    for (int i = 0; i < ERRORS; i++)
        errors += total.errors[i];
    fprintf(stderr,
            "{\"seconds\": %.1f, \"open\": %zu, \"events\": %" PRIu64 ", \"finished\": %" PRIu64
            ", \"errors\": %" PRIu64 "}\n",
            (double)(now - started) / 1e9, total.open, total.events, total.finished, errors);
}

/* Any byte on stdin asks for the totals so far; its end asks to stop. */
static void take_command(void)
{
    char bytes[16];
    ssize_t got = read(0, bytes, sizeof bytes);
    if (got == 0)
        told_to_stop = 1;
    for (ssize_t i = 0; i < got; i++)
        print_totals(false);
}

static void take(struct epoll_event *ready, int count)
{
    uint64_t now = now_ns();
    clock_offset = (int64_t)now - (int64_t)clock_ns(CLOCK_REALTIME);
    waited_before = waited;
    waited = now;
    total.late_passes += count > 0 && waited - waited_before > flags.merge;
    for (int i = 0; i < count; i++) {
        struct stream *s = ready[i].data.ptr;
        if (!s)
            take_command();
        else if (s->state == CONNECTING && !(ready[i].events & (EPOLLERR | EPOLLHUP)))
            ask(s);
        else if (s->state == SENDING && ready[i].events & EPOLLOUT)
            ask(s);
        else /* edge-triggered: to the last byte, and to the end where it has come */
            while (s->state != CLOSED && (receive(s) || ready[i].events & ENDED))
                if (s->state < HEAD)
                    break;
    }
}

static void run(void)
{
    enum { ROOM = 1024 };
    static struct epoll_event ready[ROOM];
    uint64_t end = flags.seconds > 0 ? started + (uint64_t)(flags.seconds * 1e9) : UINT64_MAX;
    uint64_t tick = started, second = started + SECOND;
    for (int count = 0; !told_to_stop && done_streams < flags.streams;) {
        uint64_t now = now_ns();
        if (now >= end)
            break;
        if (now >= tick || (arrived_streams < flags.streams && arrival(arrived_streams) <= now)) {
            open_due(now);
            tick = now + SECOND / 250; /* less than --merge-ms: see take_mark */
        }
        if (now >= second) {
            second += SECOND;
            if (flags.progress)
                print_progress(now);
            if (flags.idle > 0)
                look_for_silence(now);
        }
        uint64_t until = tick < end ? tick : end;
        if (arrived_streams < flags.streams && arrival(arrived_streams) < until)
            until = arrival(arrived_streams);
        if (flags.batch && count < ROOM) { /* let more come, to be read in one go */
            struct timespec pause = {0, (long)(flags.batch - now % flags.batch)};
            nanosleep(&pause, NULL);
        }
        count = wait_until(epoll, ready, ROOM, until);
        take(ready, count);
    }
    total.left = total.open;
}

static void make_request(void)
{
    char text[512];
    struct bytes *to = &flags.request;
    const char *verb = flags.body_size ? "POST " : "GET ";
    put(to, verb, strlen(verb));
    put(to, flags.path, strlen(flags.path));
    bool six = strchr(flags.host, ':');
    int size = snprintf(text, sizeof text, " HTTP/1.1\r\nHost: %s%.250s%s:%.10s\r\n", six ? "[" : "",
                        flags.host, six ? "]" : "", flags.port);
    put(to, text, (size_t)size);
    put(to, flags.headers.at, flags.headers.size);
    if (flags.body_size) {
        size = snprintf(text, sizeof text, "Content-Length: %zu\r\n", flags.body_size);
        put(to, text, (size_t)size);
    }
    put(to, "\r\n", 2);
    put(to, flags.body, flags.body_size);
}

static void read_body_file(const char *path)
{
    struct bytes body = {0};
    char piece[4096];
    FILE *file = fopen(path, "rb");
    if (!file)
        die("cannot read %s: %s", path, strerror(errno));
    for (size_t got; (got = fread(piece, 1, sizeof piece, file));)
        put(&body, piece, got);
    fclose(file);
    flags.body = body.at;
    flags.body_size = body.size;
}

static void read_header_file(const char *path)
{
    char line[16 << 10];
    FILE *file = fopen(path, "r");
    if (!file)
        die("cannot read %s: %s", path, strerror(errno));
    while (fgets(line, sizeof line, file)) {
        put(&flags.headers, line, strcspn(line, "\r\n"));
        put(&flags.headers, "\r\n", 2);
    }
    fclose(file);
}

static void read_flags(int argc, char **argv)
{
    static const struct option options[] = {
        {"host", 1, 0, 'h'},    {"port", 1, 0, 'p'},      {"path", 1, 0, 'u'},
        {"headers", 1, 0, 'H'}, {"body", 1, 0, 'b'},      {"body-file", 1, 0, 'B'},
        {"streams", 1, 0, 'n'}, {"arrivals", 1, 0, 'a'},  {"seconds", 1, 0, 't'},
        {"idle", 1, 0, 'i'},    {"merge-ms", 1, 0, 'm'},  {"once", 0, 0, 'o'},
        {"unary", 0, 0, 'y'},   {"control", 0, 0, 'c'},   {"progress", 0, 0, 'g'},
        {"batch-us", 1, 0, 'w'}, {0}};
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (c) {
        case 'h': flags.host = optarg; break;
        case 'p': flags.port = optarg; break;
        case 'u': flags.path = optarg; break;
        case 'H': read_header_file(optarg); break;
        case 'b': flags.body = optarg, flags.body_size = strlen(optarg); break;
        case 'B': read_body_file(optarg); break;
        case 'n': flags.streams = (size_t)number("streams", optarg, 1); break;
        case 'a': flags.arrivals = number("arrivals", optarg, 0.01); break;
        case 't': flags.seconds = number("seconds", optarg, 0); break;
        case 'i': flags.idle = number("idle", optarg, 0); break;
        case 'm': flags.merge = (uint64_t)(number("merge-ms", optarg, 0) * 1e6); break;
        case 'w': flags.batch = (uint64_t)(number("batch-us", optarg, 0) * 1e3); break;
        case 'o': flags.once = true; break;
        case 'y': flags.unary = true; break;
        case 'c': flags.control = true; break;
        case 'g': flags.progress = true; break;
        default:
            die("usage: load --port P [--host H] [--path /…] [--headers FILE] [--body TEXT | "
                "--body-file FILE] [--streams N] [--arrivals PER_S] [--seconds T] [--idle S] "
                "[--merge-ms M] [--batch-us U] [--once] [--unary] [--control] [--progress]");
        }
    }
    if (!flags.port)
        die("load: --port is wanted");
    if (flags.batch >= SECOND)
        die("--batch-us must be less than a second");
    if (flags.unary)
        flags.batch = 0; /* the next request waits for the reply: reading late would slow it */
}

int main(int argc, char **argv)
{
    read_flags(argc, argv);
    start_engine();
    make_request();
    struct addrinfo wanted = {.ai_socktype = SOCK_STREAM};
    int trouble = getaddrinfo(flags.host, flags.port, &wanted, &target);
    if (trouble)
        die("%s: %s", flags.host, gai_strerror(trouble));
    all = must(calloc(flags.streams, sizeof *all));
    epoll = epoll_create1(EPOLL_CLOEXEC);
    if (flags.control)
        watch(epoll, EPOLL_CTL_ADD, 0, EPOLLIN, NULL);
    started = now_ns();
    run();
    print_totals(true);
    return 0;
}
