/* The virtual environment of Python that this command is installed in. */
#ifndef MUSTER_RUN_ENVIRONMENT_H
#define MUSTER_RUN_ENVIRONMENT_H

/* Called by its path, venv/bin/muster, the command finds that environment's programs first, as after
 * activate: `python` is the one that can import muster. */
void prefer_environment(void);

#endif
