/* Runs a command pinned to a core and tied to its parent: a bench that is killed leaves nothing
 * behind that still makes load. tether CORE|- PARENT COMMAND… */
#include "common.h"
#include <sched.h>

int main(int argc, char **argv)
{
    if (argc < 4)
        die("usage: tether CORE|- PARENT COMMAND…");
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != (pid_t)number("PARENT", argv[2], 1))
        return 1; /* it died before the signal was ordered */
    if (strcmp(argv[1], "-")) {
        cpu_set_t cores;
        CPU_ZERO(&cores);
        CPU_SET((size_t)number("CORE", argv[1], 0), &cores);
        if (sched_setaffinity(0, sizeof cores, &cores))
            die("cannot run on core %s: %s", argv[1], strerror(errno));
    }
    execvp(argv[3], argv + 3);
    die("cannot run %s: %s", argv[3], strerror(errno));
}
