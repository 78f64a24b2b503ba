/* What control groups allow, read from files that look like those of several systems. */
#define _GNU_SOURCE
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shm/port/cgroup.h"
#include "tests/harness/ranks.h"

#define MIB (1024ULL * 1024)

static char root[64];

static void make_root(void)
{
    snprintf(root, sizeof root, "/tmp/muster-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(root));
}

static void remove_root(void)
{
    char command[100];

    snprintf(command, sizeof command, "rm -rf %s", root);
    ck_assert_int_eq(system(command), 0);
}

/* Writes a file below the root, with the folders on the way. */
static void put(const char *path, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void put(const char *path, const char *format, ...)
{
    char whole[300];
    va_list args;

    snprintf(whole, sizeof whole, "%s%s", root, path);
    for (char *at = whole + strlen(root) + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = '\0';
        mkdir(whole, 0700);
        *at = '/';
    }
    FILE *file = fopen(whole, "we");
    ck_assert_ptr_nonnull(file);
    va_start(args, format);
    vfprintf(file, format, args);
    va_end(args);
    ck_assert_int_eq(fclose(file), 0);
}

static void expect(uint64_t left, uint64_t limit, const char *group)
{
    mst_cgroup_memory memory;

    mst_cgroup_memory_get(root, UINT64_MAX, &memory);
    ck_assert_msg(memory.left_bytes == left && memory.limit_bytes == limit && !strcmp(memory.group, group),
                  "%llu of %llu left in \"%s\", not %llu of %llu in \"%s\"",
                  (unsigned long long)memory.left_bytes, (unsigned long long)memory.limit_bytes, memory.group,
                  (unsigned long long)left, (unsigned long long)limit, group);
}

START_TEST(test_nothing_there)
{
    expect(UINT64_MAX, UINT64_MAX, "");
    ck_assert_int_eq(mst_cgroup_memory_kills(root), 0);
    ck_assert_int_eq(mst_cgroup_cpus(root), INT_MAX);
}
END_TEST

START_TEST(test_unified)
{
    mst_cgroup_memory memory;

    put("/proc/self/cgroup", "0::/a.slice/b:1.service\n"); /* names may have colons */
    put("/sys/fs/cgroup/a.slice/memory.max", "max\n");
    put("/sys/fs/cgroup/a.slice/memory.current", "%llu\n", 900 * MIB);
    put("/sys/fs/cgroup/a.slice/b:1.service/memory.max", "max\n");
    put("/sys/fs/cgroup/a.slice/b:1.service/memory.current", "%llu\n", 300 * MIB);
    expect(UINT64_MAX, UINT64_MAX, "");
    put("/sys/fs/cgroup/a.slice/b:1.service/memory.max", "%llu\n", 512 * MIB);
    expect(212 * MIB, 512 * MIB, "/a.slice/b:1.service");
    put("/sys/fs/cgroup/a.slice/memory.max", "%llu\n", 1000 * MIB); /* above, and tighter */
    expect(100 * MIB, 1000 * MIB, "/a.slice");
    mst_cgroup_memory_get(root, 50 * MIB, &memory);
    ck_assert_msg(memory.left_bytes == 100 * MIB, "%llu", (unsigned long long)memory.left_bytes);
    /* What is cached of files is given up first; memory of the arena is among the anonymous. */
    put("/sys/fs/cgroup/a.slice/memory.stat",
        "anon %llu\nfile %llu\nshmem 1\ninactive_anon 5\nactive_anon 6\ninactive_file %llu\nactive_file "
        "%llu\n"
        "unevictable 0\nslab_reclaimable %llu\nslab 9\n",
        100 * MIB, 700 * MIB, 30 * MIB, 20 * MIB, 10 * MIB);
    expect(160 * MIB, 1000 * MIB, "/a.slice");
    /* And what can be swapped out. */
    put("/proc/meminfo", "MemFree: 17 kB\nSwapFree: %llu kB\n", 8 * 1024ULL);
    expect(168 * MIB, 1000 * MIB, "/a.slice");
    put("/sys/fs/cgroup/a.slice/memory.swap.max", "%llu\n", 6 * MIB);
    put("/sys/fs/cgroup/a.slice/memory.swap.current", "%llu\n", 5 * MIB);
    expect(161 * MIB, 1000 * MIB, "/a.slice");
    put("/sys/fs/cgroup/a.slice/memory.current", "%llu\n", 5000 * MIB); /* lowered below what is used */
    put("/sys/fs/cgroup/a.slice/memory.swap.current", "%llu\n", 6 * MIB);
    expect(0, 1000 * MIB, "/a.slice");
    ck_assert_int_eq(mst_cgroup_memory_kills(root), 0);
    put("/sys/fs/cgroup/a.slice/b:1.service/memory.events",
        "low 0\nhigh 0\nmax 17\noom 3\noom_kill 2\noom_group_kill 0\n");
    ck_assert_int_eq(mst_cgroup_memory_kills(root), 2);
}
END_TEST

START_TEST(test_legacy)
{
    put("/proc/self/cgroup", "12:cpu,cpuacct:/x\n4:memory:/docker/4f2e\n1:name=systemd:/\n0::/\n");
    put("/sys/fs/cgroup/memory/docker/memory.limit_in_bytes", "9223372036854771712\n"); /* says: none */
    put("/sys/fs/cgroup/memory/docker/memory.usage_in_bytes", "%llu\n", 500 * MIB);
    put("/sys/fs/cgroup/memory/docker/4f2e/memory.limit_in_bytes", "%llu\n", 120 * MIB);
    put("/sys/fs/cgroup/memory/docker/4f2e/memory.usage_in_bytes", "%llu\n", 100 * MIB);
    put("/sys/fs/cgroup/memory/docker/4f2e/memory.stat",
        "active_file 7\ninactive_file 7\ntotal_inactive_file %llu\ntotal_active_file %llu\n", 10 * MIB,
        5 * MIB);
    expect(35 * MIB, 120 * MIB, "/docker/4f2e");
    put("/proc/meminfo", "SwapFree: %llu kB\n", 100 * 1024ULL);
    expect(135 * MIB, 120 * MIB, "/docker/4f2e");
    put("/sys/fs/cgroup/memory/docker/4f2e/memory.memsw.limit_in_bytes", "%llu\n", 130 * MIB);
    put("/sys/fs/cgroup/memory/docker/4f2e/memory.memsw.usage_in_bytes", "%llu\n", 101 * MIB);
    expect(44 * MIB, 120 * MIB, "/docker/4f2e");
    put("/sys/fs/cgroup/memory/docker/4f2e/memory.oom_control",
        "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n");
    ck_assert_int_eq(mst_cgroup_memory_kills(root), 3);
}
END_TEST

/* A container sees the host's path, and its own group at the mount. */
START_TEST(test_container)
{
    put("/proc/self/cgroup", "4:memory:/docker/4f2e\n");
    put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "%llu\n", 64 * MIB);
    put("/sys/fs/cgroup/memory/memory.usage_in_bytes", "%llu\n", 4 * MIB);
    put("/sys/fs/cgroup/memory/memory.oom_control", "oom_kill 1\n");
    expect(60 * MIB, 64 * MIB, "/");
    ck_assert_int_eq(mst_cgroup_memory_kills(root), 1);
    put("/proc/self/cgroup", "0::/\n");
    put("/sys/fs/cgroup/memory.max", "%llu\n", 32 * MIB);
    put("/sys/fs/cgroup/memory.current", "%llu\n", 2 * MIB);
    expect(30 * MIB, 32 * MIB, "/");
}
END_TEST

START_TEST(test_cpus)
{
    put("/proc/self/cgroup", "0::/a/b\n");
    put("/sys/fs/cgroup/a/cpu.max", "150000 100000\n");
    put("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
    ck_assert_int_eq(mst_cgroup_cpus(root), 2);
    ck_assert(mst_cgroup_quota(root) == 1.5);
    put("/sys/fs/cgroup/a/b/cpu.max", "100000 100000\n");
    ck_assert_int_eq(mst_cgroup_cpus(root), 1);
    put("/proc/self/cgroup", "3:cpu,cpuacct:/\n");
    put("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
    put("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    ck_assert_int_eq(mst_cgroup_cpus(root), INT_MAX);
    ck_assert(mst_cgroup_quota(root) == 0);
    put("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "310000\n");
    ck_assert_int_eq(mst_cgroup_cpus(root), 4);
}
END_TEST

START_TEST(test_machine)
{
    ck_assert_uint_eq(mst_machine_memory_left(root), UINT64_MAX);
    put("/proc/meminfo",
        "MemTotal: 4096 kB\nMemFree: 100 kB\nMemAvailable: 1024 kB\nSwapTotal: 9 kB\nSwapFree: 8 kB\n");
    ck_assert_uint_eq(mst_machine_memory_left(root), 1032 * 1024);
    put("/proc/spl/kstat/zfs/arcstats", "9 1 0x01 2\nname type data\nc_min 4 1000\nsize 4 5096\n");
    ck_assert_uint_eq(mst_machine_memory_left(root), 1032 * 1024 + 4096);
    put("/proc/meminfo", "MemTotal: 4096 kB\nMemFree: 100 kB\n");
    ck_assert_uint_eq(mst_machine_memory_left(root), UINT64_MAX);
}
END_TEST

/* Lines, numbers and paths that no kernel writes: no limit, or one, and nothing worse. */
START_TEST(test_nonsense)
{
    mst_cgroup_memory memory;
    char path[2001];

    memset(path, 'p', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    put("/proc/self/cgroup", "\n:\n::\n4:memory\nmemory\n0::\n0::/%s\n4:memory:%s\n", path, path);
    put("/sys/fs/cgroup/memory.max", "-5\n");
    put("/sys/fs/cgroup/memory.current", "nothing\n");
    mst_cgroup_memory_get(root, UINT64_MAX, &memory);
    mst_cgroup_memory_kills(root);
    mst_cgroup_cpus(root);
    put("/proc/self/cgroup", "0::/../..\n");
    mst_cgroup_memory_get(root, UINT64_MAX, &memory);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cgroup");
    TCase *tests = tcase_create("cgroup");

    tcase_set_timeout(tests, TEST_TIMEOUT_S);
    tcase_add_checked_fixture(tests, make_root, remove_root);
    tcase_add_test(tests, test_nothing_there);
    tcase_add_test(tests, test_unified);
    tcase_add_test(tests, test_legacy);
    tcase_add_test(tests, test_container);
    tcase_add_test(tests, test_cpus);
    tcase_add_test(tests, test_machine);
    tcase_add_test(tests, test_nonsense);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
