/* The floor: the least that a relay in user space can cost. Accepts, connects to the node, and
 * copies both ways with one recv and one send per piece; it knows no HTTP. */
#include "common.h"

struct pair;

/* One direction: what `from` sends goes to `to`; what `to` does not take waits here, and until
 * it has gone nothing more is read. */
struct side {
    int fd;
    struct pair *pair;
    struct side *other;
    struct bytes out;
    uint32_t watched;
};

struct pair {
    struct side client, node;
    bool closed;
    struct pair *next_closed;
};

static int epoll;
static struct sockaddr_in node_place = {.sin_family = AF_INET};
static struct pair *closed;

static void want(struct side *s, uint32_t events)
{
    if (s->watched == events)
        return;
    watch(epoll, EPOLL_CTL_MOD, s->fd, events, s);
    s->watched = events;
}

static void end(struct pair *pair)
{
    if (pair->closed)
        return;
    pair->closed = true;
    close(pair->client.fd);
    close(pair->node.fd);
    forget(&pair->client.out), forget(&pair->node.out);
    pair->next_closed = closed; /* freed after the batch that may still name it */
    closed = pair;
}

static void pass(struct side *from)
{
    static char buffer[64 << 10];
    struct side *to = from->other;
    ssize_t got = recv(from->fd, buffer, sizeof buffer, 0), sent = 0;
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        end(from->pair);
        return;
    }
    if (!to->out.size)
        sent = send(to->fd, buffer, (size_t)got, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) {
        end(from->pair);
        return;
    }
    sent = sent < 0 ? 0 : sent;
    if (sent < got) {
        put(&to->out, buffer + sent, (size_t)(got - sent));
        want(to, to->watched | EPOLLOUT);
        want(from, from->watched & ~(uint32_t)EPOLLIN);
    }
}

static void flush(struct side *to)
{
    ssize_t sent = to->out.size ? send(to->fd, to->out.at, to->out.size, MSG_NOSIGNAL) : 0;
    if (sent < 0) {
        if (errno != EAGAIN && errno != EINTR)
            end(to->pair);
        return;
    }
    if (sent)
        drop_front(&to->out, (size_t)sent);
    if (!to->out.size) {
        want(to, to->watched & ~(uint32_t)EPOLLOUT);
        want(to->other, to->other->watched | EPOLLIN);
    }
}

static void accept_all(int listener)
{
    for (;;) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0)
            return;
        struct pair *pair = must(calloc(1, sizeof *pair));
        struct side *client = &pair->client, *node = &pair->node;
        client->fd = fd;
        node->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (node->fd < 0)
            die("no more sockets: %s", strerror(errno));
        client->pair = node->pair = pair;
        client->other = node;
        node->other = client;
        set_nodelay(fd);
        set_nodelay(node->fd);
        connect(node->fd, (struct sockaddr *)&node_place, sizeof node_place);
        /* The client's bytes wait in the kernel until the node's side can be written. */
        client->watched = 0;
        node->watched = EPOLLIN | EPOLLOUT;
        watch(epoll, EPOLL_CTL_ADD, fd, client->watched, client);
        watch(epoll, EPOLL_CTL_ADD, node->fd, node->watched, node);
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"port", 1, 0, 'p'}, {"to", 1, 0, 't'}, {0}};
    int port = 0, to = 0;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (c == 'p')
            port = (int)number("port", optarg, 0);
        else if (c == 't')
            to = (int)number("to", optarg, 1);
        else
            die("usage: floor [--port P] --to NODEPORT");
    }
    if (!to)
        die("floor: --to is wanted");
    start_engine();
    node_place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    node_place.sin_port = htons((uint16_t)to);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    int listener = listen_on(port);
    watch(epoll, EPOLL_CTL_ADD, listener, EPOLLIN, NULL);
    struct epoll_event ready[256];
    while (!told_to_stop) {
        int count = wait_until(epoll, ready, 256, UINT64_MAX);
        for (int i = 0; i < count; i++) {
            struct side *s = ready[i].data.ptr;
            if (!s)
                accept_all(listener);
            else if (s->pair->closed)
                continue;
            else if (ready[i].events & EPOLLOUT)
                flush(s); /* level-triggered: what is to be read is told again */
            else
                pass(s);
        }
        while (closed) {
            struct pair *next = closed->next_closed;
            free(closed);
            closed = next;
        }
    }
    return 0;
}
