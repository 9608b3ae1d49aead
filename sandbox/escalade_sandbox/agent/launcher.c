/* Starts compiled programs from a process so small that forking it costs a tenth of forking an interpreter.
 *
 * Guarantee: does for a binary what `confine.become_job` and `zygote.main` do for a script, in the same order and over
 * the same socket. The child has no capability, its own session, its limits, and descriptors 0, 1 and 2 only. Whatever
 * fails before the program runs is reported on descriptor 3 as "ERRNO STEP"; only the step "execve" can be its doing.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STDIN, STDOUT, STDERR, FAILURE, PROGRAM, DESCRIPTORS };
enum { CONTROL = 3, MOST_BYTES = 160 * 1024, MOST_STRINGS = 1 << 14 };

/* `runner._LAUNCH` */
struct __attribute__((packed)) request {
    int64_t uid, cpu_s, address_space_bytes, file_bytes, processes, stack_bytes;
    int32_t arguments, variables;
};

/* `zygote.STARTED` and `zygote.ENDED` */
struct __attribute__((packed)) started { char kind; int32_t pid; };
struct __attribute__((packed)) ended { char kind; int32_t status; int64_t cpu_ns, peak_bytes; };

static char buffer[MOST_BYTES + 1];
static char *strings[MOST_STRINGS + 2];

static void fail(const char *step)
{
    char text[128];
    int length = snprintf(text, sizeof text, "%d %s", errno, step);
    if (write(FAILURE, text, (size_t)length) < 0)
        _exit(126);
    _exit(127);
}

static void limit(int resource, int64_t value)
{
    struct rlimit both;
    if (getrlimit((__rlimit_resource_t)resource, &both) != 0)
        fail("getrlimit");
    /* Some runtimes start with lower limits than we would set, and nobody may raise those. */
    if (both.rlim_max == RLIM_INFINITY || (rlim_t)value < both.rlim_max)
        both.rlim_max = (rlim_t)value;
    both.rlim_cur = both.rlim_max;
    if (setrlimit((__rlimit_resource_t)resource, &both) != 0)
        fail("setrlimit");
}

static void limit_stack(int64_t bytes)
{
    struct rlimit now;
    if (getrlimit(RLIMIT_STACK, &now) != 0)
        fail("getrlimit");
    now.rlim_cur = now.rlim_max == RLIM_INFINITY || (rlim_t)bytes < now.rlim_max ? (rlim_t)bytes : now.rlim_max;
    if (setrlimit(RLIMIT_STACK, &now) != 0)
        fail("setrlimit");
}

static void become(const struct request *job, const char *folder, int *descriptors)
{
    setsid();
    for (int i = 0; i < DESCRIPTORS; i++)
        if (descriptors[i] < DESCRIPTORS && (descriptors[i] = fcntl(descriptors[i], F_DUPFD, DESCRIPTORS)) < 0)
            _exit(126);
    for (int i = 0; i < DESCRIPTORS; i++)
        if (dup3(descriptors[i], i, i > STDERR ? O_CLOEXEC : 0) < 0)
            _exit(126);
    if (syscall(SYS_close_range, DESCRIPTORS, ~0U, 0) != 0)
        for (int fd = DESCRIPTORS; fd < 1024; fd++)
            close(fd);
    int adjust = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (adjust >= 0 && (write(adjust, "1000", 4) < 0 || close(adjust) < 0))
        errno = 0; /* refused here and there; the job is then merely not the first to go */
    limit(RLIMIT_CPU, job->cpu_s);
    limit(RLIMIT_AS, job->address_space_bytes);
    limit(RLIMIT_FSIZE, job->file_bytes);
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_NOFILE, 512);
    limit_stack(job->stack_bytes);
    limit(RLIMIT_NPROC, job->processes);
    umask(022);
    gid_t group = (gid_t)job->uid;
    uid_t user = (uid_t)job->uid;
    if (setgroups(0, NULL) != 0 || setresgid(group, group, group) != 0 || setresuid(user, user, user) != 0)
        fail("setresuid");
    if (chdir(folder) != 0)
        fail("chdir");
}

static int receive(int *descriptors)
{
    union { char space[CMSG_SPACE(DESCRIPTORS * sizeof(int))]; struct cmsghdr align; } control;
    struct iovec data = {buffer, MOST_BYTES};
    struct msghdr message = {.msg_iov = &data, .msg_iovlen = 1, .msg_control = control.space,
                             .msg_controllen = sizeof control.space};
    ssize_t length;
    do
        length = recvmsg(CONTROL, &message, MSG_CMSG_CLOEXEC);
    while (length < 0 && errno == EINTR);
    if (length <= 0)
        exit(0);
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
    if (rights == NULL || rights->cmsg_len != CMSG_LEN(DESCRIPTORS * sizeof(int)) || message.msg_flags & MSG_TRUNC)
        exit(1);
    memcpy(descriptors, CMSG_DATA(rights), DESCRIPTORS * sizeof(int));
    buffer[length] = 0;
    return (int)length;
}

static void reply(const void *data, size_t length)
{
    if (send(CONTROL, data, length, MSG_NOSIGNAL) != (ssize_t)length)
        exit(0);
}

int main(void)
{
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    signal(SIGPIPE, SIG_DFL); /* the interpreter that started us ignores these */
    signal(SIGXFSZ, SIG_DFL);
    struct started ready = {'R', getpid()};
    reply(&ready, sizeof ready);
    for (;;) {
        int descriptors[DESCRIPTORS];
        int length = receive(descriptors);
        struct request job;
        if (length < (int)sizeof job)
            return 1;
        memcpy(&job, buffer, sizeof job);
        int wanted = 1 + job.arguments + job.variables, found = 0;
        if (job.arguments < 1 || job.variables < 0 || wanted > MOST_STRINGS)
            return 1;
        for (char *next = buffer + sizeof job; found < wanted && next < buffer + length; next += strlen(next) + 1)
            strings[found++] = next;
        if (found != wanted)
            return 1;
        /* The folder, the arguments, the variables: the last two each end with a null pointer. */
        memmove(strings + 2 + job.arguments, strings + 1 + job.arguments, (size_t)job.variables * sizeof *strings);
        strings[1 + job.arguments] = NULL;
        strings[2 + job.arguments + job.variables] = NULL;
        pid_t child = fork();
        if (child == 0) {
            become(&job, strings[0], descriptors);
            fexecve(PROGRAM, strings + 1, strings + 2 + job.arguments);
            fail("execve");
        }
        for (int i = 0; i < DESCRIPTORS; i++)
            close(descriptors[i]);
        if (child < 0)
            return 1;
        struct started answer = {'S', child};
        reply(&answer, sizeof answer);
        int status;
        struct rusage usage;
        while (wait4(child, &status, 0, &usage) < 0)
            if (errno != EINTR)
                return 1;
        int64_t cpu_us = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000LL + usage.ru_utime.tv_usec +
                         usage.ru_stime.tv_usec;
        struct ended end = {'E', status, cpu_us * 1000, usage.ru_maxrss * 1024LL};
        reply(&end, sizeof end);
    }
}
