/* The front of every compiled Java program, with the program's archive behind it in the same file.
 *
 * Guarantee: what is executed, cached, sealed and passed by descriptor is one file, as for any compiled language; the
 * virtual machine reads the archive through a descriptor of that file and may use as much memory as the job.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* `confine.ADDRESS_SPACE_SLACK_BYTES` */
#define SLACK (16LL << 30)
#define LEAST_HEAP (16LL << 20)
#define UNLIMITED_HEAP (512LL << 20)

int main(int count, char **arguments)
{
    int self = open("/proc/self/exe", O_RDONLY);
    struct rlimit space;
    if (self < 0 || getrlimit(RLIMIT_AS, &space) != 0) {
        perror("the Java program could not be started");
        return 127;
    }
    long long heap = space.rlim_cur == RLIM_INFINITY ? UNLIMITED_HEAP : (long long)space.rlim_cur - SLACK;
    if (heap < LEAST_HEAP)
        heap = LEAST_HEAP;
    char most[32], archive[32];
    snprintf(most, sizeof most, "-Xmx%lldk", heap >> 10);
    snprintf(archive, sizeof archive, "/proc/self/fd/%d", self);
    /* One processor's worth of helper threads; deep recursion is ordinary in contest solutions. */
    char *fixed[] = {"java", most, "-Xss64m", "-XX:+UseSerialGC", "-XX:ActiveProcessorCount=1", "-XX:-UsePerfData",
                     "-Xshare:auto", "-jar", archive};
    size_t length = sizeof fixed / sizeof *fixed;
    char **all = calloc(length + (size_t)count + 1, sizeof *all);
    if (all == NULL)
        return 127;
    memcpy(all, fixed, sizeof fixed);
    for (int i = 1; i < count; i++)
        all[length + (size_t)i - 1] = arguments[i];
    execv("/usr/bin/java", all);
    perror("the Java program could not be started");
    return 127;
}
