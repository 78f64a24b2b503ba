/*
 * How ranks meet at a named arena, for meet.h.
 *
 * A rank that finds no object of that name creates it (O_EXCL decides which) and formats it; the others wait
 * until its header is published. Every rank has a shared lock on the object while it uses it, so an object
 * that can be locked exclusively is unused: ranks that died before all had attached left it behind, and it is
 * removed; but only if it has an arena's mark, since the name may be that of a file of the program. A creator
 * whose object was removed between creation and locking notices that it has lost its name, and starts again.
 * Once all ranks have attached, the name is removed (attachment.c), so that nothing is left behind whatever
 * happens later.
 */
#include "shm/arena/meet.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shm/base/error.h"
#include "shm/base/plain.h"
#include "shm/port/os.h"
#include "shm/wait/wait.h"

#define LOOK_AGAIN_NS (2 * MST_NS_PER_MS)

typedef enum meeting { MEETING_AGAIN, MEETING_FOUND, MEETING_FAILED } meeting;

static bool is_linked(int fd)
{
    mst_os_object_info info;

    return mst_os_object_info_get(fd, &info) == 0 && info.linked;
}

/* Removes an unused object. The exclusive lock excludes other removers until fd is closed. */
static void sweep(int fd, const char *name)
{
    mst_os_held held = mst_os_hold(fd);

    if (mst_os_object_has_name(&held, name))
        mst_os_object_unlink(name);
}

/* Explains why an object of that name cannot be created or opened, and what to do. */
static muster_status explain_named(const char *name, int error, const char *verb)
{
    const char *folder = mst_os_object_folder(), *remedy = "fix that";
    muster_status status = MUSTER_ERR_SYSTEM;
    char text[100];

    if (error == -EACCES || error == -EPERM || error == -EROFS) {
        snprintf(text, sizeof text, "make it writable (mount -o remount,rw,mode=1777 %.40s)", folder);
        status = MUSTER_ERR_PERMISSION;
        remedy = text;
    } else if (error == -ENOENT || error == -ENOTDIR) {
        snprintf(text, sizeof text, "mount one (mount -t tmpfs tmpfs %.40s)", folder);
        remedy = text;
    } else if (error == -ENOSPC || error == -EDQUOT) {
        snprintf(text, sizeof text, "delete unneeded files in %.40s", folder);
        status = MUSTER_ERR_NO_SPACE;
        remedy = text;
    } else if (error == -EMFILE || error == -ENFILE) {
        remedy = "raise ulimit -n";
    }
    return mst_fail(
        status,
        "the named arena %s%s cannot be %s: %s; %s, or start the ranks with muster run, which needs no "
        "names",
        folder, name, verb, strerror(-error), remedy);
}

/* The first write: an object without a mark may be any file. If even that exceeds ulimit -f, formatting fails
 * with a message. */
static int mark(int fd)
{
    uint64_t making = MST_MAKING_MAGIC;

    return mst_os_object_bytes_max() < sizeof making ? 0 : mst_os_object_write(fd, 0, &making, sizeof making);
}

static meeting create(const char *name, const mst_arena_plan *plan, int *found, muster_status *status)
{
    int fd = mst_os_object_create_named(name);

    if (fd == -EEXIST)
        return MEETING_AGAIN;
    if (fd < 0) {
        *status = explain_named(name, fd, "created");
        return MEETING_FAILED;
    }
    if (mst_os_object_use(fd, false) < 0 || !is_linked(fd)) { /* removed before we locked it */
        mst_os_close(fd);
        return MEETING_AGAIN;
    }
    int error = mark(fd);
    *status = error ? explain_named(name, error, "created") : mst_arena_format(fd, plan, MST_ARENA_NAMED);
    if (*status != MUSTER_OK) {
        mst_os_object_unlink(name);
        mst_os_close(fd);
        return MEETING_FAILED;
    }
    *found = fd;
    return MEETING_FOUND;
}

static uint64_t mark_of(int fd)
{
    uint64_t mark = 0;

    return mst_os_object_read(fd, 0, &mark, sizeof mark) == 0 ? mark : 0;
}

/* Whether a file is an arena, possibly unfinished, and so ours to remove: one that has just been created is
 * empty, and the mark is written first. */
