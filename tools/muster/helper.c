/* Forks and looks after the processes of helper.h. */
#define _GNU_SOURCE /* prctl, SIGWINCH */
#include "tools/muster/helper.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static const int passed_on[] = { SIGINT,  SIGTERM,  SIGHUP,  SIGQUIT, SIGUSR1,
                                 SIGUSR2, SIGWINCH, SIGTSTP, SIGCONT };

void helper_list_passed(sigset_t *passed)
{
    sigemptyset(passed);
    for (size_t i = 0; i < sizeof passed_on / sizeof passed_on[0]; i++)
        sigaddset(passed, passed_on[i]);
}

/* Signals wait until it ignores them: one to the process group may come at once. */
pid_t helper_fork(void)
{
    sigset_t all, before;

    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    for (size_t i = 0; pid == 0 && i < sizeof passed_on / sizeof passed_on[0]; i++)
        signal(passed_on[i], SIG_IGN);
    sigprocmask(SIG_SETMASK, &before, NULL);
    return pid;
}

void helper_end_with(pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
}

int helper_failure(pid_t helper)
{
    siginfo_t info = { 0 };

    if (helper <= 0 || waitid(P_PID, (id_t)helper, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
        info.si_pid == 0)
        return 0;
    return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}