static bool is_ours(int fd)
{
    mst_os_object_info info;

    if (mst_os_object_info_get(fd, &info) != 0 || !info.regular)
        return false;
    uint64_t mark = mark_of(fd);
    return info.bytes == 0 || mark == MST_MAKING_MAGIC || mark == MST_READY_MAGIC;
}

static meeting check_file(const char *name, int fd, muster_status *status)
{
    mst_os_object_info info;

    if (mst_os_object_info_get(fd, &info) != 0 || !info.mine || !info.private_mode) {
        *status =
            mst_fail(MUSTER_ERR_PERMISSION,
                     "the named arena %s%s belongs to user %u with mode %04o; it must be this user's, mode "
                     "0600: choose another name",
                     mst_os_object_folder(), name, info.owner_uid, info.mode);
        return MEETING_FAILED;
    }
    if (!is_ours(fd)) {
        *status = mst_fail(
            MUSTER_ERR_BAD_ARENA,
            "%s%s exists and is not a muster arena; choose another name, or remove it if it is not needed",
            mst_os_object_folder(), name);
        return MEETING_FAILED;
    }
    return MEETING_FOUND;
}

static meeting join(const char *name, int *found, muster_status *status)
{
    int fd = mst_os_object_open_named(name);

    if (fd == -ENOENT)
        return MEETING_AGAIN;
    if (fd == -EACCES || fd == -ELOOP) {
        *status = mst_fail(MUSTER_ERR_PERMISSION,
                           "the named arena %s%s cannot be opened by this user: %s; choose another name",
                           mst_os_object_folder(), name, strerror(-fd));
        return MEETING_FAILED;
    }
    if (fd < 0) {
        *status = explain_named(name, fd, "opened");
        return MEETING_FAILED;
    }
    meeting outcome = check_file(name, fd, status);
    if (outcome == MEETING_FOUND && mst_os_object_use(fd, true) == 0) {
        sweep(fd, name);
        outcome = MEETING_AGAIN;
    }
    if (outcome == MEETING_FOUND &&
        (mst_os_object_use(fd, false) < 0 || !is_linked(fd) || mark_of(fd) != MST_READY_MAGIC))
        outcome = MEETING_AGAIN;
    if (outcome != MEETING_FOUND)
        mst_os_close(fd);
    else
        *found = fd;
    return outcome;
}

#define NAME_CHARACTERS 250 /* the system's limit is 255 */

static bool is_file_name(const char *name)
{
    return name[0] == '/' && name[1] != '\0' && !strchr(name + 1, '/') && strcmp(name, "/.") != 0 &&
           strcmp(name, "/..") != 0;
}

static muster_status check_name(const char *name)
{
    size_t characters = strlen(name);
    unsigned control = mst_plain_control(name); /* it is shown on terminals */

    if (characters > NAME_CHARACTERS)
        return mst_fail(MUSTER_ERR_INVALID, "an arena name has %zu characters: expected at most %d",
                        characters, NAME_CHARACTERS);
    if (control)
        return mst_fail(MUSTER_ERR_INVALID,
                        "an arena name has the character 0x%02x: expected no control characters", control);
    if (is_file_name(name))
        return MUSTER_OK;
    return mst_fail(MUSTER_ERR_INVALID,
                    "\"%.60s\" is not a valid arena name: expected /NAME with one slash, at the front", name);
}

muster_status mst_arena_meet(const char *name, const mst_arena_plan *plan, mst_deadline *patience,
                             mst_arena **arena)
{
    muster_status status = check_name(name);
    int fd = -1;

    if (status != MUSTER_OK)
        return status;
    for (;;) {
        meeting outcome = join(name, &fd, &status);
        if (outcome == MEETING_AGAIN)
            outcome = create(name, plan, &fd, &status);
        if (outcome == MEETING_FAILED)
            return status;
        if (outcome == MEETING_FOUND)
            break;
        if (mst_deadline_passed(patience))
            return mst_fail(MUSTER_ERR_TIMED_OUT,
                            "the named arena %s%s exists but its creator did not finish it in time; restart "
                            "all ranks, or give them longer with MUSTER_ATTACH_TIMEOUT",
                            mst_os_object_folder(), name);
        mst_wait_nap(patience, LOOK_AGAIN_NS);
    }
    status = mst_arena_map(fd, plan->size, arena);
    if (status != MUSTER_OK) {
        mst_os_close(fd);
        return status;
    }
    snprintf((*arena)->name, sizeof(*arena)->name, "%s", name);
    return MUSTER_OK;
}
